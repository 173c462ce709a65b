import { parseArgs } from 'node:util';
import { checkLive } from './live.ts';

/**
 * check-live.ts PROMETHEUS_URL [--rate-interval 1m] [--range 1h] [--except REGEXP]: ends with 1 when an expression of the
 * dashboards or the rules has no data there.
 */
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    'rate-interval': { type: 'string', default: '1m' },
    range: { type: 'string', default: '1h' },
    except: { type: 'string' },
  },
});
const [prometheusUrl] = positionals;
if (prometheusUrl === undefined) throw new Error('Usage: check-live.ts PROMETHEUS_URL [--rate-interval 1m]');

const checked = await checkLive(
  prometheusUrl,
  { rateInterval: values['rate-interval'], range: values.range },
  values.except === undefined ? undefined : new RegExp(values.except),
);
const bad = checked.filter(({ verdict }) => verdict === 'empty' || verdict === 'only NaN');
for (const { what, expr, verdict } of bad) console.log(`${verdict}: ${what}\n    ${expr}`);
const excepted = checked.filter(({ verdict }) => verdict === 'excepted');
for (const { what } of excepted) console.log(`excepted: ${what}`);
console.log(`${checked.length} expressions, ${bad.length} without data, ${excepted.length} excepted`);
if (bad.length > 0) process.exitCode = 1;
