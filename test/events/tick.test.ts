import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, createSku, type Json, MANUAL, placeOrder, readyCart } from '../support/shop.ts';
import { register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { RATE_LIMIT_ENABLED: 'false' } });
});
afterAll(() => stack.close());

const tick = () => stack.worker.scheduled({ cron: '* * * * *' });
const count = async (text: string, values: unknown[] = []): Promise<number> =>
  (await stack.owner.query(text, values)).rowCount ?? 0;

async function filledCart(): Promise<string> {
  const { id: sku_id } = await createSku(stack, { stock: 9 });
  const input = { items: [{ sku_id, quantity: 1 }], discount_codes: ['WELCOME10'] };
  return (await call(stack, 'POST', '/carts', input)).body.id;
}

describe('once a minute', () => {
  test('keys told more than a day ago are removed; untold ones after 90 days, and those in flight never', async () => {
    const insert = (key: string, state: string, age: string, body: string | null = null, toldAge = age) =>
      stack.owner.query(
        `insert into idempotency_keys (scope, key, request_hash, state, attempt, lease_until, created_at, body)
         values ('test', $1, 'hash', $2, $3, now() - $4::interval, now() - $5::interval, $6)`,
        [key, state, randomUUID(), toldAge, age, body],
      );
    await insert('told long ago', 'done', '24 hours 1 minute', 'sealed');
    await insert('told just now', 'done', '48 hours', 'sealed', '23 hours 59 minutes');
    await insert('told young', 'done', '23 hours 59 minutes', 'sealed');
    await insert('untold', 'done', '89 days 23 hours');
    await insert('untold, forgotten', 'done', '90 days 1 minute');
    await insert('in flight', 'in_flight', '100 days');
    await tick();
    const { rows } = await stack.owner.query(`select key from idempotency_keys where scope = 'test' order by key`);
    expect(rows.map(({ key }) => key)).toEqual(['in flight', 'told just now', 'told young', 'untold']);
  });

  test('carts that nobody came back to are removed with their lines; ordered ones and live ones stay', async () => {
    const { id: sku_id } = await createSku(stack, { stock: 9 });
    const [expired, live] = [await filledCart(), await filledCart()];
    const ordered = (await readyCart(stack, [{ sku_id, quantity: 1 }])).id;
    expect((await placeOrder(stack, ordered, MANUAL)).status).toBe(201);
    await stack.owner.query(`update carts set expires_at = now() - interval '1 second' where id = any($1)`, [
      [expired, ordered],
    ]);
    await tick();
    const { rows } = await stack.owner.query('select id from carts where id = any($1)', [[expired, live, ordered]]);
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set([live, ordered]));
    for (const table of ['cart_items', 'cart_discount_codes']) {
      expect(await count(`select from ${table} where cart_id = $1`, [expired])).toBe(0);
      expect(await count(`select from ${table} where cart_id = $1`, [live])).toBe(1);
    }
  });

  test('sessions that have run out are removed, and no other', async () => {
    const [late, active] = [await register(stack), await register(stack)];
    await stack.owner.query(`update sessions set expires_at = now() - interval '1 second' where account_id = $1`, [
      late.id,
    ]);
    await tick();
    expect(await count('select from sessions where account_id = $1', [late.id])).toBe(0);
    expect(await count('select from sessions where account_id = $1', [active.id])).toBe(1);
    const { status } = await call(stack, 'POST', '/auth/refresh', { refresh_token: active.refreshToken });
    expect(status).toBe(200);
  });

  test('several at once do no harm', async () => {
    const [expired, live] = [await filledCart(), await filledCart()];
    await stack.owner.query(`update carts set expires_at = now() - interval '1 second' where id = $1`, [expired]);
    const results = await Promise.all(Array.from({ length: 5 }, tick));
    expect(results.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 5 }, () => 'ok'));
    expect(await count('select from carts where id = any($1)', [[expired, live]])).toBe(1);
  });

  test('it says what it did, in one line', async () => {
    const before = stack.logs().filter(({ msg }) => msg === 'tick').length;
    await tick();
    const lines = stack.logs().filter(({ msg }) => msg === 'tick');
    expect(lines).toHaveLength(before + 1);
    expect(lines.at(-1)).toMatchObject({
      level: 'info',
      service: 'ecommerce-api',
      orders_settled: 0,
      events_delivered: expect.any(Number),
      db_round_trips: expect.any(Number),
    });
  });
});

test('without a subscriber an event goes to the log, ids only', async () => {
  const { id: sku_id } = await createSku(stack, { stock: 9 });
  const cart = await readyCart(stack, [{ sku_id, quantity: 1 }]);
  const { body } = await placeOrder(stack, cart.id, MANUAL);
  await tick();
  const line: Json = stack.logs().find(({ aggregate_id }) => aggregate_id === body.id);
  expect(line).toMatchObject({ level: 'info', msg: 'order.placed', event_id: expect.any(String) });
  expect(JSON.stringify(line)).not.toContain('ada@');
});

test('with limits switched off Redis is asked for nothing', async () => {
  stack.redis.clear();
  const { status, headers } = await call(stack, 'GET', '/markets');
  expect([status, headers.has('ratelimit-limit'), stack.redis.exchanges.length]).toEqual([200, false, 0]);
});
