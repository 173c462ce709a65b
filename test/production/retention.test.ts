import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { compile } from '../../src/platform/db/sql.ts';
import { CLEAN_UPS } from '../../src/retention.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { METRICS_FLUSH_SECONDS: '1' } });
});
afterAll(() => stack.close());

const tick = () => stack.worker.scheduled({ cron: '* * * * *' });

/** A row of each age, told apart by what `insert` makes of it; afterwards which are left. */
interface Kind {
  table: string;
  key: string;
  /** Youngest that must go and oldest that must stay, in Postgres' words. */
  goes: string;
  stays: string;
  insert: (id: string, age: string) => Promise<unknown>;
}

const event = (column: string) => (id: string, age: string) =>
  stack.owner.query(
    `insert into outbox_events (id, type, aggregate_id, payload, ${column}) values ($1, 'test.old', 'old', '{}', now() - $2::interval)`,
    [id, age],
  );
const webhook = (column: string, attempts: number) => (id: string, age: string) =>
  stack.owner.query(
    `insert into payment_webhook_events (provider, event_id, type, attempts, ${column}) values ('test', $1, 'old', $3, now() - $2::interval)`,
    [id, age, attempts],
  );

const KINDS: Kind[] = [
  { table: 'outbox_events', key: 'id', goes: '30 days 1 minute', stays: '29 days', insert: event('delivered_at') },
  { table: 'outbox_events', key: 'id', goes: '90 days 1 minute', stays: '89 days', insert: event('dead_at') },
  {
    table: 'payment_webhook_events',
    key: 'event_id',
    goes: '30 days 1 minute',
    stays: '29 days',
    insert: webhook('applied_at', 0),
  },
  {
    table: 'payment_webhook_events',
    key: 'event_id',
    goes: '90 days 1 minute',
    stays: '89 days',
    insert: webhook('received_at', 12),
  },
  {
    table: 'audit_log',
    key: 'id',
    goes: '400 days 1 minute',
    stays: '399 days',
    insert: (id, age) =>
      stack.owner.query(
        `insert into audit_log (id, actor_kind, action, resource_type, created_at) values ($1, 'system', 'tests.age', 'test', now() - $2::interval)`,
        [`00000000${id.slice(8)}`, age],
      ),
  },
];

const keysOf = async ({ table, key }: Kind): Promise<string[]> =>
  (await stack.owner.query(`select ${key} as key from ${table}`)).rows.map((row) => row.key);

describe('the clock removes what has been kept long enough, and nothing younger', () => {
  test.each(KINDS)('$table: $stays stay, $goes do not', async (kind) => {
    const [old, young] = [randomUUID(), randomUUID()];
    await kind.insert(old, kind.goes);
    await kind.insert(young, kind.stays);
    const inserted = (id: string) => (kind.table === 'audit_log' ? `00000000${id.slice(8)}` : id);
    expect(await keysOf(kind)).toContain(inserted(old));
    await tick();
    const left = await keysOf(kind);
    expect([left.includes(inserted(old)), left.includes(inserted(young))]).toEqual([false, true]);
  });

  test('what is neither delivered nor dead stays, however old', async () => {
    const id = randomUUID();
    await stack.owner.query(
      `insert into outbox_events (id, type, aggregate_id, payload, created_at, next_attempt_at)
       values ($1, 'test.old', 'old', '{}', now() - interval '2 years', now() + interval '1 day')`,
      [id],
    );
    await tick();
    expect((await stack.owner.query('select from outbox_events where id = $1', [id])).rowCount).toBe(1);
  });
});

describe('a bounded number at a time', () => {
  test('5,000 of a kind, and the next tick goes on', async () => {
    await stack.owner.query(
      `insert into outbox_events (id, type, aggregate_id, payload, delivered_at)
       select gen_random_uuid(), 'test.many', 'many', '{}', now() - interval '31 days' from generate_series(1, 5100)`,
    );
    const left = async () =>
      (await stack.owner.query(`select count(*)::int as n from outbox_events where type = 'test.many'`)).rows[0].n;
    await tick();
    expect(await left()).toBe(100);
    await tick();
    expect(await left()).toBe(0);
    // A line may come after the end of its tick.
    await vi.waitFor(
      () => {
        const removed = stack.logs().filter(({ msg }) => msg === 'tick');
        expect(removed.slice(-2).map(({ rows_removed }) => rows_removed)).toEqual([5000, 100]);
      },
      { timeout: 30_000 },
    );
  });

  test('nobody removes what is younger than a year from the audit log, whatever they ask for', async () => {
    const id = randomUUID();
    await stack.owner.query(
      `insert into audit_log (id, actor_kind, action, resource_type, created_at) values ($1, 'system', 'tests.age', 'test', now() - interval '364 days')`,
      [id],
    );
    await stack.owner.query('select remove_old_audit_entries(0, 10000)');
    expect((await stack.owner.query('select from audit_log where id = $1', [id])).rowCount).toBe(1);
  });

  test('each starts from an index', async () => {
    const client = await stack.owner.connect();
    try {
      await client.query('begin');
      await client.query('set local enable_seqscan = off');
      for (const statement of CLEAN_UPS) {
        const { text, values } = compile(statement);
        const { rows } = await client.query(`explain ${text}`, values);
        const plan = rows.map((row) => String(row['QUERY PLAN'])).join('\n');
        expect(plan, text).not.toMatch(/Seq Scan/);
      }
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
});
