// npm run deploy -- --env production --url https://api.example.com
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { loadEnvFile } from 'node:process';
import { deploy, Refused } from './deployment.ts';
import { dryRun } from './dry-run.ts';
import { readOptions, type Options } from './options.ts';
import { readRelease } from './release.ts';
import { createReport, textTable } from './report.ts';
import type { Outcome } from './rollout.ts';
import { createShell } from './shell.ts';

const EXIT: Record<Outcome, number> = { released: 0, 'rolled back': 2, incomplete: 3, stuck: 3 };

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options.envFile !== undefined) loadEnvFile(options.envFile);
  const root = process.cwd();
  const shell = createShell(root, process.stdout);
  const release = await readRelease(root, shell, new Date(), options.dryRun);
  const report = createReport(process.stdout);
  report.say(`${release.version}, built ${release.buildTime}, to ${options.env} at ${options.url}`);
  if (options.dryRun) {
    report.say(textTable(['step', 'command'], dryRun(options, release)));
    return 0;
  }
  const metricsToken = needed('METRICS_TOKEN', 'the error rate is read with it');
  const migrationUrl = needed('MIGRATION_DATABASE_URL', 'the owner of the schema, unpooled');
  if (!options.yes && !(await isConfirmed(options))) throw new Error('Not confirmed; --yes does not ask.');
  const migrations = join(root, 'migrations');
  const signal = onInterrupt((text) => report.fault(text));
  const given = { options, release, migrations, metricsToken, migrationUrl };
  const outcome = await deploy({ ...given, shell, report, signal });
  report.say(`\nOutcome: ${outcome}`);
  return EXIT[outcome];
}

function needed(name: string, why: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} is missing: ${why}.`);
  return value;
}

async function isConfirmed({ env }: Options): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`Type ${env} to deploy there: `);
  terminal.close();
  return answer.trim() === env;
}

/** One Ctrl-C arrives twice under npm: from the terminal, and passed on. */
const SAME_MS = 2_000;

/** The first signal stops the deployment in order; a later Ctrl-C leaves it as it is. */
function onInterrupt(say: (text: string) => void): AbortSignal {
  const controller = new AbortController();
  let firstAtMs = 0;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!controller.signal.aborted) {
        firstAtMs = Date.now();
        say(`${name}: what is under way is finished, then it is taken back. Ctrl-C again leaves it as it is.`);
        controller.abort(new Error(`Interrupted by ${name}.`));
      } else if (name === 'SIGINT' && Date.now() - firstAtMs > SAME_MS) {
        say('Left as it is: npx wrangler deployments status tells what serves.');
        process.exit(EXIT.stuck);
      }
    });
  }
  return controller.signal;
}

process.exitCode = await main().catch((error: unknown) => {
  const text = error instanceof Error ? error.message : String(error);
  console.error(error instanceof Refused ? `\n${text}\n\nNothing was deployed.` : text);
  return 1;
});
