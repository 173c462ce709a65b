import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startStack, type Stack } from '../support/stack.ts';
import { call, MANUAL, placeOrder, readyCart, type Json } from '../support/shop.ts';
import { createClerk, createLocation, made, stocked, type Clerk, type Stocked } from './fixture.ts';

let stack: Stack;
let clerk: Clerk;
beforeAll(async () => {
  stack = await startStack();
  clerk = await createClerk(stack);
});
afterAll(() => stack.close());

const DAY_MS = 86_400_000;
const inDays = (days: number): string => new Date(Math.floor(Date.now() / 1000) * 1000 + days * DAY_MS).toISOString();

const patch = async ({ path }: Stocked, level: Json) => made(await clerk.patch(path, level));

async function shown({ id }: Stocked): Promise<Json> {
  const { available, available_quantity, backorder, expected_at } = (await call(stack, 'GET', `/products/test-${id}`))
    .body.skus[0];
  return { available, available_quantity, backorder, expected_at };
}

async function inCart(sku: Stocked, quantity: number): Promise<Json> {
  const { available, backorder, expected_at } = (await readyCart(stack, [{ sku_id: sku.id, quantity }])).items[0];
  return { available, backorder, expected_at };
}

async function ordered(sku: Stocked, quantity: number): Promise<Json> {
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity }]);
  const { id, items, guest_token } = made(await placeOrder(stack, cart.id, MANUAL));
  const again = await call(stack, 'GET', `/orders/${id}`, undefined, { headers: { 'x-order-token': guest_token } });
  expect(again.body.items).toEqual(items);
  const [{ backorder, expected_at }] = items;
  return { backorder, expected_at };
}

const NOTHING_TOLD = { backorder: false, expected_at: null };

describe('what has yet to come', () => {
  test('is told before it is bought, and frozen with the order', async () => {
    const sku = await stocked(stack, 2);
    expect(await shown(sku)).toEqual({ available: true, available_quantity: 2, ...NOTHING_TOLD });
    const day = inDays(30);
    await patch(sku, { backorder_limit: 10, expected_at: day });
    expect(await shown(sku)).toEqual({ available: true, available_quantity: 12, backorder: false, expected_at: day });
    expect(await inCart(sku, 2)).toEqual({ available: true, backorder: false, expected_at: day });
    expect(await inCart(sku, 3)).toEqual({ available: true, backorder: true, expected_at: day });
    expect(await inCart(sku, 13)).toEqual({ available: false, backorder: false, expected_at: day });

    expect(await ordered(sku, 1)).toEqual(NOTHING_TOLD);
    expect(await ordered(sku, 2)).toEqual({ backorder: true, expected_at: day });
    expect(await shown(sku)).toEqual({ available: true, available_quantity: 9, backorder: true, expected_at: day });
    await patch(sku, { expected_at: null });
    expect(await ordered(sku, 9)).toEqual({ backorder: true, expected_at: null });
    expect(await shown(sku)).toEqual({ available: false, available_quantity: 0, ...NOTHING_TOLD });
  });

  test('of several locations: those that promise what they have not, and no day that has gone by', async () => {
    const sku = await stocked(stack, 0);
    const second = await createLocation(clerk);
    made(
      await clerk.post('/inventory/adjustments', { sku_id: sku.id, location_id: second.id, set: 1, reason: 'count' }),
    );
    const there = { ...sku, path: `/inventory/${sku.id}/${second.id}` };
    const [soon, later] = [inDays(3), inDays(40)];
    await patch(there, { expected_at: soon });
    expect(await shown(sku)).toEqual({ available: true, available_quantity: 1, backorder: false, expected_at: soon });
    await patch(sku, { backorder_limit: 5, expected_at: later });
    expect(await inCart(sku, 2)).toEqual({ available: true, backorder: true, expected_at: later });
    expect(await ordered(sku, 1)).toEqual(NOTHING_TOLD);
    expect(await ordered(sku, 1)).toEqual({ backorder: true, expected_at: later });
    await patch(sku, { expected_at: inDays(-1) });
    expect((await shown(sku)).expected_at).toBe(soon);
    expect(await ordered(sku, 1)).toEqual({ backorder: true, expected_at: null });
  });

  test('of a kit: the last of the parts that it lacks', async () => {
    const [kit, plenty, scarce] = [await stocked(stack, 0), await stocked(stack, 9), await stocked(stack, 1)];
    const components = [
      { sku_id: plenty.id, quantity: 1 },
      { sku_id: scarce.id, quantity: 2 },
    ];
    made(await clerk.put(`/kits/${kit.id}`, { components }));
    const [soon, later] = [inDays(2), inDays(9)];
    await patch(plenty, { expected_at: later });
    expect(await shown(kit)).toEqual({ available: false, available_quantity: 0, ...NOTHING_TOLD });
    await patch(scarce, { backorder_limit: 3, expected_at: soon });
    expect(await shown(kit)).toEqual({ available: true, available_quantity: 2, backorder: true, expected_at: soon });
    expect(await ordered(kit, 1)).toEqual({ backorder: true, expected_at: soon });
  });
});
