import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { migrateUp } from '../../dev/migrate.ts';
import { startPostgres } from '../../dev/postgres.ts';
import { asRole, createDatabase, createRoles, OWNER_ROLE } from '../../dev/roles.ts';
import { seedDemo } from '../../dev/seed/index.ts';

/** What each test file needs to make a database and a Worker of its own. */
export interface SharedStack {
  host: string;
  port: number;
  /** Superuser of the database `postgres`. */
  superuserUrl: string;
  ownerPassword: string;
  appPassword: string;
  /** Migrated and seeded with 24 products; closed to connections, so that it can always be cloned. */
  template: string;
  /** The Worker's bundle, built once. */
  workerDir: string;
}

declare module 'vitest' {
  export interface ProvidedContext {
    shared: SharedStack;
  }
}

export const TEMPLATE = 'template_shop';
const ROOT = join(import.meta.dirname, '../..');

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startPostgres({});
  const workerDir = await mkdtemp(join(tmpdir(), 'edge-commerce-worker-'));
  const stop = async (): Promise<void> => {
    await postgres.stop();
    await rm(workerDir, { recursive: true, force: true });
  };
  try {
    const superuserUrl = postgres.superuserUrl('postgres');
    const passwords = { owner: randomBytes(18).toString('hex'), app: randomBytes(18).toString('hex') };
    await Promise.all([makeTemplate(superuserUrl, passwords), buildWorker(workerDir)]);
    const { host, port } = postgres;
    const { owner: ownerPassword, app: appPassword } = passwords;
    project.provide('shared', { host, port, superuserUrl, ownerPassword, appPassword, template: TEMPLATE, workerDir });
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A database to clone: migrated, with 24 products of the demo shop. */
export async function makeTemplate(superuserUrl: string, passwords: { owner: string; app: string }): Promise<void> {
  await createRoles(superuserUrl, passwords);
  await createDatabase(superuserUrl, TEMPLATE);
  const ownerUrl = asRole(superuserUrl, OWNER_ROLE, passwords.owner, TEMPLATE);
  await migrateUp(ownerUrl);
  await seedDemo(ownerUrl, { products: 24 });
}

/** The same command that deploys, without the upload. */
export async function buildWorker(outDir: string, root = ROOT): Promise<void> {
  const wrangler = join(ROOT, 'node_modules/wrangler/bin/wrangler.js');
  const args = [wrangler, 'deploy', '--dry-run', '--env', 'dev', '--outdir', outDir];
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', CI: 'true' };
  await promisify(execFile)(process.execPath, args, { cwd: root, env });
}
