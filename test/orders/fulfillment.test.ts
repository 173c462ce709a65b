import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { as, auditOf, refusal, type Asker } from '../admin/fixture.ts';
import { call, createSku, type Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { buy, buySkus, done, eventsOf, expectStockAgrees, STOCK, type Bought } from './fixture.ts';

let stack: Stack;
let staff: Asker;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  staff = as(stack, (await createStaff(stack, ['orders:read', 'orders:write', 'fulfillments:write'])).token);
});
afterEach(() => expectStockAgrees(stack));
afterAll(() => stack.close());

const BOX = { carrier: 'Parcel Co', tracking_number: 'PC-1', tracking_url: 'https://track.example.test/PC-1' };

const fulfill = ({ id }: Bought, body: Json, options = {}) =>
  staff.post(`/orders/${id}/fulfillments`, { method: 'shipment', ...body }, options);
const move = ({ id }: Bought, { id: fulfillment }: Json, status: string, options = {}) =>
  staff.patch(`/orders/${id}/fulfillments/${fulfillment}`, { status }, options);
const orderOf = async ({ id }: Bought): Promise<Json> => (await staff.get(`/orders/${id}`)).body;
const line = ({ itemIds }: Bought, quantity: number, index = 0) => ({ item_id: itemIds[index], quantity });

/** On hand and promised, promises to confirmed orders included. */
async function levelOf(skuId: string | undefined): Promise<[on_hand: number, reserved: number]> {
  const { rows } = await stack.owner.query(
    'select sum(on_hand)::int as on_hand, sum(reserved)::int as reserved from stock_levels where sku_id = $1',
    [skuId],
  );
  return [rows[0].on_hand, rows[0].reserved];
}

describe('units leave', () => {
  test('with their parcel, not before: the order goes from unfulfilled to completed', async () => {
    const bought = await buy(stack, [{ quantity: 3 }]);
    const [skuId] = bought.skuIds;
    const prepared = done(await fulfill(bought, { parcels: [BOX] }));
    expect(prepared).toMatchObject({
      status: 'pending',
      version: 1,
      order_id: bought.id,
      items: [line(bought, 3)],
      parcels: [BOX],
      shipped_at: null,
    });
    expect(await levelOf(skuId)).toEqual([STOCK, 3]);
    expect(await orderOf(bought)).toMatchObject({ status: 'confirmed', fulfillment_status: 'unfulfilled' });

    const shipped = done(await move(bought, prepared, 'shipped'));
    expect(shipped).toMatchObject({
      status: 'shipped',
      version: 2,
      shipped_at: expect.any(String),
      delivered_at: null,
    });
    expect(await levelOf(skuId)).toEqual([STOCK - 3, 0]);
    expect(await orderOf(bought)).toMatchObject({
      status: 'confirmed',
      fulfillment_status: 'fulfilled',
      items: [{ fulfilled_quantity: 3 }],
    });

    done(await move(bought, prepared, 'delivered'));
    expect(await orderOf(bought)).toMatchObject({ status: 'completed', fulfillment_status: 'delivered' });
    expect(await eventsOf(stack, bought.id)).toEqual(['order.placed', 'order.fulfilled', 'order.delivered']);
    expect((await auditOf(stack, bought.id)).map(({ action }) => action)).toEqual([
      'fulfillments.create',
      'fulfillments.update',
      'fulfillments.update',
    ]);
    const { rows } = await stack.owner.query('select reason from stock_movements where reference = $1', [prepared.id]);
    expect(rows).toEqual([{ reason: 'fulfilled' }]);
  });

  test('in parts, each in parcels of its own', async () => {
    const bought = await buy(stack, [{ quantity: 3 }, { quantity: 2 }]);
    const first = done(await fulfill(bought, { status: 'shipped', items: [line(bought, 2), line(bought, 2, 1)] }));
    expect(await orderOf(bought)).toMatchObject({ fulfillment_status: 'partially_fulfilled' });
    done(await move(bought, first, 'delivered'));
    expect(await orderOf(bought)).toMatchObject({ status: 'confirmed', fulfillment_status: 'partially_fulfilled' });
    const rest = done(await fulfill(bought, { status: 'shipped', parcels: [BOX, {}] }));
    expect(rest.items).toEqual([line(bought, 1)]);
    expect(rest.parcels).toHaveLength(2);
    expect(await orderOf(bought)).toMatchObject({ status: 'confirmed', fulfillment_status: 'fulfilled' });
    done(await move(bought, rest, 'delivered'));
    expect((await orderOf(bought)).status).toBe('completed');
  });

  test('at once where there is nothing to carry', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    expect(done(await fulfill(bought, { method: 'digital' }))).toMatchObject({
      status: 'delivered',
      shipped_at: expect.any(String),
      delivered_at: expect.any(String),
    });
    expect((await orderOf(bought)).status).toBe('completed');
    expect(await levelOf(bought.skuIds[0])).toEqual([STOCK - 2, 0]);
  });

  test('of a kit as its components', async () => {
    const [kit, part] = [await createSku(stack, { stock: 0 }), await createSku(stack, { stock: 20 })];
    await stack.owner.query('insert into kits (sku_id) values ($1)', [kit.id]);
    await stack.owner.query('insert into kit_components (kit_sku_id, component_sku_id, quantity) values ($1, $2, 2)', [
      kit.id,
      part.id,
    ]);
    const bought = await buySkus(stack, [
      { sku_id: kit.id, quantity: 3 },
      { sku_id: part.id, quantity: 1 },
    ]);
    done(await fulfill(bought, { status: 'shipped', items: [line(bought, 2)] }));
    expect(await levelOf(part.id)).toEqual([16, 3]);
    done(await fulfill(bought, { status: 'shipped' }));
    expect(await levelOf(part.id)).toEqual([13, 0]);
  });

  test('from where they are: another location has none of them, and what has not arrived cannot leave', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    const { rows } = await stack.owner.query(
      `insert into stock_locations (id, code, name, priority) values ($1, $2, 'Empty', 90) returning id`,
      [randomUUID(), `empty-${bought.id.slice(-8)}`],
    );
    const elsewhere = await fulfill(bought, { status: 'shipped', location_id: rows[0].id });
    expect([elsewhere.status, elsewhere.body.code]).toEqual([409, 'insufficient_stock']);
    expect(refusal(await fulfill(bought, { location_id: randomUUID() }))).toEqual([404, 'not_found', 'location_id']);

    const sku = await createSku(stack, { stock: 1 });
    await stack.owner.query('update stock_levels set backorder_limit = 5 where sku_id = $1', [sku.id]);
    const early = await buySkus(stack, [{ sku_id: sku.id, quantity: 2 }]);
    const refused = await fulfill(early, { status: 'shipped' });
    expect([refused.status, refused.body.code]).toEqual([409, 'insufficient_stock']);
    done(await fulfill(early, { status: 'shipped', items: [line(early, 1)] }));
    expect((await orderOf(early)).fulfillment_status).toBe('partially_fulfilled');
  });
});

