import { commands, printable, type Command, type Release, type VersionId } from './commands.ts';
import { between, scrape, type Counts } from './error-rate.ts';
import type { Options } from './options.ts';
import type { Report } from './report.ts';
import { rollOut, type Outcome } from './rollout.ts';
import { tagRelease } from './release.ts';
import { checkedMigrations } from './schema-step.ts';
import type { Shell } from './shell.ts';
import { servedVersion, smokeTest } from './smoke.ts';
import { currentVersion, deployAtOnce, lastLines, uploadVersion } from './wrangler.ts';

export interface Deployment {
  options: Options;
  release: Release;
  migrations: string;
  metricsToken: string;
  migrationUrl: string;
  shell: Shell;
  report: Report;
  /** Ctrl-C. */
  signal: AbortSignal;
}

/** Nothing was deployed. */
export class Refused extends Error {}

/** Every step in its order. Throws Refused before anything was deployed; later it ends in one of the outcomes. */
export async function deploy(deployment: Deployment): Promise<Outcome> {
  const { options, release, shell, report } = deployment;
  const prepared = await prepare(deployment).catch((error: unknown) => {
    throw error instanceof Refused ? error : new Refused(messageOf(error), { cause: error });
  });
  const { old, uploaded, ...rest } = prepared;
  const outcome =
    uploaded === null || old === null
      ? await replaceAtOnce(deployment, old)
      : await rollOut({ ...deployment, ...rest, fresh: uploaded.version, worker: uploaded.worker, old });
  if (outcome !== 'released') return outcome;
  const isComplete = await finish(deployment);
  const isTagged = await tagRelease(shell, options.env, release);
  const { version } = release;
  report.say(
    `\n${version} serves ${options.url}. To share its tag: git push --force origin refs/tags/release/${options.env}`,
  );
  return isComplete && isTagged ? 'released' : 'incomplete';
}

interface Prepared {
  old: VersionId | null;
  /** Null: it has to replace the old one at once. */
  uploaded: { version: VersionId; worker: string } | null;
  /** What came while nothing had been changed. */
  usual: Counts;
  /** Names of the migrations that were applied. */
  migrated: string[];
}

async function prepare(deployment: Deployment): Promise<Prepared> {
  const { options, release, metricsToken, shell, report, signal } = deployment;
  report.step('What runs there now');
  const current = await currentVersion(shell, options.env);
  if (options.first && current !== null) await refuseIfServed(options.url);
  const old = options.first ? null : current;
  report.say(old ?? 'Nothing: this is the first deployment.');
  const look = async () => (old === null ? { requests: 0, errors: 0 } : scrape(options.url, metricsToken));
  const first = await look().catch((cause: unknown) => {
    throw new Error(`${messageOf(cause)}. Does nothing serve there yet? --first`, { cause });
  });
  await must(deployment, 'Verify', commands.verify());
  await must(deployment, 'Doctor', commands.doctor(options.env, options.envFile));
  const usual = between(first, await look());
  const migrated = await migrate(deployment, old);
  try {
    signal.throwIfAborted();
    if (old === null) return { old, uploaded: null, usual, migrated };
    report.step('Upload');
    const uploaded = await uploadVersion(shell, options.env, release);
    return { old, uploaded: uploaded === 'pending migration' ? null : uploaded, usual, migrated };
  } catch (cause) {
    if (migrated.length === 0) throw cause;
    const stays = 'stays applied: the running version was shown to live with it.';
    throw new Error(`${messageOf(cause)}\n${migrated.join(', ')}: ${stays}`, { cause });
  }
}

/** Of a first version nothing can be taken back, so --first is for a Worker that setting secrets made, and for no shop. */
async function refuseIfServed(url: string): Promise<void> {
  const version = await servedVersion(url);
  if (version !== null)
    throw new Error(`${url} serves ${version}: this is not the first deployment, leave --first out`);
}

async function migrate(deployment: Deployment, old: VersionId | null): Promise<string[]> {
  const { options, migrations, migrationUrl, shell, report, signal } = deployment;
  report.step('Migrations');
  const previous = old === null ? null : options.previous;
  const pending = await checkedMigrations(shell, { databaseUrl: migrationUrl, migrations, previous }, { signal });
  signal.throwIfAborted();
  if (pending.length === 0) {
    report.say('Nothing is pending.');
    return [];
  }
  const result = await shell.run(commands.migrate(), { env: { MIGRATION_DATABASE_URL: migrationUrl } });
  if (result.code !== 0) throw new Error(`The migrations failed:\n${lastLines(result)}`);
  return pending;
}

/** The first version, or one with a Durable Object migration: Cloudflare can neither split nor take back the latter. */
async function replaceAtOnce(deployment: Deployment, old: VersionId | null): Promise<Outcome> {
  const { options, release, shell, report } = deployment;
  const { env, url, settleS } = options;
  report.say(
    old === null
      ? 'The first version serves everybody at once.'
      : 'A Durable Object migration is pending: it is applied with a version that serves everybody at once.',
  );
  try {
    await deployAtOnce(shell, env, release);
    const checks = await smokeTest({ url, release, settleS });
    report.checks(checks);
    if (checks.every(({ isOk }) => isOk)) return 'released';
    report.fault(
      'The new version fails its smoke test, and Cloudflare does not go back across a Durable Object migration.',
    );
  } catch (error) {
    report.fault(messageOf(error));
  }
  report.say(`See what serves: npx ${printable(commands.status(env))}. Mend it and deploy again.`);
  return 'stuck';
}

/** What a version does not carry: cron triggers and routes. Then the doctor sees the whole. */
async function finish({ options, shell, report }: Deployment): Promise<boolean> {
  const { env, url, envFile } = options;
  let isComplete = true;
  for (const [name, command] of [
    ['Triggers', commands.triggers(env)],
    ['Doctor, live', commands.doctor(env, envFile, url)],
  ] as const) {
    report.step(name);
    if ((await shell.run(command)).code === 0) continue;
    isComplete = false;
    report.fault(`The version is released, but this failed: ${printable(command)}`);
  }
  return isComplete;
}

async function must({ shell, report, signal }: Deployment, name: string, command: Command): Promise<void> {
  signal.throwIfAborted();
  report.step(name);
  const { code } = await shell.run(command, { signal });
  signal.throwIfAborted();
  if (code !== 0) throw new Refused(`${printable(command)} ended with ${code}.`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
