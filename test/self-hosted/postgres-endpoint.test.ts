import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { neon, neonConfig, type NeonQueryFunction } from '@neondatabase/serverless';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { buildServices } from '../../deploy/services/build.ts';
import { startPostgres } from '../../dev/postgres.ts';
import { createDatabase, dropDatabase } from '../../dev/roles.ts';
import { installed, run } from '../observability/programs.ts';
import { type Replica, spawnReplica } from './replica.ts';
import { startService } from './service.ts';
import { startTlsFront, type TlsFront } from './tls-front.ts';

// Not the synchronous one: what it connects to is in this process.
const program = promisify(execFile);
const DEPLOY = join(import.meta.dirname, '../../deploy');
const [MAX_OPEN, MAX_IDLE] = [6, 2];
const scratch = mkdtempSync(join(tmpdir(), 'endpoint-'));
const database = `endpoint_${randomBytes(6).toString('hex')}`;
let url: string;
let tree: string;
let direct: pg.Pool;
beforeAll(async () => {
  const { superuserUrl } = inject('shared');
  await createDatabase(superuserUrl, database);
  url = Object.assign(new URL(superuserUrl), { pathname: `/${database}` }).href;
  direct = new pg.Pool({ connectionString: superuserUrl, max: 1 });
  // What the image holds, and nothing else of the project.
  buildServices(join(scratch, 'tree'));
  tree = join(scratch, 'tree/deploy/services');
});
afterAll(async () => {
  await direct.end();
  await dropDatabase(inject('shared').superuserUrl, database);
  rmSync(scratch, { recursive: true });
});

function clientOf({ url: address }: { url: string }, connectionString = url): NeonQueryFunction<false, false> {
  neonConfig.fetchEndpoint = `${address}/sql`;
  return neon(connectionString);
}
const ask = (sql: NeonQueryFunction<false, false>): Promise<unknown> => sql`select 1 as answer`.then((rows) => rows[0]);
const pidOf = (sql: NeonQueryFunction<false, false>): Promise<number> =>
  sql`select pg_backend_pid() as pid`.then((rows) => rows[0]!['pid'] as number);
const connections = async (): Promise<number> => {
  const { rows } = await direct.query('select count(*)::int as n from pg_stat_activity where datname = $1', [database]);
  return rows[0].n;
};

describe('the endpoint in front of Postgres, from the tree of its image', () => {
  let endpoint: Replica;
  beforeAll(async () => {
    const env = {
      DATABASE_URL: url,
      DATABASE_MAX_OPEN_CONNS: String(MAX_OPEN),
      DATABASE_MAX_IDLE_CONNS: String(MAX_IDLE),
      DATABASE_CONN_MAX_LIFETIME: '2',
    };
    endpoint = await startService('postgres', env, tree);
  });
  beforeEach(async () => {
    await vi.waitUntil(async () => (await connections()) <= MAX_IDLE, { timeout: 30_000 });
  });
  afterAll(() => endpoint.close());

  test('has as many connections as it may, and keeps as many as it may', async () => {
    const sql = clientOf(endpoint);
    const counts: number[] = [];
    const queries = Promise.all(Array.from({ length: 3 * MAX_OPEN }, () => sql`select pg_sleep(0.1)`));
    const done = new AbortController();
    const watch = (async () => {
      while (!done.signal.aborted) counts.push(await connections());
    })();
    await queries;
    done.abort();
    await watch;
    expect(Math.max(...counts)).toBe(MAX_OPEN);
    // A backend that was told to end does so a moment later; those that are kept stay for minutes.
    await vi.waitFor(async () => expect(await connections()).toBeLessThanOrEqual(MAX_IDLE), { timeout: 5_000 });
  });

  test('replaces a connection that is older than its lifetime', async () => {
    const sql = clientOf(endpoint);
    const first = await pidOf(sql);
    await vi.waitFor(async () => expect(await pidOf(sql)).not.toBe(first), { timeout: 30_000, interval: 200 });
  });

  test.each([
    ['another login', { username: 'somebody' }],
    ['another password', { password: 'wrong' }],
    ['another database', { pathname: '/postgres' }],
  ])('admits nobody with %s than its own', async (_what, other) => {
    const sql = clientOf(endpoint, Object.assign(new URL(url), other).href);
    await expect(ask(sql)).rejects.toThrow('password authentication failed');
  });

  test('answers what it was asked before SIGTERM, takes nothing more, and ends', async () => {
    const own = await startService('postgres', { DATABASE_URL: url }, tree);
    const sql = clientOf(own);
    expect(await ask(sql)).toEqual({ answer: 1 });
    const slow = sql`select pg_sleep(1), 'done' as said`;
    const said = slow.then((rows) => rows[0]!['said'] as string);
    await vi.waitFor(
      async () => {
        const { rowCount } = await direct.query(`select from pg_stat_activity where query like 'select pg_sleep(1)%'`);
        expect(rowCount).toBe(1);
      },
      { timeout: 30_000 },
    );
    own.child.kill('SIGTERM');
    await vi.waitFor(() => expect(fetch(`${own.url}/health`)).rejects.toThrow('fetch failed'), { timeout: 30_000 });
    expect(await said).toBe('done');
    expect(await own.ended).toBe(0);
    expect(own.logs().map(({ msg }) => msg)).toEqual(['listening', 'draining', 'stopped']);
    await own.close();
  });
});

