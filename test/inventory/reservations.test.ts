import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  call,
  createSku,
  expireLeases,
  ordersOf,
  pay,
  placeOrder,
  readyCart,
  stockOf,
  type Json,
} from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { auditOf, createClerk, createLocation, levelRow, made, order } from './fixture.ts';
import { refusal, stocked, stockFaults, tick, type Clerk } from './fixture.ts';

let stack: Stack;
let clerk: Clerk;
beforeAll(async () => {
  stack = await startStack({ env: { PAYMENT_TIMEOUT_MS: '2000' } });
  // A webhook would settle what is in doubt.
  stack.provider.setWebhookMode('hold');
  clerk = await createClerk(stack);
});
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const hold = async (skuId: string, quantity: number, more: Json = {}) =>
  made(await clerk.post('/reservations', { sku_id: skuId, quantity, ...more }));

/** As if their time had come: of this SKU. */
const expire = (skuId: string) =>
  stack.owner.query(`update reservations set expires_at = now() - interval '1 second' where sku_id = $1`, [skuId]);

describe('a hold by hand', () => {
  test('keeps units from buyers until it is let go', async () => {
    const sku = await stocked(stack, 3);
    const held = await hold(sku.id, 2, { note: 'for the fair', expires_in: 600 });
    expect(held).toMatchObject({
      sku_id: sku.id,
      quantity: 2,
      order_id: null,
      note: 'for the fair',
      committed_at: null,
    });
    const seconds = (Date.parse(held.expires_at) - Date.parse(held.created_at)) / 1000;
    expect(seconds).toBe(600);
    expect((await order(stack, sku.id, 2)).body.errors).toMatchObject([{ requested: 2, available: 1 }]);
    expect((await clerk.remove(`/reservations/${held.id}`)).status).toBe(204);
    made(await order(stack, sku.id, 3));
    expect(await auditOf(stack, held.id)).toEqual([
      { action: 'reservations.create', actor_id: clerk.id, details: { sku_id: sku.id, quantity: 2 } },
      { action: 'reservations.delete', actor_id: clerk.id, details: {} },
    ]);
  });

  test('is refused beyond what is free, for a SKU or place that is none, and without the permission', async () => {
    const sku = await stocked(stack, 3);
    const post = async (change: object) =>
      refusal(await clerk.post('/reservations', { sku_id: sku.id, quantity: 1, ...change }));
    expect(await post({ quantity: 4 })).toEqual([409, 'insufficient_stock', 'quantity']);
    expect(await post({ sku_id: randomUUID() })).toEqual([404, 'not_found', 'sku_id']);
    expect(await post({ location_id: randomUUID() })).toEqual([404, 'not_found', 'location_id']);
    expect(await post({ expires_in: 0 })).toEqual([422, 'validation_failed', 'expires_in']);
    expect(await post({ quantity: 0 })).toEqual([422, 'validation_failed', 'quantity']);
    const reader = await createClerk(stack, ['inventory:read']);
    expect((await reader.post('/reservations', { sku_id: sku.id, quantity: 1 })).body.code).toBe('forbidden');
    expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ reserved: 0 });
  });

  test('is let go under If-Match, once, and an order keeps its own', async () => {
    const sku = await stocked(stack, 3);
    const path = `/reservations/${(await hold(sku.id, 1)).id}`;
    const etag = (await clerk.get(path)).headers.get('etag');
    expect(refusal(await clerk.remove(path, { ifMatch: null }))).toEqual([428, 'precondition_required', 'If-Match']);
    expect(refusal(await clerk.remove(path, { ifMatch: '"7"' }))).toEqual([412, 'precondition_failed', 'If-Match']);
    const options = { ifMatch: etag, key: 'let-go' };
    expect((await clerk.remove(path, options)).status).toBe(204);
    expect((await clerk.remove(path, options)).status).toBe(204);
    expect(refusal(await clerk.remove(path))).toEqual([404, 'not_found', 'id']);
    expect(refusal(await clerk.get(path))).toEqual([404, 'not_found', 'id']);

    const placed = made(await order(stack, sku.id, 2));
    const [own] = made(await clerk.get(`/reservations?order_id=${placed.id}`)).data;
    expect(own).toMatchObject({ order_id: placed.id, quantity: 2, expires_at: null });
    expect(own.committed_at).not.toBeNull();
    expect(refusal(await clerk.remove(`/reservations/${own.id}`))).toEqual([409, 'conflict', 'id']);
    expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ reserved: 2 });
  });

  test('where no place is named takes one that has enough: what is there before backorders, then by priority', async () => {
    const { id: skuId } = await createSku(stack, { stock: 0 });
    const at = async (priority: number, on_hand: number, backorder_limit: number) => {
      const { id: location_id } = await createLocation(clerk, { priority });
      made(await clerk.post('/inventory/adjustments', { sku_id: skuId, location_id, set: on_hand, reason: 'count' }));
      made(await clerk.patch(`/inventory/${skuId}/${location_id}`, { backorder_limit }));
      return location_id;
    };
    const [few, backorders, some, many] = [
      await at(10, 1, 0),
      await at(11, 1, 9),
      await at(12, 3, 0),
      await at(13, 6, 0),
    ];
    const taken: string[] = [];
    for (const quantity of [1, 3, 4, 5]) taken.push((await hold(skuId, quantity)).location_id);
    expect(taken).toEqual([few, some, many, backorders]);
    const post = async (more: Json) => refusal(await clerk.post('/reservations', { sku_id: skuId, ...more }));
    // Seven are free still, but in no one place, and none where it was asked for.
    expect(await post({ quantity: 7 })).toEqual([409, 'insufficient_stock', 'quantity']);
    expect(await post({ quantity: 1, location_id: few })).toEqual([409, 'insufficient_stock', 'quantity']);
    made(await clerk.patch(`/stock-locations/${many}`, { active: false }));
    expect((await hold(skuId, 2)).location_id).toBe(backorders);
  });

  test('a key that is used again holds once', async () => {
    const sku = await stocked(stack, 5);
    const body = { sku_id: sku.id, quantity: 2 };
    const first = await clerk.post('/reservations', body, { key: 'hold' });
    expect((await clerk.post('/reservations', body, { key: 'hold' })).body).toEqual(made(first));
    expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ reserved: 2 });
  });
});

