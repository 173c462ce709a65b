import { afterAll, beforeAll, expect, test } from 'vitest';
import { createSku } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

const TOKEN = 'metrics-token-of-this-file';
const LAST_SUCCESS = 'ecommerce_tick_last_success_timestamp_seconds';
const PENDING = 'ecommerce_outbox_pending';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { METRICS_TOKEN: TOKEN } });
});
afterAll(() => stack.close());

/** One run: how it came out, and what it said of itself. */
async function tick() {
  const before = stack.logs().length;
  const { outcome } = await stack.worker.scheduled({ cron: '* * * * *' });
  const lines = stack.logs().slice(before);
  return { outcome, lines: lines.filter(({ msg }) => String(msg).startsWith('tick')) };
}

async function gauge(name: string): Promise<number> {
  const reply = await stack.fetch('/metrics', { headers: { authorization: `Bearer ${TOKEN}` } });
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await reply.text())?.[1] ?? Number.NaN);
}

/** A hold that is over, a cart that nobody came back to. */
async function leftovers() {
  const { id } = await createSku(stack, { stock: 5 });
  await stack.owner.query('update stock_levels set reserved = 2 where sku_id = $1', [id]);
  await stack.owner.query(
    `insert into reservations (sku_id, location_id, quantity, expires_at)
     select sku_id, location_id, 2, now() - interval '1 second' from stock_levels where sku_id = $1`,
    [id],
  );
  const { rows } = await stack.owner.query(
    `insert into carts (id, market_id, expires_at)
     select gen_random_uuid(), id, now() - interval '1 second' from markets limit 1 returning id`,
  );
  return async () => {
    const level = await stack.owner.query('select reserved from stock_levels where sku_id = $1', [id]);
    const cart = await stack.owner.query('select from carts where id = $1', [rows[0].id]);
    return { reserved: level.rows[0].reserved, carts: cart.rowCount };
  };
}

/** Statements with this text find no database, however often they are sent. */
const without = (text: string) =>
  stack.neon.inject(({ requestBody }) => requestBody.includes(text), 'drop_request', Number.POSITIVE_INFINITY);

test.each([
  ['gauges', 'pg_stat_activity'],
  ['reservations', 'returning l.sku_id'],
  ['events', 'update outbox_events e set attempts'],
])('a tick without its %s does the rest, says so, and is no success', async (step, text) => {
  expect(await tick()).toMatchObject({ outcome: 'ok', lines: [{ msg: 'tick' }] });
  const succeededAt = await gauge(LAST_SUCCESS);
  expect(succeededAt).toBeGreaterThan(1e9);
  const left = await leftovers();
  await stack.owner.query(
    `insert into outbox_events (id, type, aggregate_id, payload) values (gen_random_uuid(), 'of.a.test', 'x', '{}')`,
  );

  without(text);
  const { outcome, lines } = await tick();
  stack.neon.clear();
  expect(outcome).toBe('exception');
  const cause = expect.stringContaining('database unreachable');
  expect(lines).toMatchObject([{ level: 'error', msg: 'tick failed', step, cause }]);
  expect(await left()).toEqual({ reserved: step === 'reservations' ? 2 : 0, carts: 0 });
  expect(await gauge(LAST_SUCCESS)).toBe(succeededAt);
  expect(await gauge(PENDING)).toBe(step === 'events' ? 1 : 0);

  expect(await tick()).toMatchObject({ outcome: 'ok' });
  expect(await left()).toEqual({ reserved: 0, carts: 0 });
});

test('more units on hold than one integer holds are counted', async () => {
  for (const units of [1_500_000_000, 1_500_000_000]) {
    const { id } = await createSku(stack, { stock: units });
    await stack.owner.query('update stock_levels set reserved = $2 where sku_id = $1', [id, units]);
    await stack.owner.query(
      `insert into reservations (sku_id, location_id, quantity, expires_at)
       select sku_id, location_id, $2, now() + interval '1 hour' from stock_levels where sku_id = $1`,
      [id, units],
    );
  }
  expect(await tick()).toMatchObject({ outcome: 'ok' });
  expect(await gauge('ecommerce_stock_reserved_units')).toBe(3_000_000_000);
});
