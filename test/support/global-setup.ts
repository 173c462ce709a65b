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
import { unstable_getMiniflareWorkerOptions } from 'wrangler';
import * as z from 'zod';
import { isRedisInstalled, startRedisServer } from './redis-server.ts';
import type { WorkerConfig } from './worker.ts';

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
  workerConfig: WorkerConfig;
  /** A redis-server with a database for each stack; null where none is installed: then each has the embedded one. */
  redisUrl: string | null;
}

declare module 'vitest' {
  export interface ProvidedContext {
    shared: SharedStack;
  }
}

export const TEMPLATE = 'template_shop';
/** More than there are stacks in a run. */
const DATABASES = 4096;
const ROOT = join(import.meta.dirname, '../..');

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startPostgres({});
  const redis = isRedisInstalled() ? await startRedisServer({ databases: DATABASES }) : null;
  const workerDir = await mkdtemp(join(tmpdir(), 'edge-commerce-worker-'));
  const stop = async (): Promise<void> => {
    await redis?.close();
    await postgres.stop();
    await rm(workerDir, { recursive: true, force: true });
  };
  try {
    const superuserUrl = postgres.superuserUrl('postgres');
    const passwords = { owner: randomBytes(18).toString('hex'), app: randomBytes(18).toString('hex') };
    await Promise.all([makeTemplate(superuserUrl, passwords), buildWorker(workerDir)]);
    const { host, port } = postgres;
    const { owner: ownerPassword, app: appPassword } = passwords;
    const redisUrl = redis?.url ?? null;
    const database = { host, port, superuserUrl, ownerPassword, appPassword, template: TEMPLATE };
    project.provide('shared', { ...database, workerDir, workerConfig: readConfig(), redisUrl });
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}

// wrangler gives it without a type.
const Configured: z.ZodType<WorkerConfig> = z.object({
  compatibilityDate: z.string(),
  compatibilityFlags: z.array(z.string()),
  bindings: z.record(z.string(), z.string()),
  durableObjects: z.record(z.string(), z.object({ className: z.string(), useSQLite: z.boolean().exactOptional() })),
  assets: z.object({
    directory: z.string(),
    routerConfig: z.object({ has_user_worker: z.boolean() }),
    assetConfig: z.object({ compatibility_date: z.string(), compatibility_flags: z.array(z.string()) }),
  }),
});

/** Read here, once: to load wrangler takes a test file a second. */
function readConfig(): WorkerConfig {
  return Configured.parse(unstable_getMiniflareWorkerOptions(join(ROOT, 'wrangler.toml'), 'dev').workerOptions);
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
