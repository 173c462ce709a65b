import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createClerk, createLocation, type Clerk } from '../inventory/fixture.ts';
import { createSku, type Json } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { buySkus, done, expectStockAgrees, type Bought } from './fixture.ts';

const PERMISSIONS = [
  'orders:read',
  'orders:write',
  'refunds:write',
  'fulfillments:write',
  'inventory:read',
  'inventory:write',
];

let stack: Stack;
let staff: Clerk;
let locationIds: string[];
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  staff = await createClerk(stack, PERMISSIONS);
  locationIds = [(await createLocation(staff)).id, (await createLocation(staff)).id];
  locationIds.sort((a, b) => (a < b ? -1 : 1));
});
afterEach(() => expectStockAgrees(stack));
afterAll(() => stack.close());

interface Level {
  on_hand: number;
  backorder_limit?: number;
}

interface Shop {
  skuId: string;
  /** Of the first level and of the second. */
  first: string;
  second: string;
}

/** A SKU with stock at two locations; `isSwapped` gives the first level the location whose id is the greater one. */
async function stockedAt(isSwapped: boolean, ...levels: [Level, Level]): Promise<Shop> {
  const { id: skuId } = await createSku(stack, { stock: 0 });
  const [low = '', high = ''] = locationIds;
  const [first, second] = isSwapped ? [high, low] : [low, high];
  for (const [index, { on_hand, backorder_limit = 0 }] of levels.entries()) {
    const location_id = [first, second][index];
    done(await staff.post('/inventory/adjustments', { sku_id: skuId, location_id, set: on_hand, reason: 'count' }));
    done(await staff.patch(`/inventory/${skuId}/${location_id}`, { backorder_limit }));
  }
  return { skuId, first, second };
}

const buyFive = async ({ skuId }: Shop, quantity = 5) => await buySkus(stack, [{ sku_id: skuId, quantity }]);

const send = ({ id, itemIds }: Bought, quantity: number, more: Json = {}) =>
  staff.post(`/orders/${id}/fulfillments`, {
    method: 'shipment',
    status: 'shipped',
    items: [{ item_id: itemIds[0], quantity }],
    ...more,
  });
const ship = ({ id }: Bought, { id: prepared }: Json) =>
  staff.patch(`/orders/${id}/fulfillments/${prepared}`, { status: 'shipped' });
const cancel = ({ id, itemIds }: Bought, quantity: number, more: Json = {}) =>
  staff.post(`/orders/${id}/cancel`, {
    reason: 'other',
    items: [{ item_id: itemIds[0], quantity }],
    ...more,
  });
const receive = ({ skuId, first }: Shop, delta: number) =>
  staff.post('/inventory/adjustments', { sku_id: skuId, location_id: first, delta, reason: 'received' });

/** On hand and reserved, at the first location and at the second. */
async function levelsOf({ skuId, first, second }: Shop): Promise<[on_hand: number, reserved: number][]> {
  const { rows } = await stack.owner.query(
    `select on_hand, reserved from stock_levels where sku_id = $1 and location_id = any($2)
     order by array_position($2::uuid[], location_id)`,
    [skuId, [first, second]],
  );
  return rows.map(({ on_hand, reserved }) => [on_hand, reserved]);
}

/** Units that wait for whoever comes for them. */
async function asideOf({ id }: Bought, { first, second }: Shop): Promise<{ first: number; second: number }> {
  const { rows } = await stack.owner.query('select location_id, set_aside from reservations where order_id = $1', [id]);
  const at = (locationId: string): number => rows.find((row) => row.location_id === locationId)?.set_aside ?? 0;
  return { first: at(first), second: at(second) };
}

const codeOf = ({ status, body }: { status: number; body: Json }) => [status, body.code];

