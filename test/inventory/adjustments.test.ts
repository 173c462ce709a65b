import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startStack, type Stack } from '../support/stack.ts';
import { awaitStored } from '../support/stored.ts';
import { auditOf, createClerk, createLocation, levelRow, made, order } from './fixture.ts';
import { refusal, stocked, stockFaults, type Clerk } from './fixture.ts';

const ADJUSTMENTS = '/inventory/adjustments';

let stack: Stack;
let clerk: Clerk;
beforeAll(async () => {
  stack = await startStack();
  clerk = await createClerk(stack);
});
afterAll(() => stack.close());

describe('what is on hand', () => {
  test('is counted or changed, with a reason, at the first location unless told', async () => {
    const sku = await stocked(stack, 5);
    const counted = await clerk.post(ADJUSTMENTS, { sku_id: sku.id, set: 8, reason: 'count' });
    expect([counted.status, counted.body]).toMatchObject([
      201,
      { level: { location_id: sku.locationId, on_hand: 8, available: 8 }, short_orders: [] },
    ]);
    expect(made(await clerk.post(ADJUSTMENTS, { sku_id: sku.id, delta: -3, reason: 'damaged' })).level.on_hand).toBe(5);
    expect(made(await clerk.post(ADJUSTMENTS, { sku_id: sku.id, set: 0, reason: 'lost' })).level.on_hand).toBe(0);
  });

  test('a level that was never there begins with the first units', async () => {
    const [sku, location] = [await stocked(stack, 1), await createLocation(clerk)];
    const adjustment = { sku_id: sku.id, location_id: location.id, delta: 4, reason: 'received' };
    expect(made(await clerk.post(ADJUSTMENTS, adjustment)).level).toMatchObject({
      location_id: location.id,
      on_hand: 4,
    });
  });

  test('never falls below zero, and never leaves what can be counted', async () => {
    const sku = await stocked(stack, 2);
    const change = (delta: number) => clerk.post(ADJUSTMENTS, { sku_id: sku.id, delta, reason: 'correction' });
    expect(refusal(await change(-3))).toEqual([409, 'conflict', 'delta']);
    await stack.owner.query('update stock_levels set on_hand = 1999999999 where sku_id = $1', [sku.id]);
    expect((await change(100_000_000)).body.code).toBe('validation_failed');
    expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ on_hand: 1_999_999_999 });
  });

  test('a key that is used again moves the units once', async () => {
    const sku = await stocked(stack, 2);
    const adjustment = { sku_id: sku.id, delta: 5, reason: 'received' };
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => clerk.post(ADJUSTMENTS, adjustment, { key: 'units' })),
    );
    for (const { status, body } of replies) {
      if (status === 409) expect(body.code).toBe('idempotency_in_flight');
      else expect([status, body.level.on_hand]).toEqual([201, 7]);
    }
    expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ on_hand: 7 });
  });
});

test('a repeat whose first reply was lost answers the level that was changed, whatever is the first location by now', async () => {
  const sku = await stocked(stack, 2);
  const adjustment = { sku_id: sku.id, delta: 5, reason: 'received' };
  const key = randomUUID();
  const first = made(await clerk.post(ADJUSTMENTS, adjustment, { key }));
  await awaitStored(stack, key);
  await stack.owner.query('update idempotency_keys set status = null, body = null where key = $1', [key]);
  const location = await createLocation(clerk, { priority: -1000 });
  try {
    expect(made(await clerk.post(ADJUSTMENTS, adjustment, { key }))).toEqual(first);
    expect(made(await clerk.post(ADJUSTMENTS, adjustment)).level).toMatchObject({
      location_id: location.id,
      on_hand: 5,
    });
  } finally {
    made(await clerk.patch(`/stock-locations/${location.id}`, { priority: 90 }));
  }
});

