import { neon } from '@neondatabase/serverless';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { neonError, type NeonFixture, post, startNeonFixture, until } from './neon-fixture.ts';

let fixture: NeonFixture;
beforeAll(async () => {
  fixture = await startNeonFixture();
  await fixture.direct.query(`
    create table counters (id int primary key, value int not null);
    create table parents (id int primary key);
    create table children (id int primary key, parent_id int references parents deferrable initially deferred);
    create function require(ok boolean, code text, detail jsonb) returns void language plpgsql as $$
      begin if not ok then raise exception using errcode = 'EC001', message = code, detail = detail::text; end if; end $$;
  `);
});
beforeEach(() => fixture.direct.query('truncate counters, parents, children'));
afterAll(() => fixture.close());

const modes = async (options: object): Promise<unknown[]> => {
  const [isolation, readOnly, deferrable] = await fixture.sql.transaction(
    (sql) => [sql`show transaction_isolation`, sql`show transaction_read_only`, sql`show transaction_deferrable`],
    { ...options, arrayMode: true },
  );
  return [isolation, readOnly, deferrable].flat(2);
};

test('a batch commits as one transaction and answers every statement in order', async () => {
  const { sql } = fixture;
  const results = await sql.transaction([
    sql`insert into counters values (1, 10), (2, 20)`,
    sql`update counters set value = value + 1 where id = ${1} returning value`,
    sql`select txid_current_if_assigned() is not null as same`,
  ]);
  expect(results).toEqual([[], [{ value: 11 }], [{ same: true }]]);
  const { rows } = await fixture.direct.query(
    'select count(distinct xmin::text)::int as transactions, count(*)::int as rows from counters',
  );
  expect(rows).toEqual([{ transactions: 1, rows: 2 }]);
});

test('a failing statement rolls the whole batch back and is the error, with our code and detail', async () => {
  const { sql } = fixture;
  const error = await neonError(
    sql.transaction([
      sql`insert into counters values (1, 10)`,
      sql`select require(false, 'insufficient_stock', ${{ lines: [1] }}::jsonb)`,
      sql`insert into counters values (2, 20)`,
    ]),
  );
  expect(error).toMatchObject({ code: 'EC001', message: 'insufficient_stock', detail: '{"lines": [1]}' });
  expect(await sql`select count(*)::int as n from counters`).toEqual([{ n: 0 }]);
});

test('an error that only COMMIT finds is the error of the batch', async () => {
  const { sql } = fixture;
  const error = await neonError(sql.transaction([sql`insert into children values (1, 99)`, sql`select 1`]));
  expect(error).toMatchObject({ code: '23503', constraint: 'children_parent_id_fkey' });
  expect(await sql`select count(*)::int as n from children`).toEqual([{ n: 0 }]);
});

test('isolation level, read only and deferrable are what the transaction really has', async () => {
  expect(await modes({})).toEqual(['read committed', 'off', 'off']);
  expect(await modes({ isolationLevel: 'ReadUncommitted' })).toEqual(['read uncommitted', 'off', 'off']);
  expect(await modes({ isolationLevel: 'ReadCommitted', readOnly: false })).toEqual(['read committed', 'off', 'off']);
  expect(await modes({ isolationLevel: 'RepeatableRead' })).toEqual(['repeatable read', 'off', 'off']);
  expect(await modes({ isolationLevel: 'Serializable', deferrable: false })).toEqual(['serializable', 'off', 'off']);
  expect(await modes({ isolationLevel: 'Serializable', readOnly: true, deferrable: true })).toEqual([
    'serializable',
    'on',
    'on',
  ]);
});

test('a write in a read-only batch is refused with 25006', async () => {
  const { sql } = fixture;
  const error = await neonError(sql.transaction([sql`insert into counters values (1, 1)`], { readOnly: true }));
  expect(error).toMatchObject({ code: '25006' });
  expect(error.message).toContain('read-only');
});

test('array mode and full results can be chosen for the whole batch', async () => {
  const sql = neon(fixture.connectionString, { fullResults: true });
  const [first, second] = await sql.transaction([sql`select 1 as a`, sql`insert into counters values (1, 1)`], {
    arrayMode: true,
  });
  expect(first).toMatchObject({ rows: [[1]], command: 'SELECT', rowCount: 1 });
  expect(second).toMatchObject({ rows: [], command: 'INSERT', rowCount: 1 });
});

test('an empty batch answers no results', async () => {
  expect(await fixture.sql.transaction([])).toEqual([]);
});

test('the batch headers are refused when they are not among the known values', async () => {
  const body = JSON.stringify({ queries: [{ query: 'select 1', params: [] }] });
  for (const [name, value] of [
    ['Neon-Batch-Isolation-Level', 'serializable; drop table counters'],
    ['Neon-Batch-Read-Only', 'yes'],
    ['Neon-Batch-Deferrable', '1'],
  ] as const) {
    const reply = await post(fixture, body, { [name]: value });
    expect(reply.status).toBe(400);
    expect(((await reply.json()) as { message: string }).message.toLowerCase()).toContain(name.toLowerCase());
  }
});

test('50 batches in parallel on one row all count', async () => {
  const { sql } = fixture;
  await sql`insert into counters values (1, 0)`;
  const results = await Promise.all(
    Array.from({ length: 50 }, () =>
      sql.transaction([
        sql`update counters set value = value + 1 where id = 1 returning value`,
        sql`select pg_backend_pid() as pid`,
      ]),
    ),
  );
  expect(results.map(([row]) => row?.[0]?.['value']).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 50 }, (_, i) => i + 1),
  );
  const pids = new Set(results.map(([, row]) => row?.[0]?.['pid']));
  expect(pids.size).toBeGreaterThan(1);
  expect(pids.size).toBeLessThanOrEqual(20);
});

test('two serializable batches that read what the other writes: one is refused with 40001', async () => {
  const { sql } = fixture;
  await sql`insert into counters values (1, 1), (2, 1)`;
  const take = (id: number) =>
    sql.transaction(
      [
        sql`select sum(value) from counters`,
        sql`select pg_advisory_xact_lock_shared(44)`,
        sql`update counters set value = 0 where id = ${id}`,
      ],
      { isolationLevel: 'Serializable' },
    );
  // Both have read before either writes.
  const holder = await fixture.direct.connect();
  await holder.query('select pg_advisory_lock(44)');
  const both = Promise.allSettled([take(1), take(2)]);
  await until(async () => {
    const { rowCount } = await fixture.direct.query(
      'select from pg_stat_activity where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0',
    );
    return rowCount === 2;
  });
  holder.release(true);
  const outcomes = await both;
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  expect(refused).toHaveLength(1);
  expect(refused[0]?.reason).toMatchObject({ code: '40001' });
});
