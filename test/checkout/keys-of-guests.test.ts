import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  ADDRESS,
  call,
  createSku,
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