describe('a fulfillment', () => {
  test('that is taken back before it left frees its units', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    const prepared = done(await fulfill(bought, {}));
    expect(await fulfill(bought, {})).toMatchObject({ status: 409, body: { from: 'unfulfilled', legal: [] } });
    expect(done(await move(bought, prepared, 'canceled'))).toMatchObject({ canceled_at: expect.any(String) });
    expect(await move(bought, prepared, 'shipped')).toMatchObject({
      status: 409,
      body: { from: 'canceled', legal: [] },
    });
    done(await fulfill(bought, { status: 'shipped' }));
    const shipments = await call(stack, 'GET', `/orders/${bought.id}/shipments`, undefined, {
      headers: bought.asGuest,
    });
    expect(shipments.body.data).toHaveLength(1);
    expect((await orderOf(bought)).shipments).toEqual(shipments.body.data);
  });

  test('cannot hold more than the order has left, and each line says so', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    done(await fulfill(bought, { items: [line(bought, 1)] }));
    const refused = await fulfill(bought, { items: [line(bought, 2)] });
    expect(refusal(refused)).toEqual([422, 'validation_failed', 'items[0].quantity']);
    expect(refused.body.errors).toMatchObject([{ requested: 2, left: 1 }]);
  });

  test.each([
    ['shipment', 'delivered'],
    ['shipment', 'ready_for_pickup'],
    ['pickup', 'shipped'],
    ['digital', 'shipped'],
    ['shipment', 'canceled'],
  ])('for %s does not begin as %s', async (method, status) => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    expect(refusal(await fulfill(bought, { method, status }))).toEqual([422, 'validation_failed', 'status']);
  });

  test('has legal moves only, and names them', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const it = done(await fulfill(bought, {}));
    const illegal = async (status: string, from: string, legal: string[]) =>
      expect(await move(bought, it, status)).toMatchObject({
        status: 409,
        body: { code: 'illegal_transition', from, legal },
      });
    await illegal('delivered', 'pending', ['shipped', 'canceled']);
    await illegal('pending', 'pending', ['shipped', 'canceled']);
    done(await move(bought, it, 'shipped'));
    await illegal('canceled', 'shipped', ['delivered']);
    done(await move(bought, it, 'delivered'));
    await illegal('shipped', 'delivered', []);
  });

  test('changes under If-Match only, and its parcels can be named later', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const made = await fulfill(bought, {});
    const path = `/orders/${bought.id}/fulfillments/${made.body.id}`;
    const ifMatch = made.headers.get('etag') ?? '';
    expect((await staff.patch(path, { status: 'shipped' }, { ifMatch: null })).status).toBe(428);
    const named = await staff.patch(path, { parcels: [BOX] }, { ifMatch });
    expect(done(named)).toMatchObject({ version: 2, status: 'pending', parcels: [BOX] });
    expect(refusal(await staff.patch(path, { status: 'shipped' }, { ifMatch }))).toEqual([
      412,
      'precondition_failed',
      'If-Match',
    ]);
    done(await staff.patch(path, { status: 'shipped' }, { ifMatch: named.headers.get('etag') ?? '' }));
    expect(done(await staff.patch(path, { parcels: [{ carrier: 'Other' }] })).parcels).toMatchObject([
      { carrier: 'Other', tracking_number: null, tracking_url: null },
    ]);
    expect(refusal(await staff.patch(path, {}))).toEqual([422, 'validation_failed', 'body']);
  });

  test('belongs to its order', async () => {
    const [one, other] = [await buy(stack, [{ quantity: 1 }]), await buy(stack, [{ quantity: 1 }])];
    const it = done(await fulfill(one, {}));
    expect(refusal(await move(other, it, 'shipped'))).toEqual([404, 'not_found', 'fulfillment_id']);
    expect((await staff.get(`/orders/${other.id}/fulfillments/${it.id}`)).status).toBe(404);
  });

  test('is made once under one key', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    const key = randomUUID();
    const body = { status: 'shipped', items: [line(bought, 1)] };
    const first = await fulfill(bought, body, { key });
    const again = await fulfill(bought, body, { key });
    expect([again.status, again.text]).toEqual([201, first.text]);
    expect((await orderOf(bought)).fulfillments).toHaveLength(1);
  });

  test('of an order that is not paid yet is not made', async () => {
    const sku = await createSku(stack, { stock: 5 });
    const payment = { provider: 'test', token: 'tok_requires_action' };
    const bought = await buySkus(stack, [{ sku_id: sku.id, quantity: 1 }], { payment });
    expect(await fulfill(bought, {})).toMatchObject({
      status: 409,
      body: { from: 'pending', legal: ['confirmed', 'failed'] },
    });
  });
});

