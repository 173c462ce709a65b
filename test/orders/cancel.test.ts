import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { as, auditOf, refusal, withoutAuditLog, stateOf, type Asker } from '../admin/fixture.ts';
import { createSku, placeOrder, readyCart, stockOf, type Json } from '../support/shop.ts';
import { createStaff, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { awaitStored } from '../support/stored.ts';
import {
  AUTHORIZED,
  buy,
  buySkus,
  BY_HAND,
  chargeOf,
  done,
  eventsOf,
  expectStockAgrees,
  moneyMoves,
  STOCK,
  type Bought,
} from './fixture.ts';

let stack: Stack;
let clerk: Staff;
let staff: Asker;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  clerk = await createStaff(stack, PERMISSIONS);
  staff = as(stack, clerk.token);
});
afterEach(async () => {
  stack.payments.clear();
  await expectStockAgrees(stack);
});
afterAll(() => stack.close());

const PERMISSIONS = ['orders:read', 'orders:write', 'fulfillments:write', 'refunds:write', 'inventory:write'];
const OTHER = { reason: 'other' };
const cancel = ({ id }: Bought, body: Json = OTHER, options = {}) => staff.post(`/orders/${id}/cancel`, body, options);
const isRefund = ({ method, path }: { method: string; path: string }) => method === 'POST' && path === '/v1/refunds';

describe('a whole order', () => {
  test('that was paid: its units are on offer again, all of its money goes back, and everybody is told', async () => {
    const bought = await buy(stack, [{ quantity: 3 }, { quantity: 1 }]);
    const { total } = bought.order;
    const body = done(await cancel(bought, { reason: 'out_of_stock' }));
    expect(body).toMatchObject({
      status: 'canceled',
      fulfillment_status: 'canceled',
      payment_status: 'refunded',
      cancel_reason: 'out_of_stock',
      canceled_at: expect.any(String),
      version: bought.order.version + 1,
      items: [{ canceled_quantity: 3 }, { canceled_quantity: 1 }],
      refunds: [{ status: 'succeeded', amount: total, reason: 'order_canceled' }],
    });
    expect(await moneyMoves(stack, bought.id)).toEqual([`refund request ${total}`, `refund success ${total}`]);
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: total });
    for (const skuId of bought.skuIds) expect(await stockOf(stack, skuId)).toEqual({ on_hand: STOCK, reserved: 0 });
    expect(await eventsOf(stack, bought.id)).toEqual(['order.placed', 'order.canceled']);
    expect(await auditOf(stack, bought.id)).toMatchObject([
      {
        action: 'orders.cancel',
        actor_kind: 'staff',
        actor_id: clerk.id,
        details: { reason: 'out_of_stock', units: 4 },
      },
    ]);
  });

  test.each([
    ['authorized', AUTHORIZED, 'canceled'],
    ['awaited by hand', BY_HAND, undefined],
  ])('whose money is %s: nothing is taken any more', async (_name, payment, atProvider) => {
    const bought = await buy(stack, [{ quantity: 2 }], { payment });
    const body = done(await cancel(bought));
    expect(body).toMatchObject({ status: 'canceled', payment_status: 'voided', refunds: [] });
    expect(chargeOf(stack, bought.id)?.status).toBe(atProvider);
    expect(await stockOf(stack, bought.skuIds[0] ?? '')).toEqual({ on_hand: STOCK, reserved: 0 });
  });

  test('of kits: their components are on offer again, whatever the kit is made of by now', async () => {
    const [kit, part] = [await createSku(stack, { stock: 0 }), await createSku(stack, { stock: 20 })];
    await stack.owner.query('insert into kits (sku_id) values ($1)', [kit.id]);
    await stack.owner.query('insert into kit_components (kit_sku_id, component_sku_id, quantity) values ($1, $2, 3)', [
      kit.id,
      part.id,
    ]);
    const bought = await buySkus(stack, [{ sku_id: kit.id, quantity: 4 }]);
    expect(await stockOf(stack, part.id)).toEqual({ on_hand: 8, reserved: 0 });
    await stack.owner.query('delete from kit_components where kit_sku_id = $1', [kit.id]);
    done(await cancel(bought, { ...OTHER, items: [{ item_id: bought.itemIds[0], quantity: 1 }] }));
    expect(await stockOf(stack, part.id)).toEqual({ on_hand: 11, reserved: 0 });
    done(await cancel(bought));
    expect(await stockOf(stack, part.id)).toEqual({ on_hand: 20, reserved: 0 });
  });

  test('whose units are gone for good: they are written off', async () => {
    const bought = await buy(stack, [{ quantity: 3 }]);
    done(await cancel(bought, { ...OTHER, restock: false }));
    expect(await stockOf(stack, bought.skuIds[0] ?? '')).toEqual({ on_hand: STOCK - 3, reserved: 0 });
    const { rows } = await stack.owner.query('select distinct reason from stock_movements where reference = $1', [
      bought.id,
    ]);
    expect(new Set(rows.map(({ reason }) => reason))).toEqual(new Set(['order_placed', 'written_off']));
  });

  test('whose money is to stay', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const body = done(await cancel(bought, { ...OTHER, refund: false }));
    expect(body).toMatchObject({ status: 'canceled', payment_status: 'captured', refunds: [] });
    expect(await moneyMoves(stack, bought.id)).toEqual([]);
  });

  test('is done with its audit row or not at all', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const tables = ['orders', 'order_items', 'reservations', 'stock_levels', 'payment_transactions', 'refunds'];
    const before = await stateOf(stack, ...tables);
    await withoutAuditLog(stack, async () => expect((await cancel(bought)).status).toBe(500));
    expect(await stateOf(stack, ...tables)).toEqual(before);
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: 0 });
  });
});

