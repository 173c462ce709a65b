import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startStack, type Stack } from '../support/stack.ts';
import type { Json } from '../support/shop.ts';
import { auditOf, createClerk, createLocation, levelRow, made, order } from './fixture.ts';
import { refusal, stocked, stockFaults, type Clerk } from './fixture.ts';

let stack: Stack;
let clerk: Clerk;
let there: Json;
beforeAll(async () => {
  stack = await startStack();
  clerk = await createClerk(stack);
  there = await createLocation(clerk);
});
afterAll(() => stack.close());

const move = (sku: { id: string; locationId: string }, quantity: number, options: { key?: string } = {}) =>
  clerk.post(
    '/inventory/transfers',
    { sku_id: sku.id, from_location_id: sku.locationId, to_location_id: there.id, quantity },
    options,
  );

test('units leave one level and arrive at the other, and the ledger holds both', async () => {
  const sku = await stocked(stack, 5);
  const { from, to } = made(await move(sku, 2));
  expect([from, to]).toMatchObject([
    { location_id: sku.locationId, on_hand: 3 },
    { location_id: there.id, on_hand: 2 },
  ]);
  const { data } = made(await clerk.get(`/inventory/movements?sku_id=${sku.id}`));
  const moved = data.filter((row: Json) => row.reason === 'transfer');
  expect(moved).toHaveLength(2);
  expect(Object.fromEntries(moved.map((row: Json) => [row.location_id, row.on_hand_delta]))).toEqual({
    [sku.locationId]: -2,
    [there.id]: 2,
  });
  expect(await auditOf(stack, sku.id)).toEqual([
    {
      action: 'stock_levels.transfer',
      actor_id: clerk.id,
      details: { quantity: 2, from_location_id: sku.locationId, to_location_id: there.id },
    },
  ]);
});

test('units that are promised stay, also where more are promised on backorder', async () => {
  const sku = await stocked(stack, 5);
  made(await clerk.patch(sku.path, { backorder_limit: 5 }));
  made(await order(stack, sku.id, 3));
  expect(refusal(await move(sku, 3))).toEqual([409, 'insufficient_stock', 'quantity']);
  made(await move(sku, 2));
  made(await order(stack, sku.id, 2));
  expect(refusal(await move(sku, 1))).toEqual([409, 'insufficient_stock', 'quantity']);
});

test('what arrives pays what is owed there', async () => {
  const sku = await stocked(stack, 6);
  await clerk.post('/inventory/adjustments', {
    sku_id: sku.id,
    location_id: there.id,
    set: 3,
    reason: 'count',
  });
  made(await order(stack, sku.id, 9));
  made(await clerk.post('/inventory/adjustments', { sku_id: sku.id, set: 9, reason: 'count' }));
  made(await clerk.post('/inventory/adjustments', { sku_id: sku.id, location_id: there.id, set: 0, reason: 'lost' }));
  expect(await levelRow(stack, sku.id, there.id)).toEqual({ on_hand: 0, reserved: 3, shortfall: 3 });
  expect(made(await move(sku, 2)).to).toMatchObject({ on_hand: 2, reserved: 3, shortfall: 1 });
  expect(made(await move(sku, 1)).to).toMatchObject({ on_hand: 3, reserved: 3, shortfall: 0 });
});

test('to and fro at once: no deadlock, no unit lost', async () => {
  const sku = await stocked(stack, 50);
  made(await move(sku, 25));
  const ways = [
    [sku.locationId, there.id],
    [there.id, sku.locationId],
  ];
  const replies = await Promise.all(
    Array.from({ length: 24 }, (_, index) =>
      clerk.post('/inventory/transfers', {
        sku_id: sku.id,
        from_location_id: ways[index % 2]?.[0],
        to_location_id: ways[index % 2]?.[1],
        quantity: 1,
      }),
    ),
  );
  expect(replies.map(({ status }) => status)).toEqual(Array(24).fill(201));
  expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ on_hand: 25 });
  expect(await levelRow(stack, sku.id, there.id)).toMatchObject({ on_hand: 25 });
});

test('a key that is used again moves them once', async () => {
  const sku = await stocked(stack, 5);
  const first = await move(sku, 2, { key: 'move' });
  expect((await move(sku, 2, { key: 'move' })).text).toBe(first.text);
  expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ on_hand: 3 });
});

test('refusals', async () => {
  const sku = await stocked(stack, 5);
  const body = { sku_id: sku.id, from_location_id: sku.locationId, to_location_id: there.id, quantity: 1 };
  const post = async (change: object) => refusal(await clerk.post('/inventory/transfers', { ...body, ...change }));
  expect(await post({ quantity: 0 })).toEqual([422, 'validation_failed', 'quantity']);
  expect(await post({ to_location_id: sku.locationId })).toEqual([422, 'validation_failed', 'to_location_id']);
  expect(await post({ to_location_id: randomUUID() })).toEqual([404, 'not_found', 'to_location_id']);
  expect(await post({ from_location_id: randomUUID() })).toEqual([404, 'not_found', 'from_location_id']);
  expect(await post({ sku_id: randomUUID() })).toEqual([404, 'not_found', 'sku_id']);
  expect(await post({ quantity: 6 })).toEqual([409, 'insufficient_stock', 'quantity']);
  const reader = await createClerk(stack, ['inventory:read']);
  expect((await reader.post('/inventory/transfers', body)).body.code).toBe('forbidden');
});

test('after all of this every level is what its movements sum to, and promises what is reserved', async () => {
  expect(await stockFaults(stack)).toEqual([]);
});
