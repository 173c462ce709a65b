import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { gate, isBatch1, isBatch2, isCharge } from '../support/order-path.ts';
import {
  call,
  createSku,
  expireLeases,
  MANUAL,
  ordersOf,
  pay,
  placeOrder,
  readyCart,
  stockOf,
  type Json,
} from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { DATABASE_TIMEOUT_MS: '1500' } });
  stack.provider.setWebhookMode('hold');
});
afterEach(() => {
  stack.neon.clear();
  stack.payments.clear();
});
afterAll(() => stack.close());

async function buyer(stock = 5): Promise<{ cart: Json; sku: string }> {
  const sku = await createSku(stack, { stock });
  return { cart: await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]), sku: sku.id };
}

const isSearch = ({ path }: { path: string }): boolean => path.startsWith('/v1/payment_intents/search');

const finish3ds = (order: Json, outcome: string) =>
  fetch(order.payments[0].next_action.url, { method: 'POST', body: new URLSearchParams({ outcome }) });

async function ledgerOf(orderId: string): Promise<string[]> {
  const { rows } = await stack.owner.query(
    `select t.kind || ' ' || t.outcome as entry from payment_transactions t join payments p on p.id = t.payment_id
     where p.order_id = $1 order by t.created_at, t.id`,
    [orderId],
  );
  return rows.map(({ entry }) => entry);
}

describe('money and orders agree, however late an answer comes', () => {
  test('the buyer finishes 3DS while the tick gives the payment up: the order is confirmed', async () => {
    const { cart, sku } = await buyer();
    const waiting = (await placeOrder(stack, cart.id, pay('tok_requires_action'))).body;
    await stack.owner.query(`update orders set created_at = now() - interval '2 hours' where id = $1`, [waiting.id]);
    const slow = gate();
    const cancel = stack.payments.inject(({ path }) => path.endsWith('/cancel'), { hold_request: slow.opened });
    const ticking = stack.worker.scheduled({ cron: '* * * * *' });
    await cancel.fired;
    await finish3ds(waiting, 'success');
    slow.open();
    await ticking;
    expect(await ordersOf(stack, cart.id)).toEqual([{ id: waiting.id, status: 'confirmed' }]);
    expect(await stockOf(stack, sku)).toEqual({ on_hand: 4, reserved: 0 });
  });

  test('a payment that comes through after its order failed goes back to the buyer, once', async () => {
    const { cart, sku } = await buyer();
    const waiting = (await placeOrder(stack, cart.id, pay('tok_requires_action'))).body;
    await finish3ds(waiting, 'success');
    await stack.owner.query(`update orders set status = 'failed' where id = $1`, [waiting.id]);
    await stack.owner.query('delete from reservations where order_id = $1', [waiting.id]);
    await stack.owner.query('update stock_levels set reserved = 0 where sku_id = $1', [sku]);
    stack.provider.setWebhookMode('duplicate');
    await stack.provider.flushWebhooks();
    stack.provider.setWebhookMode('hold');
    expect((await ledgerOf(waiting.id)).slice(2)).toEqual(['capture success', 'refund request', 'refund success']);
    expect(stack.provider.charges().find((charge) => JSON.stringify(charge).includes(waiting.id))).toMatchObject({
      refunded: cart.total,
    });
  });

  test('a decline that is resent does not open the cart under the next order', async () => {
    const { cart, sku } = await buyer();
    const slow = gate();
    const lost = stack.neon.inject(isBatch2, { hold_reply: slow.opened });
    const first = placeOrder(stack, cart.id, pay('tok_declined'));
    await lost.fired;
    const nextSlow = gate();
    const charging = stack.payments.inject(isCharge, { hold_request: nextSlow.opened });
    const second = placeOrder(stack, cart.id, pay('tok_ok'));
    await charging.fired;
    stack.neon.inject(isBatch2, 'drop_reply');
    expect((await first).status).toBe(402);
    const edit = await call(stack, 'POST', `/carts/${cart.id}/items`, { sku_id: sku, quantity: 1 });
    expect(edit.body.code).toBe('cart_already_completed');
    nextSlow.open();
    slow.open();
    expect(await second).toMatchObject({ status: 201, body: { total: cart.total } });
    expect((await call(stack, 'GET', `/carts/${cart.id}`)).body.status).toBe('completed');
  });

  test.each(['57P01', '53300', '08006'])(
    'Postgres answers %s instead of batch 2: in doubt, then the same order',
    async (code) => {
      const { cart } = await buyer();
      const body = JSON.stringify({ message: 'gone', code, severity: 'FATAL' });
      stack.neon.inject(isBatch2, { respond: { status: 400, body } }, 3);
      const first = await placeOrder(stack, cart.id, pay('tok_ok'), { key: `pg-${code}` });
      expect(first).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
      await expireLeases(stack);
      const retried = await placeOrder(stack, cart.id, pay('tok_ok'), { key: `pg-${code}` });
      expect(retried).toMatchObject({ status: 201, body: { status: 'confirmed' } });
      const replayed = await placeOrder(stack, cart.id, pay('tok_ok'), { key: `pg-${code}` });
      expect(replayed.text).toBe(retried.text);
    },
  );

  test.each([pay('tok_ok'), MANUAL])(
    'a resend of batch 1 meets nothing and places the order, paid by $provider',
    async (payment) => {
      const { cart } = await buyer();
      const cut = stack.neon.inject(isBatch1, 'drop_request');
      const placing = placeOrder(stack, cart.id, payment, { key: `overlap-${payment.provider}` });
      await cut.fired;
      expect(await placing).toMatchObject({ status: 201, body: { status: 'confirmed' } });
    },
  );

  test('a twin with the same key is told that the first is running, and then gets its reply', async () => {
    const { cart } = await buyer();
    const slow = gate();
    const held = stack.neon.inject(isBatch1, { hold_reply: slow.opened });
    const first = placeOrder(stack, cart.id, pay('tok_ok'), { key: 'twin' });
    await held.fired;
    const twin = await placeOrder(stack, cart.id, pay('tok_ok'), { key: 'twin' });
    expect(twin).toMatchObject({ status: 409, body: { code: 'idempotency_in_flight' } });
    expect(twin.headers.get('retry-after')).not.toBeNull();
    slow.open();
    const placed = await first;
    expect(placed.status, placed.text).toBe(201);
    expect((await placeOrder(stack, cart.id, pay('tok_ok'), { key: 'twin' })).body.id).toBe(placed.body.id);
  });

  test('money of another amount or currency is no payment of the order', async () => {
    const { cart, sku } = await buyer();
    const paid = { id: 'pi_x', status: 'succeeded', amount_capturable: 0, currency: 'usd' };
    const [all, less] = [cart.total, cart.total - 1];
    for (const wrong of [
      { amount: less, amount_received: less },
      { amount: all + 1, amount_received: all },
      { amount: all, amount_received: all + 1 },
      { amount: all, amount_received: 0 },
      { amount: all, amount_received: all, currency: 'jpy' },
      { status: 'requires_capture', amount: all, amount_received: 0, amount_capturable: less },
    ]) {
      stack.payments.inject(isCharge, { respond: { status: 200, body: JSON.stringify({ ...paid, ...wrong }) } });
      stack.payments.inject(isSearch, { respond: { status: 200, body: '{"data":[]}' } });
      const refused = await placeOrder(stack, cart.id, pay('tok_ok'), { key: 'wrong-money' });
      expect(refused.body.code, JSON.stringify(wrong)).toBe('payment_in_doubt');
      expect(await stockOf(stack, sku)).toEqual({ on_hand: 5, reserved: 1 });
      const said = stack.logs().findLast(({ msg }) => msg === 'payment in doubt');
      expect(said?.['cause'], JSON.stringify(wrong)).toContain(' differs from ');
    }
    stack.payments.clear();
    expect((await placeOrder(stack, cart.id, pay('tok_ok'), { key: 'wrong-money' })).status).toBe(201);
  });

  test('a part of the right amount, taken by people, is a payment of it: the rest was authorized', async () => {
    const { cart } = await buyer();
    const part = { amount: cart.total, amount_received: cart.total - 1, amount_capturable: 0, currency: 'usd' };
    const body = JSON.stringify({ id: 'pi_part', status: 'succeeded', ...part });
    stack.payments.inject(isCharge, { respond: { status: 200, body } });
    const placed = await placeOrder(stack, cart.id, pay('tok_ok'));
    expect(placed).toMatchObject({ status: 201, body: { payments: [{ captured_amount: cart.total - 1 }] } });
    expect(placed.body.payment_status).toBe('partially_captured');
  });
});