describe('some units', () => {
  test('are on offer again and their share goes back; the rest goes on', async () => {
    const bought = await buy(stack, [
      { quantity: 3, price: 333 },
      { quantity: 1, price: 500 },
    ]);
    const [first] = bought.itemIds;
    const line = bought.order.items.find(({ id }: Json) => id === first);
    const share = Math.floor(line.total / 3);
    const body = done(await cancel(bought, { ...OTHER, items: [{ item_id: first, quantity: 1 }] }));
    expect(body).toMatchObject({ status: 'confirmed', payment_status: 'partially_refunded', canceled_at: null });
    expect(body.refunds).toMatchObject([{ amount: share, items: [{ item_id: first, quantity: 1, amount: share }] }]);
    expect(await stockOf(stack, bought.skuIds[0] ?? '')).toEqual({ on_hand: STOCK - 2, reserved: 0 });
    expect(await eventsOf(stack, bought.id)).toContain('order.units_canceled');

    const sent = done(await staff.post(`/orders/${bought.id}/fulfillments`, { method: 'shipment', status: 'shipped' }));
    expect(sent.items.map(({ quantity }: Json) => quantity)).toEqual([2, 1]);
    expect((await staff.get(`/orders/${bought.id}`)).body.fulfillment_status).toBe('fulfilled');
  });

  test('one after the other end the order and give all of it back, shipping too', async () => {
    const bought = await buy(stack, [{ quantity: 2, price: 999 }]);
    const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
    expect(done(await cancel(bought, { ...OTHER, items })).status).toBe('confirmed');
    expect(done(await cancel(bought, { ...OTHER, items }))).toMatchObject({
      status: 'canceled',
      payment_status: 'refunded',
    });
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: bought.order.total });
  });

  test('whose money was not taken yet: what is captured later is without them', async () => {
    const payments = as(stack, (await createStaff(stack, ['payments:read', 'payments:write'])).token);
    for (const payment of [AUTHORIZED, BY_HAND]) {
      const bought = await buy(stack, [{ quantity: 2, price: 700 }], { payment });
      const [line] = bought.order.items;
      const share = Math.floor(line.total / 2);
      const items = [{ item_id: line.id, quantity: 1 }];
      expect(done(await cancel(bought, { ...OTHER, items })).refunds).toEqual([]);
      const path = `/payments/${bought.order.payments[0].id}`;
      expect((await payments.get(path)).body).toMatchObject({ waived_amount: share });
      expect(done(await payments.post(`${path}/capture`, {}))).toMatchObject({
        status: 'captured',
        captured_amount: bought.order.total - share,
      });
      expect((await staff.get(`/orders/${bought.id}`)).body.payment_status).toBe('captured');
    }
  });

  test('beyond what is left are refused, naming each line', async () => {
    const bought = await buy(stack, [{ quantity: 2 }, { quantity: 1 }]);
    const items = bought.itemIds.map((item_id) => ({ item_id, quantity: 3 }));
    const refused = await cancel(bought, { ...OTHER, items });
    expect(refusal(refused)).toEqual([422, 'validation_failed', 'items[0].quantity']);
    expect(refused.body.errors).toMatchObject([
      { param: 'items[0].quantity', requested: 3, left: 2 },
      { param: 'items[1].quantity', requested: 3, left: 1 },
    ]);
    const stranger = [{ item_id: randomUUID(), quantity: 1 }];
    expect(refusal(await cancel(bought, { ...OTHER, items: stranger }))).toEqual([
      404,
      'not_found',
      'items[0].item_id',
    ]);
  });
});

