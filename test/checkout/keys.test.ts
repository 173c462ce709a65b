import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { blockedIn } from '../support/locks.ts';
import { gate, isCharge } from '../support/order-path.ts';
import { ADDRESS, call, createSku, ordersOf, pay, placeOrder, readyCart, type Json } from '../support/shop.ts';
import type { Exchange } from '../support/fault-proxy.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { awaitStored } from '../support/stored.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
});
afterEach(() => {
  stack.neon.clear();
  stack.payments.clear();
});
afterAll(() => stack.close());

const isTakeOver = ({ requestBody }: Exchange): boolean => requestBody.includes('update orders o set attempt');

async function newCart(): Promise<Json> {
  const sku = await createSku(stack, { stock: 5 });
  return await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
}

/** All of an order in one request, as a guest of this address sends it. */
async function wholeOrder(): Promise<(email: string) => Json> {
  const sku = await createSku(stack, { stock: 9 });
  const { shipping_option_id } = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
  const items = [{ sku_id: sku.id, quantity: 1 }];
  const rest = { market: 'us', items, shipping_address: ADDRESS, shipping_option_id };
  return (email) => ({ cart: { ...rest, email }, payment: pay('tok_ok') });
}

describe('a key that two guests of one address both think of, each with a cart in the order', () => {
  test('gives each their own order, and each their own reply again', async () => {
    const order = await wholeOrder();
    const send = (email: string, key: string) => call(stack, 'POST', '/orders', order(email), { key });
    const ada = await send('ada@example.test', 'order-1');
    const bob = await send('bob@example.test', 'order-1');
    expect([ada.status, bob.status], bob.text).toEqual([201, 201]);
    expect([ada.body.email, bob.body.email]).toEqual(['ada@example.test', 'bob@example.test']);
    const charges = stack.provider.charges().length;
    expect((await send('ada@example.test', 'order-1')).body.id).toBe(ada.body.id);
    expect((await send('bob@example.test', 'order-1')).body.id).toBe(bob.body.id);
    expect(stack.provider.charges()).toHaveLength(charges);
  });

  test('of 16 characters or more it is taken for one of a kind, and another body is refused', async () => {
    const order = await wholeOrder();
    const send = (email: string) => call(stack, 'POST', '/orders', order(email), { key: 'sixteen-or-more-1' });
    expect((await send('ada@example.test')).status).toBe(201);
    expect((await send('bob@example.test')).body.code).toBe('idempotency_key_reused');
  });
});

/** So many transactions wait for somebody else's. */
async function waiting(wanted: number): Promise<void> {
  await expect.poll(() => blockedIn(stack), { timeout: 30_000 }).toBe(wanted);
}

test('a key that comes while the order is being settled does not stay in flight', async () => {
  const cart = await newCart();
  stack.payments.inject(isCharge, 'drop_request');
  expect((await placeOrder(stack, cart.id, pay('tok_ok'), { key: 'first' })).status).toBe(503);
  const [order] = await ordersOf(stack, cart.id);

  // The second key has seen an order that nobody works on; before it gets there, the first key's retry is at it again.
  const late = gate();
  const held = stack.neon.inject(isTakeOver, { hold_request: late.opened });
  const second = placeOrder(stack, cart.id, pay('tok_ok'), { key: 'second' });
  await held.fired;
  const slow = gate();
  const charging = stack.payments.inject(isCharge, { hold_request: slow.opened });
  const retry = placeOrder(stack, cart.id, pay('tok_ok'), { key: 'first' });
  await charging.fired;

  // Its last batch has looked for keys to close and waits for one of them.
  const client = await stack.owner.connect();
  await client.query('begin');
  await client.query(`select from idempotency_keys where key = 'first' for update`);
  slow.open();
  await waiting(1);
  late.open();
  await Promise.race([second, waiting(2)]);
  await client.query('commit');
  client.release();

  expect(await retry).toMatchObject({ status: 201, body: { id: order?.id } });
  await second;
  const { rows } = await stack.owner.query(`select key from idempotency_keys where state = 'in_flight'`);
  expect(rows).toEqual([]);
});

test('a key that comes when the order has just failed stays with that order, and charges nothing', async () => {
  const cart = await newCart();
  stack.payments.inject(isCharge, 'drop_request');
  expect((await placeOrder(stack, cart.id, pay('tok_declined'), { key: 'one' })).status).toBe(503);
  const late = gate();
  const held = stack.neon.inject(isTakeOver, { hold_request: late.opened });
  const second = placeOrder(stack, cart.id, pay('tok_declined'), { key: 'two' });
  await held.fired;
  expect((await placeOrder(stack, cart.id, pay('tok_declined'), { key: 'one' })).status).toBe(402);
  late.open();
  expect((await second).status, (await second).text).toBe(402);
  const charges = stack.provider.charges().length;
  // Stored right after it is sent; a retry before that is told the same of the order, under an id of its own.
  await awaitStored(stack, 'two');

  for (let i = 0; i < 2; i += 1) {
    const again = await placeOrder(stack, cart.id, pay('tok_declined'), { key: 'two' });
    expect([again.status, again.text]).toEqual([402, (await second).text]);
  }
  expect(await ordersOf(stack, cart.id)).toMatchObject([{ status: 'failed' }]);
  expect(stack.provider.charges()).toHaveLength(charges);
});