describe('keys', () => {
  test('a new key on an order in doubt answers it for good', async () => {
    const { cart } = await buyer();
    stack.payments.inject(isCharge, 'drop_request');
    expect((await placeOrder(stack, cart.id, pay('tok_ok'), { key: 'doubt-old' })).status).toBe(503);
    const other = await placeOrder(stack, cart.id, pay('tok_ok'), { key: 'doubt-new' });
    expect(other.status, other.text).toBe(201);
    expect((await placeOrder(stack, cart.id, pay('tok_ok'), { key: 'doubt-new' })).text).toBe(other.text);
    expect(await placeOrder(stack, cart.id, MANUAL, { key: 'doubt-new' })).toMatchObject({ status: 422 });
    expect((await placeOrder(stack, cart.id, pay('tok_ok'), { key: 'doubt-old' })).body.id).toBe(other.body.id);
  });

  test('a customer cannot use one key for two carts', async () => {
    const { access_token: token } = (
      await call(stack, 'POST', '/auth/register', { email: 'keys@example.test', password: 'correct horse battery' })
    ).body;
    const [one, two] = [await buyer(), await buyer()];
    expect((await placeOrder(stack, one.cart.id, MANUAL, { key: 'k', token })).status).toBe(201);
    const second = await placeOrder(stack, two.cart.id, MANUAL, { key: 'k', token });
    expect(second).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  test('whoever lost the reply without a key finds the order through the cart', async () => {
    const { cart } = await buyer();
    const placed = await placeOrder(stack, cart.id);
    const again = await placeOrder(stack, cart.id);
    expect(again).toMatchObject({ status: 409, body: { code: 'cart_already_completed', order_id: placed.body.id } });
    const headers = { 'x-order-token': again.body.guest_token };
    expect((await call(stack, 'GET', `/orders/${placed.body.id}`, undefined, { headers })).status).toBe(200);
  });
});