describe('an order that cannot be canceled says what it can become', () => {
  test('one whose payment is not settled', async () => {
    const { id: sku_id } = await createSku(stack, { stock: 5 });
    const cart = await readyCart(stack, [{ sku_id, quantity: 1 }]);
    const { body: order } = await placeOrder(stack, cart.id, { provider: 'test', token: 'tok_requires_action' });
    const refused = await staff.post(`/orders/${order.id}/cancel`, OTHER);
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'illegal_transition', from: 'pending', legal: ['confirmed', 'failed'] },
    });
  });

  test('one that was canceled', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    done(await cancel(bought));
    expect(await cancel(bought)).toMatchObject({ status: 409, body: { from: 'canceled', legal: [] } });
  });

  test('one of which units have left', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
    done(await staff.post(`/orders/${bought.id}/fulfillments`, { method: 'shipment', status: 'shipped', items }));
    expect(await cancel(bought)).toMatchObject({ status: 409, body: { from: 'confirmed', legal: ['completed'] } });
    expect(done(await cancel(bought, { ...OTHER, items }))).toMatchObject({ fulfillment_status: 'fulfilled' });
  });

  test('one that is not there, and one for somebody without the permission', async () => {
    expect(refusal(await staff.post(`/orders/${randomUUID()}/cancel`, OTHER))).toEqual([404, 'not_found', 'id']);
    const reader = as(stack, (await createStaff(stack, ['orders:read'])).token);
    const { id } = await buy(stack, [{ quantity: 1 }]);
    expect((await reader.post(`/orders/${id}/cancel`, OTHER)).status).toBe(403);
  });
});

describe('under one key', () => {
  test('staff cancel once, however often they ask and whatever the order allows by then', async () => {
    const bought = await buy(stack, [{ quantity: 3 }]);
    const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
    const key = randomUUID();
    const first = await cancel(bought, { ...OTHER, items }, { key });
    await awaitStored(stack, key);
    done(await cancel(bought));
    const again = await cancel(bought, { ...OTHER, items }, { key });
    expect([again.status, again.text]).toEqual([200, first.text]);
    expect((await cancel(bought, OTHER, { key })).status).toBe(422);
    const { rows } = await stack.owner.query('select canceled_quantity from order_items where order_id = $1', [
      bought.id,
    ]);
    expect(rows).toEqual([{ canceled_quantity: 3 }]);
  });

  test('it is told who asks for the money right now, and all replies after it are the same', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const key = randomUUID();
    let letGo = () => {};
    const closed = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const { fired } = stack.payments.inject(isRefund, { hold_request: closed });
    const asking = cancel(bought, OTHER, { key });
    await fired;
    const twin = await cancel(bought, OTHER, { key });
    expect([twin.status, twin.body.code, twin.headers.get('retry-after')]).toEqual([409, 'idempotency_in_flight', '2']);
    letGo();
    const first = await asking;
    expect(first.body).toMatchObject({ status: 'canceled', refunds: [{ status: 'succeeded' }] });
    for (let retry = 0; retry < 2; retry += 1) {
      const again = await cancel(bought, OTHER, { key });
      expect([again.status, again.text]).toEqual([200, first.text]);
    }
  });

  test('money whose fate is not known follows for certain: the order is canceled, the tick asks again', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    stack.payments.inject(isRefund, 'drop_reply');
    const body = done(await cancel(bought));
    expect(body).toMatchObject({ status: 'canceled', refunds: [{ status: 'pending' }] });
    await stack.owner.query(`update payment_request_leases set lease_until = now(), next_at = now() - interval '1 s'`);
    await stack.worker.scheduled({ cron: '* * * * *' });
    expect((await staff.get(`/orders/${bought.id}`)).body).toMatchObject({
      payment_status: 'refunded',
      refunds: [{ status: 'succeeded', amount: bought.order.total }],
    });
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: bought.order.total });
  });
});
