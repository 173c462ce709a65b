import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { as, refusal, type Asker } from '../admin/fixture.ts';
import { createSku, type Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { buy, buySkus, BY_HAND, done, eventsOf, expectStockAgrees, STOCK, type Bought } from './fixture.ts';

let stack: Stack;
let staff: Asker;
beforeAll(async () => {
  stack = await startStack();
  staff = as(stack, (await createStaff(stack, ['orders:read', 'orders:write', 'fulfillments:write'])).token);
});
afterEach(() => expectStockAgrees(stack));
afterAll(() => stack.close());

const fulfill = ({ id }: Bought, body: Json) =>
  staff.post(`/orders/${id}/fulfillments`, { method: 'shipment', ...body });
const move = ({ id }: Bought, { id: fulfillment }: Json, status: string) =>
  staff.patch(`/orders/${id}/fulfillments/${fulfillment}`, { status });
const orderOf = async ({ id }: Bought): Promise<Json> => (await staff.get(`/orders/${id}`)).body;
const line = ({ itemIds }: Bought, quantity: number) => ({ item_id: itemIds[0], quantity });

/** On hand and promised, promises to confirmed orders included. */
async function levelOf(skuId: string | undefined): Promise<[on_hand: number, reserved: number]> {
  const { rows } = await stack.owner.query('select on_hand, reserved from stock_levels where sku_id = $1', [skuId]);
  return [rows[0].on_hand, rows[0].reserved];
}

/** One unit is there, and more may be promised. */
async function scarceSku(): Promise<string> {
  const { id } = await createSku(stack, { stock: 1 });
  await stack.owner.query('update stock_levels set backorder_limit = 5 where sku_id = $1', [id]);
  return id;
}
const writeOff = async ({ id }: Bought, body: Json = {}) => {
  const keeper = as(stack, (await createStaff(stack, ['orders:write', 'inventory:write'])).token);
  return await keeper.post(`/orders/${id}/cancel`, { reason: 'other', restock: false, ...body });
};
const orderOne = (skuId: string) => buySkus(stack, [{ sku_id: skuId, quantity: 1 }], { payment: BY_HAND });
const READY = { method: 'pickup', status: 'ready_for_pickup' };
const NOT_THERE = [409, 'insufficient_stock', undefined];

describe('units to be picked up', () => {
  test('leave the shelf once somebody has collected them', async () => {
    const bought = await buy(stack, [{ quantity: 1 }], { payment: BY_HAND });
    const TOLD = ['order.ready_for_pickup', 'order.fulfilled', 'order.delivered'];
    const pickup = done(await fulfill(bought, { method: 'pickup' }));
    expect(await move(bought, pickup, 'shipped')).toMatchObject({
      status: 409,
      body: { code: 'illegal_transition', from: 'pending', legal: ['ready_for_pickup', 'canceled'] },
    });
    expect(done(await move(bought, pickup, 'ready_for_pickup')).shipped_at).toBeNull();
    expect(await levelOf(bought.skuIds[0])).toEqual([STOCK, 1]);
    expect((await orderOf(bought)).fulfillment_status).toBe('unfulfilled');
    const collected = { status: 'delivered', shipped_at: expect.any(String), delivered_at: expect.any(String) };
    expect(done(await move(bought, pickup, 'delivered'))).toMatchObject(collected);
    expect(await levelOf(bought.skuIds[0])).toEqual([STOCK - 1, 0]);
    expect((await orderOf(bought)).status).toBe('completed');
    expect((await eventsOf(stack, bought.id)).slice(-3)).toEqual(TOLD);
  });

  test('that nobody comes for are taken back, or end with their order', async () => {
    const bought = await buy(stack, [{ quantity: 3 }], { payment: BY_HAND });
    const ready = { method: 'pickup', status: 'ready_for_pickup', items: [line(bought, 1)] };
    const [first, second] = [done(await fulfill(bought, ready)), done(await fulfill(bought, ready))];
    done(await move(bought, first, 'canceled'));
    expect(await move(bought, first, 'delivered')).toMatchObject({ status: 409, body: { from: 'canceled' } });
    expect(refusal(await fulfill(bought, { items: [line(bought, 3)] }))[0]).toBe(422);
    const canceled = done(await staff.post(`/orders/${bought.id}/cancel`, { reason: 'other' }));
    expect(canceled).toMatchObject({ status: 'canceled', payment_status: 'voided' });
    expect(canceled.fulfillments.map(({ id, status }: Json) => [id, status])).toEqual([
      [first.id, 'canceled'],
      [second.id, 'canceled'],
    ]);
    expect(await levelOf(bought.skuIds[0])).toEqual([STOCK, 0]);
  });

  test('are ready when they are there: not those on backorder', async () => {
    const sku = await createSku(stack, { stock: 1 });
    await stack.owner.query('update stock_levels set backorder_limit = 5 where sku_id = $1', [sku.id]);
    const bought = await buySkus(stack, [{ sku_id: sku.id, quantity: 2 }], { payment: BY_HAND });
    const ready = { method: 'pickup', status: 'ready_for_pickup' };
    expect(refusal(await fulfill(bought, ready))).toEqual([409, 'insufficient_stock', undefined]);
    const prepared = done(await fulfill(bought, { method: 'pickup' }));
    expect(refusal(await move(bought, prepared, 'ready_for_pickup'))).toEqual([409, 'insufficient_stock', undefined]);
    done(await move(bought, prepared, 'canceled'));
    expect(done(await fulfill(bought, { ...ready, items: [line(bought, 1)] })).status).toBe('ready_for_pickup');
  });

  test('that had left when they were made ready, as an older version did, are collected all the same', async () => {
    const bought = await buy(stack, [{ quantity: 2 }], { payment: BY_HAND });
    const old = done(await fulfill(bought, { status: 'shipped' }));
    await stack.owner.query(`update fulfillments set method = 'pickup', status = 'ready_for_pickup' where id = $1`, [
      old.id,
    ]);
    expect(await move(bought, old, 'canceled')).toMatchObject({ status: 409, body: { legal: ['delivered'] } });
    expect(done(await move(bought, old, 'delivered')).status).toBe('delivered');
    expect((await orderOf(bought)).status).toBe('completed');
    expect(await levelOf(bought.skuIds[0])).toEqual([STOCK - 2, 0]);
  });
});

describe('a unit that is told to be ready while others wait for theirs', () => {
  test('is sent to none of them, nor told to be ready twice', async () => {
    const skuId = await scarceSku();
    const [first, second] = [await orderOne(skuId), await orderOne(skuId)];
    const pickup = done(await fulfill(first, READY));
    expect(refusal(await fulfill(second, { status: 'shipped' }))).toEqual(NOT_THERE);
    expect(refusal(await fulfill(second, READY))).toEqual(NOT_THERE);
    done(await move(first, pickup, 'delivered'));
    expect(await levelOf(skuId)).toEqual([0, 1]);
    await stack.owner.query('update stock_levels set on_hand = 1 where sku_id = $1', [skuId]);
    done(await fulfill(second, { status: 'shipped' }));
    expect(await levelOf(skuId)).toEqual([0, 0]);
  });

  test('is not another parcel of the same order either', async () => {
    const skuId = await scarceSku();
    const bought = await buySkus(stack, [{ sku_id: skuId, quantity: 3 }], { payment: BY_HAND });
    const one = { items: [line(bought, 1)] };
    const pickup = done(await fulfill(bought, { ...READY, ...one }));
    expect(refusal(await fulfill(bought, { ...READY, ...one }))).toEqual(NOT_THERE);
    expect(refusal(await fulfill(bought, { status: 'shipped', ...one }))).toEqual(NOT_THERE);
    done(await staff.post(`/orders/${bought.id}/cancel`, { reason: 'other', ...one }));
    expect(refusal(await writeOff(bought, one))).toEqual(NOT_THERE);
    done(await move(bought, pickup, 'delivered'));
    expect(await levelOf(skuId)).toEqual([0, 1]);
  });

  test.each([
    ['the pickup is taken back', (bought: Bought, pickup: Json) => move(bought, pickup, 'canceled')],
    ['its order is canceled', ({ id }: Bought) => staff.post(`/orders/${id}/cancel`, { reason: 'other' })],
  ])('goes to whoever is next once %s', async (_, end) => {
    const skuId = await scarceSku();
    const [first, second] = [await orderOne(skuId), await orderOne(skuId)];
    const pickup = done(await fulfill(first, READY));
    done(await end(first, pickup));
    done(await fulfill(second, { status: 'shipped' }));
    expect((await levelOf(skuId))[0]).toBe(0);
  });

  test('is written off with its order', async () => {
    const skuId = await scarceSku();
    const [first, second] = [await orderOne(skuId), await orderOne(skuId)];
    done(await fulfill(first, READY));
    done(await writeOff(first));
    expect(await levelOf(skuId)).toEqual([0, 1]);
    expect(refusal(await fulfill(second, READY))).toEqual(NOT_THERE);
  });

  test('is one of them, of many that are told at once', async () => {
    const skuId = await scarceSku();
    const orders = await Promise.all([1, 2, 3, 4].map(() => orderOne(skuId)));
    const told = await Promise.all(orders.map((each) => fulfill(each, READY)));
    expect(told.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409, 409]);
  });
});

