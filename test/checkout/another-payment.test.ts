import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { gate, isCharge } from '../support/order-path.ts';
import {
  call,
  createSku,
  MANUAL,
  ordersOf,
  pay,
  placeOrder,
  readyCart,
  stockOf,
  type Json,
  type Reply,
} from '../support/shop.ts';
import type { Exchange } from '../support/fault-proxy.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { awaitStored } from '../support/stored.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { PAYMENT_TIMEOUT_MS: '4000' } });
  stack.provider.setWebhookMode('hold');
});
afterEach(() => {
  stack.neon.clear();
  stack.payments.clear();
});
afterAll(() => stack.close());

const THREE_DS = pay('tok_requires_action');
const isCancel = ({ path }: Exchange): boolean => path.endsWith('/cancel');

interface Waiting {
  cart: Json;
  sku: string;
  first: Reply;
}

/** The only unit there is, in an order whose buyer has been sent to their bank. */
async function waiting(payment = THREE_DS): Promise<Waiting> {
  const sku = await createSku(stack, { stock: 1 });
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
  const first = await placeOrder(stack, cart.id, payment, { key: `first-${cart.id}` });
  if (first.status === 201) await awaitStored(stack, `first-${cart.id}`);
  return { cart, sku: sku.id, first };
}

const authenticate = ({ first }: Waiting) =>
  fetch(first.body.payments[0].next_action.url, {
    method: 'POST',
    body: new URLSearchParams({ outcome: 'success' }),
  });

/** What the provider has of the cart's orders, oldest first. */
async function chargesOf({ cart }: Waiting): Promise<string[]> {
  const orders = new Set((await ordersOf(stack, cart.id)).map(({ id }) => id));
  const charges = stack.provider.charges().filter(({ order_id }) => orders.has(order_id ?? ''));
  return charges.map(({ status }) => status);
}

/** The new payment has bought the unit, and nothing can come of the old one. */
async function expectReplaced(it: Waiting, reply: Reply): Promise<void> {
  expect(reply.status, reply.text).toBe(201);
  expect(reply.body.status).toBe('confirmed');
  const orders = await ordersOf(stack, it.cart.id);
  expect(orders.map(({ status }) => status)).toEqual(['failed', 'confirmed']);
  expect(orders[1]?.id).toBe(reply.body.id);
  expect(await stockOf(stack, it.sku)).toEqual({ on_hand: 0, reserved: 0 });
}

describe('another payment while the first one waits for its buyer', () => {
  test('another card: the first is given up, the second buys, and both keys keep their answers', async () => {
    const it = await waiting();
    const reply = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: 'another-card' });
    await expectReplaced(it, reply);
    expect(await chargesOf(it)).toEqual(['canceled', 'succeeded']);
    expect((await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: 'another-card' })).text).toBe(reply.text);
    expect((await placeOrder(stack, it.cart.id, THREE_DS, { key: `first-${it.cart.id}` })).text).toBe(it.first.text);
    await authenticate(it);
    await stack.provider.flushWebhooks();
    expect(await chargesOf(it)).toEqual(['canceled', 'succeeded']);
  });

  test.each([
    ['another way to capture', { ...pay('tok_ok'), capture: 'manual' }, ['canceled', 'requires_capture']],
    ['money by hand', MANUAL, ['canceled']],
  ])('%s', async (_name, payment, charges) => {
    const it = await waiting();
    await expectReplaced(it, await placeOrder(stack, it.cart.id, payment));
    expect(await chargesOf(it)).toEqual(charges);
  });

  test('the same payment at the same price is the same order', async () => {
    const it = await waiting();
    const { id, total } = it.first.body;
    const again = await placeOrder(stack, it.cart.id, THREE_DS, { key: 'same-again', expected_total: total });
    expect(again).toMatchObject({ status: 201, body: { id, status: 'pending', payment_status: 'requires_action' } });
    expect(await chargesOf(it)).toEqual(['requires_action']);
  });

  test('another price: an order at the price that the buyer has seen', async () => {
    const it = await waiting();
    await stack.owner.query('update prices set amount = amount + 500 where sku_id = $1', [it.sku]);
    const { total } = (await call(stack, 'GET', `/carts/${it.cart.id}`)).body;
    expect(total).not.toBe(it.first.body.total);
    const wrong = await placeOrder(stack, it.cart.id, pay('tok_ok'), { expected_total: total + 1 });
    expect(wrong).toMatchObject({ status: 409, body: { code: 'cart_changed', total } });
    expect(await chargesOf(it)).toEqual(['requires_action']);
    const reply = await placeOrder(stack, it.cart.id, pay('tok_ok'), { expected_total: total });
    await expectReplaced(it, reply);
    expect(reply.body.total).toBe(total);
  });

  test('the buyer authenticates in this very moment: the first one buys, the second charges nothing', async () => {
    const it = await waiting();
    const slow = gate();
    const cancel = stack.payments.inject(isCancel, { hold_request: slow.opened });
    const second = placeOrder(stack, it.cart.id, pay('tok_ok'), { key: 'too-late' });
    await cancel.fired;
    await authenticate(it);
    slow.open();
    const { id } = it.first.body;
    expect(await second).toMatchObject({ status: 409, body: { code: 'cart_already_completed', order_id: id } });
    expect(await ordersOf(stack, it.cart.id)).toEqual([{ id, status: 'confirmed' }]);
    expect(await chargesOf(it)).toEqual(['succeeded']);
  });

  test('nobody knows whether it was given up: nothing is charged until it is known', async () => {
    const it = await waiting();
    stack.payments.inject(isCancel, 'drop_request');
    const send = () => placeOrder(stack, it.cart.id, pay('tok_ok'), { key: 'in-doubt' });
    expect(await send()).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    expect(await chargesOf(it)).toEqual(['requires_action']);
    await expectReplaced(it, await send());
    expect(await chargesOf(it)).toEqual(['canceled', 'succeeded']);
  });

  test('the reply of the first one was lost: it is found, and then given up', async () => {
    stack.payments.inject(isCharge, 'drop_reply');
    const it = await waiting();
    expect(it.first.status).toBe(503);
    await expectReplaced(it, await placeOrder(stack, it.cart.id, pay('tok_ok')));
    expect(await chargesOf(it)).toEqual(['canceled', 'succeeded']);
  });

  test('a third one meanwhile is told to come again', async () => {
    const it = await waiting();
    const slow = gate();
    const cancel = stack.payments.inject(isCancel, { hold_request: slow.opened });
    const second = placeOrder(stack, it.cart.id, pay('tok_ok'), { key: 'the-second' });
    await cancel.fired;
    const third = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: 'the-third' });
    expect(third).toMatchObject({ status: 409, body: { code: 'idempotency_in_flight' } });
    expect(third.headers.get('retry-after')).not.toBeNull();
    slow.open();
    await expectReplaced(it, await second);
  });

  test('of three others at once one buys', async () => {
    const it = await waiting();
    const replies = await Promise.all(
      ['one', 'two', 'three'].map((key) => placeOrder(stack, it.cart.id, pay('tok_ok'), { key: `at-once-${key}` })),
    );
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409]);
    expect((await chargesOf(it)).filter((status) => status === 'succeeded')).toHaveLength(1);
    expect(await stockOf(stack, it.sku)).toEqual({ on_hand: 0, reserved: 0 });
  });
});
