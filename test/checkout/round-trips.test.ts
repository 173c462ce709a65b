import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  ADDRESS,
  call,
  createSku,
  MANUAL,
  pay,
  placeOrder,
  readyCart,
  type Json,
  type Reply,
} from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
let sku: { id: string };
let product: Json;
let customer: Json;
let order: Json;

beforeAll(async () => {
  stack = await startStack();
  // A webhook is a request of its own and would blur the counts.
  stack.provider.setWebhookMode('hold');
  sku = await createSku(stack, { stock: 100 });
  product = (await call(stack, 'GET', '/products')).body.data.find((one: Json) => one.categories.length > 0);
  customer = (
    await call(stack, 'POST', '/auth/register', { email: 'rt@example.test', password: 'correct horse battery' })
  ).body;
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }], { token: customer.access_token });
  order = (await placeOrder(stack, cart.id, MANUAL, { token: customer.access_token })).body;
});
afterAll(() => stack.close());

/** Exchanges with the database that belong to the reply itself: drains and stored replies come after it. */
async function trips(
  run: () => Promise<Reply>,
): Promise<{ db: number; redis: number; status: number; logged: unknown }> {
  await quiet();
  stack.neon.clear();
  stack.redis.clear();
  const { status, headers } = await run();
  const db = stack.neon.exchanges.filter(
    ({ requestBody }) => !/update outbox_events|update idempotency_keys set status/.test(requestBody),
  ).length;
  const redis = stack.redis.exchanges.length;
  await quiet();
  const id = headers.get('x-request-id');
  const line = await vi.waitFor(
    () => {
      const found = stack.logs().find((entry) => entry['request_id'] === id && 'db_round_trips' in entry);
      if (!found) throw new Error(`nothing is logged of ${id}`);
      return found;
    },
    { timeout: 30_000, interval: 20 },
  );
  return { db, redis, status, logged: line['db_round_trips'] };
}

/** Waits until nothing goes to the database any more. */
async function quiet(): Promise<void> {
  let seen = -1;
  while (seen !== stack.neon.exchanges.length) {
    seen = stack.neon.exchanges.length;
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}

const token = () => ({ token: customer.access_token });
const cartOf = () => readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);

describe('database round trips of each route, exact', () => {
  const reads: Record<string, () => Promise<Reply>> = {
    'GET /products': () => call(stack, 'GET', '/products'),
    'GET /products with every filter': () =>
      call(stack, 'GET', '/products?sort=price&price_min=1&in_stock=true&category=home&limit=5'),
    'GET /products/{handle}': () => call(stack, 'GET', `/products/${product.handle}`),
    'GET /categories': () => call(stack, 'GET', '/categories'),
    'GET /categories/{handle}': () => call(stack, 'GET', `/categories/${product.categories[0].handle}`),
    'GET /categories/{handle}/products': () =>
      call(stack, 'GET', `/categories/${product.categories[0].handle}/products`),
    'GET /markets': () => call(stack, 'GET', '/markets'),
    'GET /customers/me': () => call(stack, 'GET', '/customers/me', undefined, token()),
    'GET /customers/me/orders': () => call(stack, 'GET', '/customers/me/orders', undefined, token()),
    'GET /orders': () => call(stack, 'GET', '/orders', undefined, token()),
    'GET /orders/{id}': () => call(stack, 'GET', `/orders/${order.id}`, undefined, token()),
  };
  for (const [name, read] of Object.entries(reads)) {
    test(`${name}: 1`, async () => {
      expect(await trips(read)).toEqual({ db: 1, redis: 1, status: 200, logged: 1 });
    });
  }

  test('every cart route: 1', async () => {
    const cart = await cartOf();
    const path = `/carts/${cart.id}`;
    const routes: [string, () => Promise<Reply>, number][] = [
      ['POST /carts', () => call(stack, 'POST', '/carts', { items: [{ sku_id: sku.id, quantity: 1 }] }), 201],
      ['GET', () => call(stack, 'GET', path), 200],
      ['shipping options', () => call(stack, 'GET', `${path}/shipping-options`), 200],
      ['add item', () => call(stack, 'POST', `${path}/items`, { sku_id: sku.id, quantity: 1 }), 200],
      ['set quantity', () => call(stack, 'PATCH', `${path}/items/${cart.items[0].id}`, { quantity: 3 }), 200],
      ['patch', () => call(stack, 'PATCH', path, { note: 'ring twice' }), 200],
      ['add code', () => call(stack, 'POST', `${path}/discount-codes`, { code: 'WELCOME10' }), 200],
      ['drop code', () => call(stack, 'DELETE', `${path}/discount-codes/WELCOME10`), 200],
      ['remove item', () => call(stack, 'DELETE', `${path}/items/${cart.items[0].id}`), 200],
    ];
    for (const [name, run, status] of routes) {
      expect({ name, ...(await trips(run)) }).toEqual({ name, db: 1, redis: 1, status, logged: 1 });
    }
  });

  test('POST /orders: 3 with a provider, 2 with manual payment, with and without a key', async () => {
    for (const key of [undefined, 'rt']) {
      const options = key === undefined ? {} : { key };
      const [paid, manual] = [await cartOf(), await cartOf()];
      const withProvider = await trips(() => placeOrder(stack, paid.id, pay('tok_ok'), options));
      expect(withProvider).toEqual({ db: 3, redis: 1, status: 201, logged: 3 });
      const byHand = await trips(() => placeOrder(stack, manual.id, MANUAL, options));
      expect(byHand).toEqual({ db: 2, redis: 1, status: 201, logged: 2 });
    }
  });

  test('POST /orders with its cart inside: 3 and 2 as well, with and without a key', async () => {
    const { shipping_option_id } = await cartOf();
    const cart = {
      items: [{ sku_id: sku.id, quantity: 1 }],
      email: 'ada@example.test',
      shipping_address: ADDRESS,
      shipping_option_id,
    };
    for (const options of [{}, { key: 'rt-inline' }]) {
      const paid = await trips(() => call(stack, 'POST', '/orders', { cart, payment: pay('tok_ok') }, options));
      expect(paid).toEqual({ db: 3, redis: 1, status: 201, logged: 3 });
      const key = 'key' in options ? { key: 'rt-inline-manual' } : {};
      const byHand = await trips(() => call(stack, 'POST', '/orders', { cart, payment: MANUAL }, key));
      expect(byHand).toEqual({ db: 2, redis: 1, status: 201, logged: 2 });
    }
  });

  test('identity: register 1, login 2, refresh 1, logout 1', async () => {
    const credentials = { email: 'rt2@example.test', password: 'correct horse battery' };
    const registered = await trips(() => call(stack, 'POST', '/auth/register', credentials));
    expect(registered).toMatchObject({ db: 1, status: 201 });
    let tokens: Json;
    const login = await trips(async () => {
      const reply = await call(stack, 'POST', '/auth/login', credentials);
      tokens = reply.body;
      return reply;
    });
    expect(login).toMatchObject({ db: 2, status: 200 });
    const refreshed = await trips(async () => {
      const reply = await call(stack, 'POST', '/auth/refresh', { refresh_token: tokens.refresh_token });
      tokens = reply.body;
      return reply;
    });
    expect(refreshed).toMatchObject({ db: 1, status: 200 });
    const ended = await trips(() => call(stack, 'POST', '/auth/logout', { refresh_token: tokens.refresh_token }));
    expect(ended).toMatchObject({ db: 1, status: 204 });
  });
});
