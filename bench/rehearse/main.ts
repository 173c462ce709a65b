// What happens when something breaks or everybody comes at once, tried: npm run rehearse [-- name ...], or --list.
// The bundle that would be deployed on workerd, a Postgres that flushes to disk, and redis-server where it is installed.
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { table } from '../table.ts';
import { chosen, SCENARIOS } from './catalogue.ts';
import { describe, hasPassed, type Result, summary } from './report.ts';
import type { Scenario } from './scenario.ts';
import { openStage, type Stage } from './stage.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { list: { type: 'boolean' } } });
if (values.list === true) {
  console.log(
    table(
      ['rehearsal'],
      SCENARIOS.map(({ name, what }) => [`${name.padEnd(18)} ${what}`]),
    ),
  );
} else {
  try {
    process.exitCode = await rehearse(chosen(positionals));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}

/** The exit code: 1 when one of them failed. */
async function rehearse(scenarios: readonly Scenario[]): Promise<number> {
  const startedAt = performance.now();
  const stage = await openStage((what) => console.log(`Preparing ${what} ...`));
  console.log(`Redis is ${stage.redis.kind}; Postgres is ${stage.postgres.kind}.\n`);
  if (stage.busyWith !== null) console.log(`The machine is busy (${stage.busyWith}): latencies are not judged.\n`);
  const results: Result[] = [];
  try {
    for (const scenario of scenarios) {
      const result = await perform(stage, scenario);
      console.log(`${describe(result)}\n`);
      results.push(result);
    }
  } finally {
    await stage.close();
  }
  console.log(summary(results));
  const failed = results.filter((result) => !hasPassed(result)).length;
  console.log(
    `\n${results.length - failed} of ${results.length} passed in ${((performance.now() - startedAt) / 1000).toFixed(0)} s. ` +
      'Failures are broken connections and 5xx; where something is taken away they are part of it.',
  );
  return failed === 0 ? 0 : 1;
}

async function perform(stage: Stage, scenario: Scenario): Promise<Result> {
  const bar = new SingleBar({ format: `{name} [{bar}] {percentage}%`, clearOnComplete: true, hideCursor: true });
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  bar.start(100, 0, { name: scenario.name });
  try {
    const running = scenario.run(stage, (share) => bar.update(Math.floor(100 * share)));
    const outcome = await within(scenario, running);
    return { scenario, seconds: seconds(), outcome, fault: null };
  } catch (error) {
    return {
      scenario,
      seconds: seconds(),
      outcome: null,
      fault: error instanceof Error ? error.message : String(error),
    };
  } finally {
    bar.stop();
    await stage.clear();
  }
}

async function within<Value>({ name, secondsMax }: Scenario, running: Promise<Value>): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${name} took longer than ${secondsMax} s`)), 1000 * secondsMax);
  try {
    return await Promise.race([running, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
