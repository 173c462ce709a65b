import { connect } from 'node:net';
import { neon, neonConfig } from '@neondatabase/serverless';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startNeonEndpoint } from '../../dev/neon/server.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { neonError, type NeonFixture, startNeonFixture, until } from './neon-fixture.ts';

const MAX_CONNECTIONS = 2;

// So few connections that one leak is seen by the next queries, and two stop everything.
let fixture: NeonFixture;
beforeAll(async () => {
  fixture = await startNeonFixture({ maxConnections: MAX_CONNECTIONS });
  await fixture.direct.query('create table notes (body text)');
});
afterAll(() => fixture.close());

const running = async (pattern: string): Promise<number> => {
  const { rows } = await fixture.direct.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query like $1`,
    [pattern],
  );
  return rows[0]?.n ?? 0;
};

const PROBES = 10;
/** How many of ten queries at once were answered. */
const answered = async (): Promise<number> => {
  const { sql } = fixture;
  return (await Promise.all(Array.from({ length: PROBES }, () => sql`select pg_sleep(0.01)`))).length;
};

describe('no session', () => {
  test('settings, temporary tables and advisory locks do not reach the next request', async () => {
    const { sql } = fixture;
    await sql`set statement_timeout = '12345ms'`;
    await sql`create temp table leftover (a int)`;
    await sql`select pg_advisory_lock(42)`;
    for (let i = 0; i < MAX_CONNECTIONS * 2; i += 1) {
      const [row] =
        await sql`select current_setting('statement_timeout') as timeout, to_regclass('leftover') as leftover,
        (select count(*)::int from pg_locks l join pg_database d on d.oid = l.database
          where l.locktype = 'advisory' and d.datname = current_database()) as locks`;
      expect(row).toEqual({ timeout: '0', leftover: null, locks: 0 });
    }
  });

  test('a transaction left open by a single statement is not joined by the next request', async () => {
    const { sql } = fixture;
    await sql`begin`;
    await sql`insert into notes values ('after begin')`;
    const { rowCount } = await fixture.direct.query(`select from notes where body = 'after begin'`);
    expect(rowCount).toBe(1);
  });
});

describe('disconnects', () => {
  const abandon = async (start: (signal: AbortSignal) => PromiseLike<unknown>, pattern: string): Promise<void> => {
    const client = new AbortController();
    const query = neonError(start(client.signal));
    await until(async () => (await running(pattern)) > 0);
    client.abort();
    expect((await query).message).toContain('Error connecting to database');
    await until(async () => (await running(pattern)) === 0);
  };

  test('a client that leaves mid-query stops the query and leaks no connection', async () => {
    for (let i = 0; i < MAX_CONNECTIONS + 1; i += 1) {
      await abandon(
        (signal) => fixture.sql.query('select pg_sleep(600)', [], { fetchOptions: { signal } }),
        'select pg_sleep(600)%',
      );
    }
    expect(await answered()).toBe(PROBES);
  });

  test('a client that leaves mid-batch rolls the batch back', async () => {
    const { sql } = fixture;
    await abandon(
      (signal) =>
        sql.transaction([sql`insert into notes values ('abandoned')`, sql`select pg_sleep(601)`, sql`select 1`], {
          fetchOptions: { signal },
        }),
      'select pg_sleep(601)%',
    );
    const { rowCount } = await fixture.direct.query(`select from notes where body = 'abandoned'`);
    expect(rowCount).toBe(0);
    expect(await answered()).toBe(PROBES);
  });

  test('a client that leaves while it waits for a connection runs nothing', async () => {
    const { sql } = fixture;
    const holder = await fixture.direct.connect();
    await holder.query('select pg_advisory_lock(43)');
    const blockers = Array.from({ length: MAX_CONNECTIONS }, async () => sql`select pg_advisory_xact_lock_shared(43)`);
    await until(async () => (await running('select pg_advisory_xact_lock_shared(43)%')) === MAX_CONNECTIONS);
    const client = new AbortController();
    const waiting = neonError(
      sql.query(`insert into notes values ('too late')`, [], { fetchOptions: { signal: client.signal } }),
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    client.abort();
    await waiting;
    holder.release(true);
    await Promise.all(blockers);
    expect(await answered()).toBe(PROBES);
    const { rowCount } = await fixture.direct.query(`select from notes where body = 'too late'`);
    expect(rowCount).toBe(0);
  });

  test('a client that leaves in the middle of its body is forgotten', async () => {
    const { hostname, port } = new URL(fixture.endpoint.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write('POST /sql HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"query":');
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
    expect(await answered()).toBe(PROBES);
  });

  test('a connection that Postgres ends is replaced, and the caller of that moment gets the error', async () => {
    const { sql } = fixture;
    expect(await neonError(sql`select pg_terminate_backend(pg_backend_pid())`)).toMatchObject({ code: '57P01' });
    expect(await answered()).toBe(PROBES);
  });
});

describe('logins', () => {
  const login = (change: (url: URL) => void): PromiseLike<unknown> => {
    const url = new URL(fixture.connectionString);
    change(url);
    return neon(url.href)`select current_user as me`;
  };

  test('a wrong password is refused, also while the right one has open connections', async () => {
    expect(await answered()).toBe(PROBES);
    const error = await neonError(login((url) => (url.password = 'wrong')));
    expect(error).toMatchObject({ code: '28P01', severity: 'FATAL' });
    expect(await answered()).toBe(PROBES);
  });

  test('an unknown role and an unknown database are refused', async () => {
    expect(await neonError(login((url) => (url.username = 'nobody')))).toMatchObject({ code: '28P01' });
    expect(await neonError(login((url) => (url.pathname = '/nothing')))).toMatchObject({ code: '3D000' });
  });

  test('two roles of one database never share a connection, and escaped characters are read', async () => {
    await fixture.direct.query(`do $$ begin create role "odd @/:role" login password 'p@ss/w:rd %'; end $$`);
    const asOdd = () =>
      login((url) => {
        url.username = encodeURIComponent('odd @/:role');
        url.password = encodeURIComponent('p@ss/w:rd %');
      });
    const [odd, own] = await Promise.all([asOdd(), login(() => undefined)]);
    expect(odd).toEqual([{ me: 'odd @/:role' }]);
    expect(own).toEqual([{ me: 'postgres' }]);
    await fixture.direct.query('drop role "odd @/:role"');
  });

  test('application name and start-up options of the connection string are set', async () => {
    const [row] = (await (async () => {
      const url = new URL(fixture.connectionString);
      url.searchParams.set('application_name', 'shop');
      url.searchParams.set('options', '-c statement_timeout=4321');
      return neon(
        url.href,
      )`select current_setting('application_name') as name, current_setting('statement_timeout') as timeout`;
    })()) as Record<string, string>[];
    expect(row).toEqual({ name: 'shop', timeout: '4321ms' });
  });
});

test('behind the fault proxy: a dropped request never ran, a dropped reply was committed, a duplicate ran twice', async () => {
  const proxy = await startFaultProxy(fixture.endpoint.url);
  neonConfig.fetchEndpoint = proxy.url;
  const add = (body: string) => fixture.sql.transaction((sql) => [sql`insert into notes values (${body})`]);
  for (const fault of ['drop_request', 'drop_reply', 'duplicate'] as const) {
    proxy.inject(({ requestBody }) => requestBody.includes(fault), fault);
  }
  expect((await neonError(add('drop_request'))).message).toContain('Error connecting to database');
  expect((await neonError(add('drop_reply'))).message).toContain('Error connecting to database');
  await add('duplicate');
  const { rows } = await fixture.direct.query(`select body from notes where body ~ '^d(rop|upl)' order by body`);
  expect(rows.map(({ body }) => body)).toEqual(['drop_reply', 'duplicate', 'duplicate']);
  neonConfig.fetchEndpoint = fixture.endpoint.url;
  await proxy.close();
});

test('without an upstream the connection string says where Postgres is; when it is not there the answer is 503', async () => {
  const endpoint = await startNeonEndpoint({});
  neonConfig.fetchEndpoint = endpoint.url;
  expect(await fixture.sql`select 1 as one`).toEqual([{ one: 1 }]);
  const nobody = neon('postgres://user:password@127.0.0.1:1/nothing');
  expect((await neonError(nobody`select 1`)).message).toContain('HTTP status 503');
  await endpoint.close();
  neonConfig.fetchEndpoint = fixture.endpoint.url;
});

test('closing the endpoint ends what is running and frees its connections', async () => {
  const { connectionString } = fixture;
  const { host, port } = new URL(connectionString);
  expect(host).toContain(port);
  const endpoint = await startNeonEndpoint({});
  neonConfig.fetchEndpoint = endpoint.url;
  const cut = neonError(fixture.sql`select pg_sleep(602)`);
  await until(async () => (await running('select pg_sleep(602)%')) === 1);
  await endpoint.close();
  await cut;
  await until(async () => (await running('select pg_sleep(602)%')) === 0);
  neonConfig.fetchEndpoint = fixture.endpoint.url;
});
