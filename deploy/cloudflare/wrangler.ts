import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { commands, type Command, type Release, type VersionId } from './commands.ts';
import type { Result, Shell } from './shell.ts';

/** Of `wrangler deployments status --json`. */
const Deployment = z.object({
  versions: z.array(z.object({ version_id: z.string(), percentage: z.number() })).min(1),
});
/** A line of WRANGLER_OUTPUT_FILE_PATH. */
const Entry = z.object({
  type: z.string(),
  version_id: z.string().nullish(),
  worker_name: z.string().nullish(),
  message: z.string().nullish(),
});

/** The Cloudflare API's codes of a Worker that was never deployed, and wrangler's own words for one without deployments. */
const NOT_DEPLOYED = /code: (10007|10090)\]|has no deployments/;
const PENDING_MIGRATION = 'pending Durable Object migration';

/** The version that serves all requests now; null: there is none yet. Throws Error when nobody can tell, or two share them. */
export async function currentVersion(shell: Shell, env: string): Promise<VersionId | null> {
  const result = await shell.run(commands.status(env), { quiet: true });
  if (result.code !== 0) {
    if (NOT_DEPLOYED.test(result.stdout + result.stderr)) return null;
    throw new Error(`wrangler cannot tell what is deployed:\n${lastLines(result)}`);
  }
  const { versions } = Deployment.parse(JSON.parse(result.stdout));
  const [only, other] = versions.filter(({ percentage }) => percentage > 0);
  if (only === undefined || other !== undefined) {
    const shares = versions.map(({ version_id, percentage }) => `${version_id} ${percentage} %`).join(', ');
    throw new Error(
      `A rollout is not finished (${shares}). End it first: npx wrangler versions deploy <id>@100% --env ${env}`,
    );
  }
  return only.version_id;
}

/** `worker` is its name at Cloudflare. */
export type Uploaded = { version: VersionId; worker: string } | 'pending migration';

/** Uploads without serving it. Throws Error when wrangler refuses for another reason than a Durable Object migration. */
export async function uploadVersion(shell: Shell, env: string, release: Release): Promise<Uploaded> {
  const { result, entries } = await withOutput(shell, commands.upload(env, release));
  const { version_id: version, worker_name: worker } = entries.findLast(({ type }) => type === 'version-upload') ?? {};
  if (result.code === 0 && version != null && worker != null) return { version, worker };
  const said = [result.stderr, result.stdout, ...entries.map(({ message }) => message ?? '')].join('\n');
  if (said.includes(PENDING_MIGRATION)) return 'pending migration';
  throw new Error(`The version was not uploaded:\n${lastLines(result)}`);
}

/** Uploads and serves it at once, with its Durable Object migrations. */
export async function deployAtOnce(shell: Shell, env: string, release: Release): Promise<VersionId> {
  const { result, entries } = await withOutput(shell, commands.deploy(env, release));
  const version = entries.findLast(({ type }) => type === 'deploy')?.version_id;
  if (result.code !== 0 || version == null) throw new Error(`wrangler deploy failed:\n${lastLines(result)}`);
  return version;
}

/** The last of what a program said, for a message. */
export function lastLines({ stdout, stderr }: Result): string {
  return `${stdout}${stderr}`.trim().split('\n').slice(-8).join('\n');
}

/** wrangler writes what it did to a file for machines; its words on the terminal may change any day. */
async function withOutput(shell: Shell, command: Command) {
  const folder = await mkdtemp(join(tmpdir(), 'deploy-'));
  const file = join(folder, 'output.ndjson');
  try {
    const result = await shell.run(command, { env: { WRANGLER_OUTPUT_FILE_PATH: file } });
    const text = await readFile(file, 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => line !== '');
    return { result, entries: lines.map((line) => Entry.parse(JSON.parse(line))) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