describe('sslmode', () => {
  let postgres: TlsFront;
  const certificates = join(scratch, 'certs');
  beforeAll(async () => {
    run(join(DEPLOY, 'certificates.sh'), [certificates]);
    const { host, port } = inject('shared');
    postgres = await startTlsFront(certificates, { host, port });
  });
  beforeEach(() => postgres.seen.splice(0));
  afterAll(() => postgres.close());

  const through = async (host: string, search: string): Promise<unknown> => {
    const address = Object.assign(new URL(url), { hostname: host, port: String(postgres.port), search }).href;
    const endpoint = await startService('postgres', { DATABASE_URL: address }, tree);
    try {
      return await ask(clientOf(endpoint, url)).catch(String);
    } finally {
      await endpoint.close();
    }
  };
  const ca = `sslrootcert=${join(certificates, 'ca.pem')}`;
  const answer = { answer: 1 };

  test('require encrypts, whoever answers', async () => {
    expect(await through('127.0.0.1', 'sslmode=require')).toEqual(answer);
    expect(postgres.seen).toEqual(['TLSv1.3']);
  });

  test('verify-full wants a certificate of a trusted authority for that host', async () => {
    expect(await through('localhost', `sslmode=verify-full&${ca}`)).toEqual(answer);
    expect(await through('127.0.0.1', `sslmode=verify-full&${ca}`)).toContain('could not reach the database');
    expect(await through('localhost', 'sslmode=verify-full')).toContain('could not reach the database');
  });

  test('verify-ca wants a trusted authority alone', async () => {
    expect(await through('127.0.0.1', `sslmode=verify-ca&${ca}`)).toEqual(answer);
    expect(await through('localhost', 'sslmode=verify-ca')).toContain('could not reach the database');
  });

  test('without it nothing is encrypted, and this Postgres refuses', async () => {
    expect(await through('127.0.0.1', 'sslmode=disable')).toContain('could not reach the database');
    expect(postgres.seen).toEqual([null]);
  });
});

describe.runIf(installed('psql'))('an empty Postgres, as Compose starts it', () => {
  test('gets its roles, is migrated over TLS from the image, and serves the restricted role alone', async () => {
    const postgres = await startPostgres({});
    const certificates = join(scratch, 'certs');
    run(join(DEPLOY, 'certificates.sh'), [certificates]);
    const front = await startTlsFront(certificates, postgres);
    const { username, password } = new URL(postgres.superuserUrl('postgres'));
    const passwords = { POSTGRES_OWNER_PASSWORD: 'owner0of0this0test', POSTGRES_APP_PASSWORD: "it's 'quoted'" };
    const login = { PGHOST: postgres.host, PGPORT: String(postgres.port), PGUSER: username, PGPASSWORD: password };
    await program(join(DEPLOY, 'compose/create-roles.sh'), [], { env: { ...process.env, ...login, ...passwords } });

    const rest = `localhost:${front.port}/ecommerce?sslmode=verify-full&sslrootcert=${join(certificates, 'ca.pem')}`;
    const owner = `postgres://ecommerce_owner:${passwords.POSTGRES_OWNER_PASSWORD}@${rest}`;
    const migrate = [join(scratch, 'tree/dev/migrate.ts'), 'up'];
    const { stdout } = await program(process.execPath, migrate, { env: { MIGRATION_DATABASE_URL: owner } });
    expect(stdout).toMatch(/^up {2}\d{14}_/);

    const app = `postgres://ecommerce_app:${encodeURIComponent(passwords.POSTGRES_APP_PASSWORD)}@${rest}`;
    const endpoint = await startService('postgres', { DATABASE_URL: app }, tree);
    const sql = clientOf(endpoint, app);
    expect(await sql`select count(*)::int as n from products`).toEqual([{ n: 0 }]);
    await expect(sql`create table mine (id int)`).rejects.toThrow('permission denied for schema public');
    expect(new Set(front.seen)).toEqual(new Set(['TLSv1.3']));
    await endpoint.close();
    await front.close();
    await postgres.stop();
  });
});

describe('what cannot work is said on one line, and ends it', () => {
  test.each([
    ['no address', {}, 'misconfigured: DATABASE_URL is missing'],
    ['a mode that may fall back to the clear', { DATABASE_URL: 'postgres://a:b@h/d?sslmode=prefer' }, 'sslmode'],
    ['no URL', { DATABASE_URL: 'somewhere' }, 'misconfigured: DATABASE_URL must be a postgres:// URL'],
    ['a pool of none', { DATABASE_URL: 'postgres://a:b@h/d', DATABASE_MAX_OPEN_CONNS: '0' }, 'DATABASE_MAX_OPEN_CONNS'],
  ])('%s', async (_what, env, said) => {
    const refused = spawnReplica({ env, command: [process.execPath, join(tree, 'postgres.ts')] });
    expect(await refused.ended).toBe(1);
    expect(refused.lines()).toHaveLength(1);
    expect(refused.logs()[0]).toMatchObject({ level: 'fatal', msg: expect.stringContaining(said) });
  });
});
