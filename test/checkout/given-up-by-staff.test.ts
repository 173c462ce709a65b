import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { auditOf } from '../admin/fixture.ts';
import { eventsOf } from '../payments/fixture.ts';
import { gate, isCharge } from '../support/order-path.ts';
import {
  call,
  createSku,
  ordersOf,
  pay,
  placeOrder,
  readyCart,
  stockOf,
  type Json,
  type Reply,
} from '../support/shop.ts';
import { createStaff, type Staff } from '../support/staff.ts';
import type { Exchange } from '../support/fault-proxy.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
let staff: Staff;
beforeAll(async () => {
  stack = await startStack({ env: { PAYMENT_TIMEOUT_MS: '1000' } });
  stack.provider.setWebhookMode('hold');
  staff = await createStaff(stack, ['payments:read', 'payments:write', 'orders:read']);
});
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const isCancel = ({ path }: Exchange): boolean => path.endsWith('/cancel');
const isFind = ({ method, path }: Exchange): boolean => method === 'GET' && /\/payment_intents\/pi_[^/]+$/.test(path);
const NOT_FOUND = { respond: { status: 404, body: '{"error":{"type":"invalid_request_error"}}' } } as const;

interface Pending {
  cart: Json;
  sku: string;
  placed: Reply;
  order: string;
  payment: string;
}

/** An order of the only unit there is, which waits for its payment. */
async function pending(token: string, fault?: 'drop_request' | 'drop_reply'): Promise<Pending> {
  const sku = await createSku(stack, { stock: 1 });
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
  if (fault) stack.payments.inject(isCharge, fault);
  const placed = await placeOrder(stack, cart.id, pay(token));
  stack.payments.clear();
  const [order] = await ordersOf(stack, cart.id);
  expect(order).toMatchObject({ status: 'pending' });
  const { rows } = await stack.owner.query('select id from payments where order_id = $1', [order?.id]);
  return { cart, sku: sku.id, placed, order: order?.id ?? '', payment: rows[0].id };
}

const giveUp = ({ payment }: Pending, body: Json = {}, key?: string): Promise<Reply> =>
  call(stack, 'POST', `/admin/payments/${payment}/void`, body, {
    token: staff.token,
    ...(key !== undefined && { key }),
  });

const chargeOf = ({ payment }: Pending) => stack.provider.charges().find(({ payment_id }) => payment_id === payment);

async function expectEnded({ cart, sku }: Pending, status: 'failed' | 'confirmed'): Promise<void> {
  expect(await ordersOf(stack, cart.id)).toMatchObject([{ status }]);
  expect(await stockOf(stack, sku)).toEqual({ on_hand: status === 'failed' ? 1 : 0, reserved: 0 });
}

/** What the timeline says of the payment: what was asked or came of it, why, and by whom. */
async function timelineOf({ order }: Pending): Promise<unknown[]> {
  const { body } = await call(stack, 'GET', `/admin/orders/${order}/timeline`, undefined, { token: staff.token });
  return body.data
    .filter(({ type }: Json) => type.startsWith('payment.'))
    .map(({ type, details, actor_id }: Json) => [type, details.reason ?? null, actor_id]);
}

const authenticate = ({ placed }: Pending) =>
  fetch(placed.body.payments[0].next_action.url, {
    method: 'POST',
    body: new URLSearchParams({ outcome: 'success' }),
  });