describe('a hold that is over', () => {
  test('is let go by the tick', async () => {
    const sku = await stocked(stack, 3);
    const told = () => stack.logs().findLast(({ msg }) => msg === 'tick');
    await hold(sku.id, 2);
    await hold(sku.id, 1);
    await tick(stack);
    expect(told()).toMatchObject({ reservations_released: 0 });
    expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ reserved: 3 });
    await expire(sku.id);
    await tick(stack);
    expect(told()).toMatchObject({ reservations_released: 2 });
    expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ reserved: 0 });
    const [last] = made(await clerk.get(`/inventory/movements?sku_id=${sku.id}`)).data;
    expect(last).toMatchObject({ reserved_delta: -3, reason: 'hold_expired', actor: null });
  });

  test('is let go by whoever asks for that SKU next, order or hold, and by no read', async () => {
    const [sku, other] = [await stocked(stack, 2), await stocked(stack, 2)];
    await hold(sku.id, 2);
    await hold(other.id, 2);
    await expire(sku.id);
    await expire(other.id);
    await clerk.get(sku.path);
    await clerk.get('/reservations');
    await call(stack, 'GET', `/products/test-${sku.id}`);
    await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
    expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ reserved: 2 });
    made(await order(stack, sku.id, 1));
    expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ reserved: 1 });
    expect(await levelRow(stack, other.id, other.locationId)).toMatchObject({ reserved: 2 });
    await hold(other.id, 1);
    expect(await levelRow(stack, other.id, other.locationId)).toMatchObject({ reserved: 1 });
  });

  test('of an order that failed and kept its units: the tick gives them back', async () => {
    const sku = await stocked(stack, 2);
    const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 2 }]);
    const waiting = made(await placeOrder(stack, cart.id, pay('tok_requires_action')));
    const promised = async () => made(await clerk.get(`/reservations?order_id=${waiting.id}`)).data;
    await expire(sku.id);
    expect(await promised()).toMatchObject([{ quantity: 2, committed_at: null, expires_at: null }]);
    await tick(stack);
    expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ reserved: 2 });
    await stack.owner.query(`update orders set status = 'failed' where id = $1`, [waiting.id]);
    expect(await promised()).toMatchObject([{ expires_at: expect.any(String) }]);
    await tick(stack);
    expect(await levelRow(stack, sku.id, sku.locationId)).toMatchObject({ reserved: 0 });
  });
});

describe('the units of a payment in doubt', () => {
  test('F9 their time is over while the provider is silent: nobody else gets them, and the order does', async () => {
    const sku = await stocked(stack, 2);
    const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 2 }]);
    let isSilent = true;
    stack.payments.inject(() => isSilent, 'drop_reply', Number.POSITIVE_INFINITY);
    const first = await placeOrder(stack, cart.id, pay('tok_ok'), { key: 'in-doubt' });
    expect(first.body.code).toBe('payment_in_doubt');
    const keeps = async () =>
      expect(await levelRow(stack, sku.id, sku.locationId)).toEqual({ on_hand: 2, reserved: 2, shortfall: 0 });

    await expire(sku.id);
    expect((await order(stack, sku.id, 1)).body.errors).toMatchObject([{ requested: 1, available: 0 }]);
    expect((await clerk.post('/reservations', { sku_id: sku.id, quantity: 1 })).body.code).toBe('insufficient_stock');
    await keeps();
    await expireLeases(stack);
    await tick(stack);
    await keeps();
    expect((await ordersOf(stack, cart.id)).map(({ status }) => status)).toEqual(['pending']);

    isSilent = false;
    await expireLeases(stack);
    await tick(stack);
    const placed = await placeOrder(stack, cart.id, pay('tok_ok'), { key: 'in-doubt' });
    expect([placed.status, placed.body.status]).toEqual([201, 'confirmed']);
    const charges = stack.provider.charges().filter((charge) => JSON.stringify(charge).includes(placed.body.id));
    expect(charges).toHaveLength(1);
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 0, reserved: 0 });
  });
});

test('after all of this every level is what its movements sum to, and promises what is reserved', async () => {
  expect(await stockFaults(stack)).toEqual([]);
});
