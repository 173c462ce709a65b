import { commands, printable, type Release, type VersionId } from './commands.ts';
import { between, judge, scrape, type Counts } from './error-rate.ts';
import type { Options } from './options.ts';
import type { Report } from './report.ts';
import type { Shell } from './shell.ts';
import { smokeTest, type SmokeTarget } from './smoke.ts';
import { lastLines } from './wrangler.ts';

export interface Rollout {
  options: Options;
  /** Its name at Cloudflare. */
  worker: string;
  release: Release;
  fresh: VersionId;
  old: VersionId;
  metricsToken: string;
  /** What came before anything was changed. */
  usual: Counts;
  /** Names of the migrations that were applied for it. */
  migrated: readonly string[];
  shell: Shell;
  report: Report;
  /** Ctrl-C. */
  signal: AbortSignal;
}

/** Incomplete: released, but something around it needs a hand. Stuck: nobody knows what serves. */
export type Outcome = 'released' | 'incomplete' | 'rolled back' | 'stuck';

/**
 * From nobody to everybody. Whatever goes wrong on the way (a failed check, too many failed requests, a command that fails,
 * Ctrl-C), everybody gets the old version back.
 */
export async function rollOut(rollout: Rollout): Promise<Outcome> {
  const { options, report } = rollout;
  try {
    await shift(rollout, 0);
    await checkVersion(rollout);
    if (rollout.migrated.length > 0) await watch(rollout, 0);
    for (const percent of options.stages) {
      await shift(rollout, percent);
      await watch(rollout, percent);
    }
    return 'released';
  } catch (error) {
    report.fault(error instanceof Error ? error.message : String(error));
    return await rollBack(rollout);
  }
}

async function shift({ options, fresh, old, shell, report, signal }: Rollout, percent: number): Promise<void> {
  signal.throwIfAborted();
  report.step(`${percent} % of the traffic`);
  const result = await shell.run(commands.split(options.env, fresh, percent, old));
  if (result.code !== 0) throw new Error(`The traffic could not be shifted to ${percent} %:\n${lastLines(result)}`);
}

async function checkVersion(rollout: Rollout): Promise<void> {
  const { options, worker, release, fresh, report, signal } = rollout;
  signal.throwIfAborted();
  const { url, settleS } = options;
  const target: SmokeTarget = { url, release, settleS, override: { worker, version: fresh } };
  const checks = await smokeTest(target);
  report.checks(checks);
  signal.throwIfAborted();
  if (checks.some(({ isOk }) => !isOk)) throw new Error('The new version fails its smoke test.');
}

/**
 * At 0 % it is the old version on the new schema that is watched. The smoke test comes again at the end: with little
 * traffic it is the better witness.
 */
async function watch(rollout: Rollout, percent: number): Promise<void> {
  const { options, metricsToken, usual, report, signal } = rollout;
  const before = await scrape(options.url, metricsToken);
  await report.pause(`Watching ${percent} %`, options.pauseS, signal);
  const now = between(before, await scrape(options.url, metricsToken));
  const { threshold } = options;
  const share = percent === 0 ? 1 : percent / 100;
  const { rate, isTooHigh } = judge({ before: usual, now, share, threshold });
  report.stage(percent, now, rate);
  if (isTooHigh) {
    const shown = `${(100 * rate).toFixed(1)} %`;
    const whose =
      percent === 0 ? 'requests to the running version fail on the new schema' : "new version's requests fail";
    throw new Error(`${shown} of the ${whose}: more than ${100 * threshold} %.`);
  }
  await checkVersion(rollout);
}

async function rollBack({ options, old, migrated, shell, report }: Rollout): Promise<Outcome> {
  report.step('Rolling back');
  const attempts = [commands.rollback(options.env, old), commands.forcedRollback(options.env, old)];
  for (const command of attempts) {
    if ((await shell.run(command)).code !== 0) continue;
    if (migrated.length > 0)
      report.say(`${migrated.join(', ')}: stays applied; npm run migrate -- down takes it back.`);
    return 'rolled back';
  }
  report.fault(`Not rolled back. By hand, now: npx ${printable(commands.forcedRollback(options.env, old))}`);
  return 'stuck';
}