describe('a payment that waits for its buyer', () => {
  test('is given up at the provider; the order fails, its unit is on offer, and it is written who did it', async () => {
    const it = await pending('tok_requires_action');
    const reply = await giveUp(it, {}, 'give-up');
    expect(reply.status, reply.text).toBe(200);
    expect(reply.body).toMatchObject({ id: it.payment, status: 'failed', captured_amount: 0, in_doubt: false });
    await expectEnded(it, 'failed');
    expect(chargeOf(it)).toMatchObject({ status: 'canceled' });
    expect(await eventsOf(stack, it.order)).toEqual(['order.payment_failed']);
    expect(await auditOf(stack, it.payment)).toMatchObject([
      { action: 'payments.void', actor_id: staff.id, details: {} },
    ]);
    expect((await timelineOf(it)).slice(2)).toEqual([
      ['payment.void_request', null, staff.id],
      ['payment.capture_failure', 'canceled', null],
    ]);
    expect((await giveUp(it, {}, 'give-up')).text).toBe(reply.text);
    expect(await giveUp(it)).toMatchObject({ status: 409, body: { code: 'illegal_transition', legal: [] } });
    const again = await placeOrder(stack, it.cart.id, pay('tok_ok'));
    expect(again).toMatchObject({ status: 201, body: { status: 'confirmed' } });
  });

  test('and is paid in this very moment: the order is placed, and the reply says so', async () => {
    const it = await pending('tok_requires_action');
    const slow = gate();
    const cancel = stack.payments.inject(isCancel, { hold_request: slow.opened });
    const reply = giveUp(it, {}, 'too-late');
    await cancel.fired;
    await authenticate(it);
    await stack.provider.flushWebhooks();
    slow.open();
    expect(await reply).toMatchObject({ status: 200, body: { status: 'captured' } });
    await stack.provider.flushWebhooks();
    await expectEnded(it, 'confirmed');
    expect(await giveUp(it, {}, 'too-late')).toMatchObject({ status: 200, body: { status: 'captured' } });
    expect(await giveUp(it)).toMatchObject({ status: 409, body: { from: 'captured', legal: ['refund'] } });
  });

  test('and its webhook is faster: the order is placed, and no money is given up', async () => {
    const it = await pending('tok_requires_action');
    await authenticate(it);
    await stack.provider.flushWebhooks();
    expect(await giveUp(it, { force: true })).toMatchObject({ status: 409, body: { from: 'captured' } });
    await expectEnded(it, 'confirmed');
  });

  test('of which the provider knows nothing: in doubt, until it is ended by force; what comes later goes back', async () => {
    const it = await pending('tok_requires_action');
    stack.payments.inject(isFind, NOT_FOUND, 3);
    for (const key of ['unknown', 'unknown']) {
      expect(await giveUp(it, {}, key)).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    }
    expect(await ordersOf(stack, it.cart.id)).toMatchObject([{ status: 'pending' }]);
    stack.payments.inject(isFind, NOT_FOUND, 2);
    const forced = await giveUp(it, { force: true }, 'force');
    expect(forced).toMatchObject({ status: 200, body: { status: 'failed' } });
    await expectEnded(it, 'failed');
    expect((await auditOf(stack, it.payment)).at(-1)).toMatchObject({ details: { force: true } });
    expect((await timelineOf(it)).slice(-2)).toEqual([
      ['payment.void_request', 'forced', staff.id],
      ['payment.capture_failure', 'given_up', null],
    ]);
    stack.payments.clear();
    await authenticate(it);
    await stack.provider.flushWebhooks();
    expect(chargeOf(it)).toMatchObject({ status: 'succeeded', refunded: it.cart.total });
    await expectEnded(it, 'failed');
  });
});

describe('a charge in doubt', () => {
  test('that was never made is not made now, and ends by force', async () => {
    const it = await pending('tok_ok', 'drop_request');
    expect(await giveUp(it)).toMatchObject({ status: 503, body: { code: 'payment_in_doubt', order_id: it.order } });
    expect(await giveUp(it, { force: true })).toMatchObject({ status: 200, body: { status: 'failed' } });
    await expectEnded(it, 'failed');
    expect(chargeOf(it)).toBeUndefined();
  });

  test('that was made is found: the order is placed, also by force', async () => {
    for (const body of [{}, { force: true }]) {
      const it = await pending('tok_ok', 'drop_reply');
      expect(await giveUp(it, body)).toMatchObject({ status: 200, body: { status: 'captured' } });
      await expectEnded(it, 'confirmed');
    }
  });

  test('that waits for its buyer by now is found and given up', async () => {
    const it = await pending('tok_requires_action', 'drop_reply');
    expect(await giveUp(it)).toMatchObject({ status: 200, body: { status: 'failed' } });
    expect(chargeOf(it)).toMatchObject({ status: 'canceled' });
    await expectEnded(it, 'failed');
  });

  test('of another amount is no payment of the order: by force the order fails and all of it goes back at once', async () => {
    const it = await pending('tok_ok', 'drop_reply');
    const other = { id: chargeOf(it)?.id, status: 'succeeded', currency: 'usd', amount: 1, amount_received: 1 };
    const differs = { respond: { status: 200, body: JSON.stringify({ ...other, amount_capturable: 0 }) } };
    stack.payments.inject(isFind, differs, 2);
    expect(await giveUp(it)).toMatchObject({ status: 503 });
    expect(await giveUp(it, { force: true })).toMatchObject({ status: 200, body: { status: 'refunded' } });
    expect(chargeOf(it)).toMatchObject({ refunded: it.cart.total });
    await expectEnded(it, 'failed');
  });

  test('whose provider is not set up here any more ends by force only', async () => {
    const it = await pending('tok_ok', 'drop_request');
    await stack.owner.query(`update payments set provider = 'stripe' where id = $1`, [it.payment]);
    expect(await giveUp(it)).toMatchObject({ status: 422, body: { code: 'provider_unavailable' } });
    await stack.owner.query(`update orders set lease_until = now() where id = $1`, [it.order]);
    expect(await giveUp(it, { force: true })).toMatchObject({ status: 200, body: { status: 'failed' } });
    await expectEnded(it, 'failed');
  });

  test('while somebody asks about it, it is refused for a moment', async () => {
    const it = await pending('tok_ok', 'drop_request');
    await stack.owner.query(`update orders set lease_until = now() + interval '30 seconds' where id = $1`, [it.order]);
    expect(await giveUp(it, { force: true })).toMatchObject({ status: 409, body: { code: 'idempotency_in_flight' } });
    expect(await ordersOf(stack, it.cart.id)).toMatchObject([{ status: 'pending' }]);
  });
});