describe('of an order that is held at two places', () => {
  /** A unit at each; the places are told in the order in which stock is taken from them. */
  async function heldAtTwo(): Promise<{ bought: Bought; places: string[] }> {
    const bought = await buy(stack, [{ quantity: 2, stock: 2 }], { payment: BY_HAND });
    await stack.owner.query(
      `with place as (insert into stock_locations (id, code, name) values (gen_random_uuid(), $1, 'Another') returning id),
         first as (update reservations set quantity = 1 where order_id = $2),
         level as (update stock_levels set on_hand = 1, reserved = 1 where sku_id = $3),
         other as (insert into stock_levels (sku_id, location_id, on_hand, reserved) select $3, id, 1, 1 from place)
       insert into reservations (order_id, sku_id, location_id, quantity, committed_at) select $2, $3, id, 1, now() from place`,
      [bought.id.slice(-12), bought.id, bought.skuIds[0]],
    );
    const { rows } = await stack.owner.query(
      'select location_id from reservations where order_id = $1 order by location_id',
      [bought.id],
    );
    return { bought, places: rows.map(({ location_id }) => location_id) };
  }
  const one = (bought: Bought) => ({ method: 'pickup', items: [line(bought, 1)] });

  test.each([0, 1])('a pickup at place %i keeps its unit when one anywhere is collected', async (place) => {
    const { bought, places } = await heldAtTwo();
    const here = done(await fulfill(bought, { ...one(bought), ...READY, location_id: places[place] }));
    done(await move(bought, done(await fulfill(bought, { ...one(bought), ...READY })), 'delivered'));
    await expectStockAgrees(stack);
    expect(done(await move(bought, here, 'delivered')).status).toBe('delivered');
    expect((await orderOf(bought)).status).toBe('completed');
  });

  test.each([0, 1])('a pickup at place %i keeps its unit when one anywhere is taken back', async (place) => {
    const { bought, places } = await heldAtTwo();
    const here = done(await fulfill(bought, { ...one(bought), ...READY, location_id: places[place] }));
    done(await move(bought, done(await fulfill(bought, { ...one(bought), ...READY })), 'canceled'));
    await expectStockAgrees(stack);
    done(await fulfill(bought, { status: 'shipped', items: [line(bought, 1)] }));
    expect(done(await move(bought, here, 'delivered')).status).toBe('delivered');
  });

  test.each([0, 1])('one anywhere leaves place %i to the pickup that is prepared there', async (place) => {
    const { bought, places } = await heldAtTwo();
    const here = done(await fulfill(bought, { ...one(bought), location_id: places[place] }));
    done(await fulfill(bought, { ...one(bought), ...READY }));
    expect(done(await move(bought, here, 'ready_for_pickup')).status).toBe('ready_for_pickup');
  });
});