describe('a count below what is promised', () => {
  test('keeps the promises, owes the units, and names the orders it hits, the latest first', async () => {
    const sku = await stocked(stack, 6);
    const orders = [];
    for (const quantity of [3, 2, 1]) orders.push(made(await order(stack, sku.id, quantity)));
    const [, second, third] = orders;
    const { level, short_orders } = made(await clerk.post(ADJUSTMENTS, { sku_id: sku.id, set: 4, reason: 'count' }));
    expect(level).toMatchObject({ on_hand: 4, reserved: 6, shortfall: 2, available: 0 });
    expect(short_orders).toEqual([
      { order_id: third.id, number: third.number, quantity: 1 },
      { order_id: second.id, number: second.number, quantity: 1 },
    ]);
    expect((await order(stack, sku.id, 1)).body.code).toBe('insufficient_stock');
  });

  test('the debt shrinks as units come back, and no further than to nothing', async () => {
    const sku = await stocked(stack, 5);
    made(await order(stack, sku.id, 5));
    const change = async (adjustment: object) =>
      made(await clerk.post(ADJUSTMENTS, { sku_id: sku.id, reason: 'correction', ...adjustment }));
    expect((await change({ set: 0 })).level.shortfall).toBe(5);
    expect((await change({ delta: 2 })).level.shortfall).toBe(3);
    expect(await change({ delta: 2 })).toMatchObject({ level: { shortfall: 1 }, short_orders: [{ quantity: 1 }] });
    expect(await change({ delta: 9 })).toMatchObject({ level: { shortfall: 0, available: 8 }, short_orders: [] });
  });

  test('holds by hand give way before any order does', async () => {
    const sku = await stocked(stack, 5);
    const early = made(await order(stack, sku.id, 2));
    made(await clerk.post('/reservations', { sku_id: sku.id, quantity: 3 }));
    const count = (set: number) => clerk.post(ADJUSTMENTS, { sku_id: sku.id, set, reason: 'count' });
    expect(made(await count(2))).toMatchObject({ level: { shortfall: 3 }, short_orders: [] });
    expect(made(await count(1)).short_orders).toEqual([{ order_id: early.id, number: early.number, quantity: 1 }]);
  });

  test('what is on backorder anyway is no debt', async () => {
    const sku = await stocked(stack, 3);
    made(await clerk.patch(sku.path, { backorder_limit: 2 }));
    made(await order(stack, sku.id, 4));
    const { level, short_orders } = made(await clerk.post(ADJUSTMENTS, { sku_id: sku.id, set: 1, reason: 'count' }));
    expect(level).toMatchObject({ on_hand: 1, reserved: 4, backorder_limit: 2, shortfall: 1 });
    expect(short_orders).toMatchObject([{ quantity: 1 }]);
  });

  test('names orders that were not told to wait, though backorders cover it', async () => {
    const sku = await stocked(stack, 6);
    made(await clerk.patch(sku.path, { backorder_limit: 100 }));
    const [early, late] = [made(await order(stack, sku.id, 4)), made(await order(stack, sku.id, 2))];
    expect([early, late].map(({ items }) => items[0].backorder)).toEqual([false, false]);
    const waiting = made(await order(stack, sku.id, 3));
    expect(waiting.items[0].backorder).toBe(true);
    const count = async (set: number) => {
      const { level, short_orders } = made(await clerk.post(ADJUSTMENTS, { sku_id: sku.id, set, reason: 'count' }));
      expect(level.shortfall).toBe(0);
      return short_orders;
    };
    expect(await count(6)).toEqual([]);
    expect(await count(3)).toEqual([
      { order_id: late.id, number: late.number, quantity: 2 },
      { order_id: early.id, number: early.number, quantity: 1 },
    ]);
    expect(await count(0)).toMatchObject([{ quantity: 2 }, { quantity: 4 }]);
  });

  test('of a part names orders of the kit, unless they were told to wait for it', async () => {
    const [kit, part] = [await stocked(stack, 0), await stocked(stack, 4)];
    made(await clerk.put(`/kits/${kit.id}`, { components: [{ sku_id: part.id, quantity: 2 }] }));
    made(await clerk.patch(part.path, { backorder_limit: 10 }));
    const early = made(await order(stack, kit.id, 2));
    expect(made(await order(stack, kit.id, 1)).items[0].backorder).toBe(true);
    const { short_orders } = made(await clerk.post(ADJUSTMENTS, { sku_id: part.id, set: 1, reason: 'count' }));
    expect(short_orders).toEqual([{ order_id: early.id, number: early.number, quantity: 3 }]);
  });

  test('orders that come while it is counted are refused or named, never both lost', async () => {
    const sku = await stocked(stack, 10);
    const [counted, ...replies] = await Promise.all([
      clerk.post(ADJUSTMENTS, { sku_id: sku.id, set: 4, reason: 'count' }),
      ...Array.from({ length: 10 }, () => order(stack, sku.id, 1)),
    ]);
    made(counted);
    const sold = replies.filter(({ status }) => status === 201).length;
    const { reserved, shortfall } = await levelRow(stack, sku.id, sku.locationId);
    expect(reserved).toBe(sold);
    expect(shortfall).toBe(Math.max(sold - 4, 0));
  });
});

describe('refusals', () => {
  test.each([
    [{ set: 1, delta: 1 }, 'set'],
    [{}, 'set'],
    [{ delta: 0 }, 'delta'],
    [{ set: -1 }, 'set'],
    [{ set: 100_000_001 }, 'set'],
    [{ set: 1, reason: 'because' }, 'reason'],
    [{ set: 1, sku_id: 'x' }, 'sku_id'],
  ])('%j', async (adjustment, param) => {
    const body = { sku_id: randomUUID(), reason: 'count', ...adjustment };
    expect(refusal(await clerk.post(ADJUSTMENTS, body))).toEqual([422, 'validation_failed', param]);
  });

  test('a SKU or location that is not there', async () => {
    const sku = await stocked(stack, 1);
    const unknown = { sku_id: randomUUID(), set: 1, reason: 'count' };
    expect(refusal(await clerk.post(ADJUSTMENTS, unknown))).toEqual([404, 'not_found', 'sku_id']);
    const nowhere = { ...unknown, sku_id: sku.id, location_id: randomUUID() };
    expect(refusal(await clerk.post(ADJUSTMENTS, nowhere))).toEqual([404, 'not_found', 'location_id']);
  });

  test('without the permission nothing moves; with it the audit log says who, how many and why', async () => {
    const sku = await stocked(stack, 1);
    const reader = await createClerk(stack, ['inventory:read']);
    const adjustment = { sku_id: sku.id, delta: 4, reason: 'received' };
    expect((await reader.post(ADJUSTMENTS, adjustment)).body.code).toBe('forbidden');
    const level = `${sku.id}/${sku.locationId}`;
    expect(await auditOf(stack, level)).toEqual([]);
    made(await clerk.post(ADJUSTMENTS, adjustment));
    expect(await auditOf(stack, level)).toEqual([
      { action: 'stock_levels.adjust', actor_id: clerk.id, details: { delta: 4, reason: 'received' } },
    ]);
  });
});

test('after all of this every level is what its movements sum to, and promises what is reserved', async () => {
  expect(await stockFaults(stack)).toEqual([]);
});