describe('a buyer', () => {
  test('sees what was sent, without what is the business of the shop', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    done(await fulfill(bought, { status: 'shipped', items: [line(bought, 1)], parcels: [BOX] }));
    const [order, shipments] = await Promise.all(
      ['', '/shipments'].map((path) =>
        call(stack, 'GET', `/orders/${bought.id}${path}`, undefined, { headers: bought.asGuest }),
      ),
    );
    expect(order?.body).toMatchObject({ version: 3, items: [{ quantity: 2, fulfilled_quantity: 1 }] });
    expect(order?.body.shipments).toEqual(shipments?.body.data);
    expect(Object.keys(shipments?.body.data[0]).toSorted()).toEqual([
      'created_at',
      'delivered_at',
      'id',
      'items',
      'method',
      'parcels',
      'shipped_at',
      'status',
    ]);
    expect((await call(stack, 'GET', `/orders/${bought.id}/shipments`)).status).toBe(404);
  });
});

describe('at the same time', () => {
  test('no unit is sent twice', async () => {
    const bought = await buy(stack, [{ quantity: 3 }, { quantity: 1 }]);
    const replies = await Promise.all(
      Array.from({ length: 6 }, () => fulfill(bought, { status: 'shipped', items: [line(bought, 1)] })),
    );
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 201, 201, 422, 422, 422]);
    expect(await levelOf(bought.skuIds[0])).toEqual([STOCK - 3, 0]);
  });

  test('a parcel leaves once', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    const it = done(await fulfill(bought, {}));
    const replies = await Promise.all(Array.from({ length: 5 }, () => move(bought, it, 'shipped')));
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409, 409, 409, 409]);
    expect(await levelOf(bought.skuIds[0])).toEqual([STOCK - 2, 0]);
  });
});
