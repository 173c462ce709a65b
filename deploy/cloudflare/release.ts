import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { commands, type Release } from './commands.ts';
import type { Shell } from './shell.ts';

const Package = z.object({ version: z.string().min(1) });
/** SERVICE_VERSION is a label of metrics and at most this long. */
const VERSION_MAX = 64;

/** What the working tree is as a release. Throws Error when it holds what no commit does: nobody could build it again. */
export async function readRelease(root: string, shell: Shell, now: Date, isDryRun: boolean): Promise<Release> {
  const commit = await gitLine(shell, ['rev-parse', 'HEAD']);
  if (commit === null) throw new Error('What is deployed must be a commit: this is no git repository.');
  const changed = await gitLine(shell, ['status', '--porcelain']);
  if (changed !== '' && !isDryRun) throw new Error(`What is deployed must be a commit. Not committed:\n${changed}`);
  const { version } = Package.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
  const buildTime = `${now.toISOString().slice(0, 19)}Z`;
  return { version: `${version}+${commit.slice(0, 7)}`.slice(0, VERSION_MAX), buildTime, commit };
}

/** The migrations of a ref by name, without .sql; null when there is no such ref here. */
export async function migrationsAt(shell: Shell, ref: string): Promise<Set<string> | null> {
  if ((await gitLine(shell, ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`])) === null) return null;
  const files = (await gitLine(shell, ['ls-tree', '--name-only', ref, 'migrations/'])) ?? '';
  const names = files.split('\n').filter((file) => file.endsWith('.sql') && !file.endsWith('.down.sql'));
  return new Set(names.map((file) => file.slice('migrations/'.length, -'.sql'.length)));
}

/** Remembers what runs there now, for the next deployment's comparison; a tag of the same name is moved. */
export async function tagRelease(shell: Shell, env: string, release: Release): Promise<boolean> {
  return (await shell.run(commands.tag(env, release))).code === 0;
}

async function gitLine(shell: Shell, args: string[]): Promise<string | null> {
  const { code, stdout } = await shell.run(['git', ...args], { quiet: true });
  return code === 0 ? stdout.trim() : null;
}
