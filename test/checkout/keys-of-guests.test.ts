import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { gate, isBatch1, isCharge } from '../support/order-path.ts';
import {
  ADDRESS,
  call,
  createSku,
  expireLeases,
  ordersOf,
  pay,
  placeOrder,
  readyCart,
  type CallOptions,
  type Json,
} from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
let skuId: string;
let shippingOptionId: string;
beforeAll(async () => {
  stack = await startStack({ env: { TRUSTED_IP_HEADER: 'x-real-ip' } });
  stack.provider.setWebhookMode('hold');
  skuId = (await createSku(stack, { stock: 99 })).id;
  shippingOptionId = (await newCart()).shipping_option_id;
});
afterEach(() => {
  stack.neon.clear();
  stack.payments.clear();
});
afterAll(() => stack.close());

const newCart = (): Promise<Json> => readyCart(stack, [{ sku_id: skuId, quantity: 1 }]);

/** One buyer on the move. */
const WIFI: CallOptions = { headers: { 'x-real-ip': '198.51.100.7' } };
const LTE: CallOptions = { headers: { 'x-real-ip': '203.0.113.9' } };

function placeWhole(options: CallOptions, { email = 'ada@example.test', token = 'tok_ok' } = {}) {
  const items = [{ sku_id: skuId, quantity: 1 }];
  const cart = { market: 'us', items, email, shipping_address: ADDRESS, shipping_option_id: shippingOptionId };
  return call(stack, 'POST', '/orders', { cart, payment: pay(token) }, options);
}

const ordersMade = async () => (await stack.owner.query('select count(*)::int as n from orders')).rows[0].n;

describe('a guest who retries from another network', () => {
  test('gets the order that the cart in the request made', async () => {
    const key = randomUUID();
    const first = await placeWhole({ ...WIFI, key });
    expect(first.status, first.text).toBe(201);
    const [orders, charges] = [await ordersMade(), stack.provider.charges().length];
    const again = await placeWhole({ ...LTE, key });
    expect([again.status, again.body.id]).toEqual([201, first.body.id]);
    expect([await ordersMade(), stack.provider.charges().length]).toEqual([orders, charges]);
  });

  test('gets the refusal of the card again, and no other charge', async () => {
    const cart = await newCart();
    const first = await placeOrder(stack, cart.id, pay('tok_declined'), { ...WIFI, key: '1' });
    const again = await placeOrder(stack, cart.id, pay('tok_declined'), { ...LTE, key: '1' });
    expect([again.status, again.body.order_id]).toEqual([402, first.body.order_id]);
    expect(await ordersOf(stack, cart.id)).toHaveLength(1);
  });

  test('changes the cart once', async () => {
    const { id, items } = await newCart();
    for (const where of [WIFI, LTE]) {
      const added = await call(
        stack,
        'POST',
        `/carts/${id}/items`,
        { sku_id: skuId, quantity: 1 },
        { ...where, key: '1' },
      );
      expect(added.body.items[0].quantity).toBe(items[0].quantity + 1);
    }
  });
});

describe('two guests of two networks with the same key', () => {
  test('of 16 characters: the second is refused, and learns nothing of the first', async () => {
    const key = randomUUID();
    const first = await placeWhole({ ...WIFI, key });
    const other = await placeWhole({ ...LTE, key }, { email: 'bob@example.test' });
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
    for (const secret of [first.body.id, first.body.number, first.body.guest_token, 'ada@'])
      expect(other.text).not.toContain(secret);
  });

  test('that is shorter: each has an order, also of the same body', async () => {
    const replies = [await placeWhole({ ...WIFI, key: '1' }), await placeWhole({ ...LTE, key: '1' })];
    expect(replies.map(({ status }) => status)).toEqual([201, 201]);
    expect(new Set(replies.map(({ body }) => body.id)).size).toBe(2);
  });

  test('start a cart each, however long it is', async () => {
    const key = 'the-first-cart-of-today';
    const [one, other] = [
      await call(stack, 'POST', '/carts', {}, { ...WIFI, key }),
      await call(stack, 'POST', '/carts', {}, { ...LTE, key }),
    ];
    expect([one.status, other.status]).toEqual([201, 201]);
    expect(one.body.id).not.toBe(other.body.id);
  });
});

/** By the cart that only the caller was told of; nothing is charged twice. */
async function expectGoesOn({ cart_id }: Json): Promise<Json> {
  const charges = stack.provider.charges().length;
  const placed = await placeOrder(stack, cart_id, pay('tok_ok'));
  expect(placed.status, placed.text).toBe(201);
  expect(stack.provider.charges().length - charges).toBeLessThanOrEqual(1);
  expect(await ordersOf(stack, cart_id)).toMatchObject([{ id: placed.body.id, status: 'confirmed' }]);
  return placed.body;
}

const readOrder = ({ order_id, guest_token }: Json) =>
  call(stack, 'GET', `/orders/${order_id}`, undefined, { headers: { 'x-order-token': guest_token } });

describe('a guest without a key, who sent the cart with the order', () => {
  test('goes on with the order that is in doubt, and reads it', async () => {
    stack.payments.inject(isCharge, 'drop_reply');
    const charges = stack.provider.charges().length;
    const doubt = await placeWhole({});
    expect(doubt).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    expect((await readOrder(doubt.body)).body).toMatchObject({ id: doubt.body.order_id, status: 'pending' });
    expect((await expectGoesOn(doubt.body)).id).toBe(doubt.body.order_id);
    expect(stack.provider.charges()).toHaveLength(charges + 1);
  });

  test('goes on with the cart when the database was lost', async () => {
    stack.neon.inject(isBatch1, 'drop_request', 3);
    const doubt = await placeWhole({});
    expect(doubt).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    await expectGoesOn(doubt.body);
  });

  test('whose order the clock has taken over is told how to come back', async () => {
    const [slow, slower] = [gate(), gate()];
    const first = stack.payments.inject(isCharge, { hold_reply: slow.opened });
    const placing = placeWhole({});
    await first.fired;
    await expireLeases(stack);
    const second = stack.payments.inject(() => true, { hold_reply: slower.opened });
    const ticking = stack.worker.scheduled({ cron: '* * * * *' });
    await second.fired;
    slow.open();
    const refused = await placing;
    slower.open();
    await ticking;
    expect(refused).toMatchObject({ status: 409, body: { code: 'idempotency_in_flight' } });
    expect((await readOrder(refused.body)).body).toMatchObject({ id: refused.body.order_id, status: 'confirmed' });
    expect((await placeOrder(stack, refused.body.cart_id)).body).toMatchObject({
      code: 'cart_already_completed',
      order_id: refused.body.order_id,
    });
  });
});
