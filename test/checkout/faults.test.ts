import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { gate, isBatch1, isBatch2, isCharge } from '../support/order-path.ts';
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
import { awaitStored } from '../support/stored.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { PAYMENT_TIMEOUT_MS: '4000' } });
  // A webhook would settle the order as well: here each fault is recovered from without one.
  stack.provider.setWebhookMode('hold');
});
afterEach(() => {
  stack.neon.clear();
  stack.payments.clear();
});
afterAll(() => stack.close());

let keys = 0;

/** A cart of two units with three in stock, and a key that no other test uses. */
async function buyer(): Promise<{ cart: Json; sku: string; key: string }> {
  const sku = await createSku(stack, { stock: 3 });
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 2 }]);
  keys += 1;
  return { cart, sku: sku.id, key: `fault-${keys}` };
}

const chargesOf = (orderId: string) =>
  stack.provider.charges().filter((charge) => JSON.stringify(charge).includes(orderId));

/** One order, one charge of the right amount, two units gone, nothing reserved. */
async function expectSoldOnce({ cart, sku }: { cart: Json; sku: string }, orderId: string): Promise<void> {
  expect(await ordersOf(stack, cart.id)).toEqual([{ id: orderId, status: 'confirmed' }]);
  expect(chargesOf(orderId)).toHaveLength(1);
  expect(chargesOf(orderId)[0]).toMatchObject({ amount: cart.total });
  expect(await stockOf(stack, sku)).toEqual({ on_hand: 1, reserved: 0 });
}