describe.each([
  ['is the lesser one', false],
  ['is the greater one', true],
])('an order at two locations, when the id of the first %s', (_which, isSwapped) => {
  /** Three are promised at the first, where one is; two at the second, where two are. */
  const scarce = () => stockedAt(isSwapped, { on_hand: 1, backorder_limit: 5 }, { on_hand: 2 });
  /** Three are at the first, two at the second. */
  const plenty = () => stockedAt(isSwapped, { on_hand: 3 }, { on_hand: 2 });
  /** Three are at the first, two have yet to come to the second. */
  const scarceSecond = () => stockedAt(isSwapped, { on_hand: 3 }, { on_hand: 0, backorder_limit: 9 });

  test('is sent from where its units are; what has yet to come waits', async () => {
    const shop = await scarce();
    const bought = await buyFive(shop);
    expect(await levelsOf(shop)).toEqual([
      [1, 3],
      [2, 2],
    ]);
    done(await send(bought, 3));
    expect(await levelsOf(shop)).toEqual([
      [0, 2],
      [0, 0],
    ]);
    expect(codeOf(await send(bought, 2))).toEqual([409, 'insufficient_stock']);
    done(await receive(shop, 2));
    done(await send(bought, 2));
    expect(await levelsOf(shop)).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('gives up first what has yet to come', async () => {
    const shop = await scarce();
    const bought = await buyFive(shop);
    done(await cancel(bought, 2));
    expect(await levelsOf(shop)).toEqual([
      [1, 1],
      [2, 2],
    ]);
    done(await send(bought, 3));
  });

  test('writes off what is on the shelf', async () => {
    const shop = await scarce();
    const bought = await buyFive(shop);
    done(await cancel(bought, 3, { restock: false }));
    expect(await levelsOf(shop)).toEqual([
      [0, 2],
      [0, 0],
    ]);
    expect(codeOf(await cancel(bought, 1, { restock: false }))).toEqual([409, 'insufficient_stock']);
  });

  test.each(['first', 'second'] as const)('keeps what is packed at the %s while the rest is canceled', async (at) => {
    const shop = await plenty();
    const bought = await buyFive(shop);
    const [packed, rest] = at === 'first' ? [3, 2] : [2, 3];
    const prepared = done(await send(bought, packed, { status: 'pending', location_id: shop[at] }));
    done(await cancel(bought, rest));
    done(await ship(bought, prepared));
    const left = at === 'first' ? [0, 2] : [3, 0];
    expect(await levelsOf(shop)).toEqual(left.map((onHand) => [onHand, 0]));
  });

  test('keeps what is to be packed at a location, though it has yet to come', async () => {
    const shop = await scarce();
    const bought = await buyFive(shop);
    const prepared = done(await send(bought, 3, { status: 'pending', location_id: shop.first }));
    done(await cancel(bought, 2));
    expect(await levelsOf(shop)).toEqual([
      [1, 3],
      [2, 0],
    ]);
    done(await receive(shop, 2));
    done(await ship(bought, prepared));
  });

  test('can still send what was prepared anywhere when units are canceled', async () => {
    const shop = await scarce();
    const bought = await buyFive(shop);
    const prepared = done(await send(bought, 3, { status: 'pending' }));
    done(await cancel(bought, 2));
    done(await ship(bought, prepared));
    expect(await levelsOf(shop)).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('is not packed where it holds too little, beside what is packed there', async () => {
    const shop = await plenty();
    const bought = await buyFive(shop);
    const pack = (quantity: number, location_id: string) => send(bought, quantity, { status: 'pending', location_id });
    const refused = { status: 409, body: { code: 'insufficient_stock', param: 'location_id' } };
    expect(await pack(4, shop.first)).toMatchObject(refused);
    done(await pack(2, shop.first));
    expect(await pack(2, shop.first)).toMatchObject(refused);
    expect(await pack(3, shop.second)).toMatchObject(refused);
    const [one, other] = [done(await pack(1, shop.first)), done(await pack(2, shop.second))];
    done(await ship(bought, other));
    done(await ship(bought, one));
    expect(await levelsOf(shop)).toEqual([
      [2, 2],
      [0, 0],
    ]);
  });

  test('packs beside a pickup that is ready anywhere, and what is canceled is of neither', async () => {
    const shop = await plenty();
    const bought = await buyFive(shop);
    const pickup = done(await send(bought, 1, { method: 'pickup', status: 'ready_for_pickup' }));
    const aside = await asideOf(bought, shop);
    const [at, free, rest] = aside.first === 1 ? (['first', 2, 2] as const) : (['second', 1, 3] as const);
    const pack = (quantity: number) => send(bought, quantity, { status: 'pending', location_id: shop[at] });
    expect(codeOf(await pack(free + 1))).toEqual([409, 'insufficient_stock']);
    const parcel = done(await pack(free));
    expect(codeOf(await pack(1))).toEqual([409, 'insufficient_stock']);
    done(await cancel(bought, rest));
    done(await ship(bought, parcel));
    done(await staff.patch(`/orders/${bought.id}/fulfillments/${pickup.id}`, { status: 'delivered' }));
    expect((await levelsOf(shop)).map(([, reserved]) => reserved)).toEqual([0, 0]);
  });

  test.each([
    ['a shipment', { status: 'shipped' }],
    ['a pickup', { method: 'pickup', status: 'ready_for_pickup' }],
  ])('gives %s no unit that is packed there', async (_which, more) => {
    const shop = await plenty();
    const bought = await buyFive(shop);
    const parcel = done(await send(bought, 3, { status: 'pending', location_id: shop.first }));
    expect(codeOf(await send(bought, 2, { ...more, location_id: shop.first }))).toEqual([409, 'insufficient_stock']);
    done(await ship(bought, parcel));
    done(await send(bought, 2, { ...more, location_id: shop.second }));
  });

  test('neither sends nor writes off what is packed for what has yet to come', async () => {
    const shop = await scarceSecond();
    const bought = await buyFive(shop);
    const parcel = done(await send(bought, 3, { status: 'pending', location_id: shop.first }));
    expect(codeOf(await send(bought, 2))).toEqual([409, 'insufficient_stock']);
    expect(codeOf(await cancel(bought, 2, { restock: false }))).toEqual([409, 'insufficient_stock']);
    done(await ship(bought, parcel));
    expect(await levelsOf(shop)).toEqual([
      [0, 0],
      [0, 2],
    ]);
  });

  test('writes off a whole order with its parcels', async () => {
    const shop = await plenty();
    const bought = await buyFive(shop);
    done(await send(bought, 3, { status: 'pending', location_id: shop.first }));
    done(await send(bought, 1, { method: 'pickup', status: 'ready_for_pickup', location_id: shop.second }));
    done(await staff.post(`/orders/${bought.id}/cancel`, { reason: 'other', restock: false }));
    expect(await levelsOf(shop)).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('sends the rest around what is packed', async () => {
    const shop = await plenty();
    const bought = await buyFive(shop);
    const prepared = done(await send(bought, 3, { status: 'pending', location_id: shop.first }));
    done(await send(bought, 2));
    expect(await levelsOf(shop)).toEqual([
      [3, 3],
      [0, 0],
    ]);
    done(await ship(bought, prepared));
  });
});

test('two orders that are sent at once find each other’s units gone and take those of the other location', async () => {
  const shop = await stockedAt(false, { on_hand: 2, backorder_limit: 2 }, { on_hand: 2, backorder_limit: 2 });
  const [one, two] = [await buyFive(shop, 4), await buyFive(shop, 4)];
  const replies = await Promise.all([send(one, 2), send(two, 2)]);
  expect(replies.map(({ status }) => status)).toEqual([201, 201]);
  expect(await levelsOf(shop)).toEqual([
    [0, 2],
    [0, 2],
  ]);
});