describe('the order path survives', () => {
  test('F1 a crash after batch 1, before the provider: the lease ends and a retry goes on', async () => {
    const it = await buyer();
    const never = gate();
    const held = stack.payments.inject(isCharge, { hold_request: never.opened });
    const crash = new AbortController();
    const first = stack.fetch('/api/v1/orders', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': it.key },
      body: JSON.stringify({ cart_id: it.cart.id, payment: pay('tok_ok') }),
      signal: crash.signal,
    });
    await held.fired;
    const twin = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    expect(twin.body.code).toBe('idempotency_in_flight');
    expect(Number(twin.headers.get('retry-after'))).toBeGreaterThan(0);
    crash.abort();
    await expect(first).rejects.toThrow('aborted');

    await expireLeases(stack);
    const retried = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    expect(retried.status, retried.text).toBe(201);
    await expectSoldOnce(it, retried.body.id);
    never.open();
  });

  test('F1 nobody retries: the tick finishes the order', async () => {
    const it = await buyer();
    stack.payments.inject(isCharge, 'drop_request');
    const first = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    expect(first.body.code).toBe('payment_in_doubt');
    await stack.worker.scheduled({ cron: '* * * * *' });
    const [order] = await ordersOf(stack, it.cart.id);
    await expectSoldOnce(it, order!.id);
    const replayed = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    expect(replayed.body).toMatchObject({ id: order!.id, status: 'confirmed' });
  });

  test('F2 a crash after the provider, before batch 2: the same ids and totals, no second charge', async () => {
    const it = await buyer();
    stack.neon.inject(isBatch2, 'drop_request', 3);
    const first = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    expect(first).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    expect(first.headers.get('retry-after')).not.toBeNull();
    const [pending] = await ordersOf(stack, it.cart.id);
    expect(chargesOf(pending!.id)).toHaveLength(1);
    expect(await stockOf(stack, it.sku)).toEqual({ on_hand: 3, reserved: 2 });

    await expireLeases(stack);
    const retried = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    expect(retried).toMatchObject({ status: 201, body: { id: pending!.id, total: it.cart.total } });
    await expectSoldOnce(it, pending!.id);
  });

  test('F3 a slow first worker wakes after a take-over: it commits nothing and answers what it finds', async () => {
    const it = await buyer();
    const slow = gate();
    const held = stack.payments.inject(isCharge, { hold_reply: slow.opened });
    const first = placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    await held.fired;
    await expireLeases(stack);
    const second = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    expect(second.status, second.text).toBe(201);
    slow.open();
    expect(await first).toMatchObject({ status: 201, body: { id: second.body.id } });
    await expectSoldOnce(it, second.body.id);
    const { rows } = await stack.owner.query(`select count(*)::int from outbox_events where aggregate_id = $1`, [
      second.body.id,
    ]);
    expect(rows[0].count).toBe(1);
  });

  test('F3 the release of a loser never takes back sold stock', async () => {
    const it = await buyer();
    const slow = gate();
    stack.payments.inject(isCharge, { respond: { status: 402, body: CARD_ERROR } });
    const held = stack.neon.inject(isBatch2, { hold_request: slow.opened });
    const first = placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    await held.fired;
    await expireLeases(stack);
    const second = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    expect(second.status, second.text).toBe(201);
    slow.open();
    expect(await first).toMatchObject({ status: 201, body: { id: second.body.id } });
    await expectSoldOnce(it, second.body.id);
  });

  test('F4 the reply of batch 1 is lost: the resend meets its own claim and goes on', async () => {
    const it = await buyer();
    const cut = stack.neon.inject(isBatch1, 'drop_reply');
    const placed = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    await cut.fired;
    expect(placed.status, placed.text).toBe(201);
    await expectSoldOnce(it, placed.body.id);
  });

  test('F5 the reply of batch 2 is lost: resent as it is, the order is answered', async () => {
    const it = await buyer();
    const cut = stack.neon.inject(isBatch2, 'drop_reply', 2);
    const placed = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    await cut.fired;
    expect(placed.status, placed.text).toBe(201);
    expect(placed.body.payments).toMatchObject([{ captured_amount: it.cart.total }]);
    await expectSoldOnce(it, placed.body.id);
  });

  test('F6 the cart is edited between the two batches: refused, and the charged total is the frozen one', async () => {
    const it = await buyer();
    const slow = gate();
    const held = stack.payments.inject(isCharge, { hold_request: slow.opened });
    const first = placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    await held.fired;
    const edit = await call(stack, 'POST', `/carts/${it.cart.id}/items`, { sku_id: it.sku, quantity: 1 });
    expect(edit).toMatchObject({ status: 409, body: { code: 'cart_already_completed' } });
    await stack.owner.query('update prices set amount = amount * 2 where sku_id = $1', [it.sku]);
    slow.open();
    const placed = await first;
    expect(placed).toMatchObject({ status: 201, body: { total: it.cart.total } });
    await expectSoldOnce(it, placed.body.id);
  });

  test('F7 declined, then another card with a new key: the sale goes through, the first key still answers 402', async () => {
    const it = await buyer();
    const declined = await placeOrder(stack, it.cart.id, pay('tok_declined'), { key: it.key });
    expect(declined).toMatchObject({ status: 402, body: { code: 'payment_declined', param: 'payment.token' } });
    expect(await stockOf(stack, it.sku)).toEqual({ on_hand: 3, reserved: 0 });

    const placed = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: `${it.key}-again` });
    expect(placed.status, placed.text).toBe(201);
    const orders = await ordersOf(stack, it.cart.id);
    expect(orders.map(({ status }) => status).toSorted()).toEqual(['confirmed', 'failed']);
    expect(await stockOf(stack, it.sku)).toEqual({ on_hand: 1, reserved: 0 });
    await awaitStored(stack, it.key);
    const replayed = await placeOrder(stack, it.cart.id, pay('tok_declined'), { key: it.key });
    expect(replayed).toMatchObject({ status: 402, text: declined.text });
  });

  test('F8 the provider does not answer in time: everything is kept, and a retry learns the outcome', async () => {
    const it = await buyer();
    const first = await placeOrder(stack, it.cart.id, pay('tok_timeout'), { key: it.key });
    expect(first).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    expect(await stockOf(stack, it.sku)).toEqual({ on_hand: 3, reserved: 2 });
    const retried = await placeOrder(stack, it.cart.id, pay('tok_timeout'), { key: it.key });
    expect(retried.status, retried.text).toBe(201);
    await expectSoldOnce(it, retried.body.id);
  });

  test('F10 no key, two tabs: the second is refused while the first is being placed', async () => {
    const it = await buyer();
    const slow = gate();
    const held = stack.payments.inject(isCharge, { hold_request: slow.opened });
    const first = placeOrder(stack, it.cart.id);
    await held.fired;
    expect(await placeOrder(stack, it.cart.id)).toMatchObject({
      status: 409,
      body: { code: 'cart_already_completed' },
    });
    slow.open();
    const placed = await first;
    expect(placed.status, placed.text).toBe(201);
    await expectSoldOnce(it, placed.body.id);
    const again = stack.owner.query(
      `insert into orders select (jsonb_populate_record(o, jsonb_build_object('id', gen_random_uuid(), 'number', 'twin'))).*
       from orders o where o.id = $1`,
      [placed.body.id],
    );
    await expect(again).rejects.toMatchObject({ code: '23505', constraint: 'orders_live_cart' });
  });

  test('F11 the cleaning job comes a day later: a key in doubt stays, and its replay makes no second order', async () => {
    const it = await buyer();
    // Charged, but nobody knows; a day later the provider is asked whether it was, and does not answer the tick.
    stack.payments.inject(isCharge, 'drop_reply');
    expect((await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key })).status).toBe(503);
    const unanswered = stack.payments.inject(() => true, 'drop_request');
    await stack.owner.query(`update orders set created_at = now() - interval '25 hours' where cart_id = $1`, [
      it.cart.id,
    ]);
    await stack.owner.query(`update idempotency_keys set created_at = now() - interval '25 hours'`);
    await stack.worker.scheduled({ cron: '* * * * *' });
    await unanswered.fired;
    const { rows } = await stack.owner.query('select state, resource_id from idempotency_keys where key = $1', [
      it.key,
    ]);
    const [pending] = await ordersOf(stack, it.cart.id);
    expect(rows).toEqual([{ state: 'in_flight', resource_id: pending!.id }]);

    const replayed = await placeOrder(stack, it.cart.id, pay('tok_ok'), { key: it.key });
    expect(replayed).toMatchObject({ status: 201, body: { id: pending!.id } });
    await expectSoldOnce(it, pending!.id);
  });

  test('F12 guest key "1" used by two people: each gets their own cart and order', async () => {
    const [one, two] = [await buyer(), await buyer()];
    const placed = [
      await placeOrder(stack, one.cart.id, pay('tok_ok'), { key: '1' }),
      await placeOrder(stack, two.cart.id, pay('tok_ok'), { key: '1' }),
    ];
    expect(placed.map(({ status }) => status)).toEqual([201, 201]);
    await expectSoldOnce(one, placed[0]!.body.id);
    await expectSoldOnce(two, placed[1]!.body.id);
    const started = () => call(stack, 'POST', '/carts', {}, { key: '1' });
    const [a, b] = [(await started()).body, (await started()).body];
    expect(a.id).not.toBe(b.id);
    const sku = await createSku(stack, { stock: 3 });
    for (const { id } of [a, b]) {
      const added = await call(stack, 'POST', `/carts/${id}/items`, { sku_id: sku.id, quantity: 1 }, { key: '1' });
      expect(added.body).toMatchObject({ id, items: [{ quantity: 1 }] });
    }
  });
});

const CARD_ERROR = JSON.stringify({
  error: { type: 'card_error', code: 'card_declined', decline_code: 'generic_decline' },
});
