import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { gate, isCharge } from '../support/order-path.ts';
import { call, createSku, expireLeases, ordersOf, placeOrder, readyCart, stockOf, type Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  atProvider,
  chargeOf,
  eventsOf,
  isVerb,
  ledgerOf,
  paymentsAs,
  tick,
  untilNextLook,
  type Payment,
} from './fixture.ts';

let stack: Stack;
let token: string;
let shop: ReturnType<typeof paymentsAs>;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  ({ token } = await createStaff(stack, 'owner'));
  shop = paymentsAs(stack, token);
});
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const isSearch = ({ path }: { path: string }): boolean => path.startsWith('/v1/payment_intents/search');

interface Buyer {
  cart: Json;
  sku: string;
}

async function buyer(): Promise<Buyer> {
  const sku = await createSku(stack, { stock: 5, price: 1000 });
  return { cart: await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]), sku: sku.id };
}

/** Of the order of a cart, with the provider's own name of it, whether or not the shop knows that yet. */
async function paymentOf({ cart }: Buyer): Promise<Payment> {
  const { rows } = await stack.owner.query(
    'select p.id, p.order_id from payments p join orders o on o.id = p.order_id where o.cart_id = $1',
    [cart.id],
  );
  const [{ id, order_id }] = rows;
  const charge = stack.provider.charges().find(({ payment_id }) => payment_id === id);
  return { id, orderId: order_id, total: cart.total, reference: charge?.id ?? null };
}

async function hoursLater(hours: number): Promise<void> {
  await stack.owner.query(
    `update orders set created_at = now() - make_interval(hours => $1), lease_until = now() - interval '1 hour'
     where status = 'pending'`,
    [hours],
  );
  await tick(stack);
}

describe('a charge in doubt for longer than a provider keeps its keys', () => {
  async function inDoubt(fault: 'drop_request' | 'drop_reply'): Promise<Buyer> {
    const one = await buyer();
    stack.payments.inject(isCharge, fault);
    expect((await placeOrder(stack, one.cart.id, { provider: 'test', token: 'tok_ok' })).status).toBe(503);
    stack.payments.clear();
    return one;
  }
  const findsNothing = (times: number) =>
    stack.payments.inject(isSearch, { respond: { status: 200, body: '{"data":[]}' } }, times);

  test('that was made is found by our id, however late that is, and the order is confirmed', async () => {
    const one = await inDoubt('drop_reply');
    findsNothing(1);
    await hoursLater(21);
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'pending' }]);
    await hoursLater(21);
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'confirmed' }]);
    expect(await stockOf(stack, one.sku)).toEqual({ on_hand: 4, reserved: 0 });
    expect(stack.payments.exchanges.filter(isCharge)).toEqual([]);
  });

  test('that was never made is not made any more: after a day the order fails, its stock is on offer', async () => {
    const one = await inDoubt('drop_request');
    await hoursLater(23);
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'pending' }]);
    await hoursLater(25);
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'failed' }]);
    expect(await stockOf(stack, one.sku)).toEqual({ on_hand: 5, reserved: 0 });
    expect(stack.payments.exchanges.filter(isCharge)).toEqual([]);
  });

  test('that was made and not found in a day: its event names it, and the money goes back, once', async () => {
    const one = await inDoubt('drop_reply');
    findsNothing(1);
    await hoursLater(25);
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'failed' }]);
    stack.provider.setWebhookMode('hold');
    await stack.provider.flushWebhooks();
    const payment = await paymentOf(one);
    const { total } = payment;
    const back = [`capture success ${total}`, `refund request ${total}`, `refund success ${total}`];
    expect((await ledgerOf(stack, payment)).slice(2)).toEqual(back);
    expect(chargeOf(stack, payment)).toMatchObject({ captured: total, refunded: total });
    // Its refund is told, too: it is known.
    await stack.provider.flushWebhooks();
    expect((await ledgerOf(stack, payment)).slice(2)).toEqual(back);

    const { id } = await lastRefund(payment);
    await atProvider(stack, '/_refunds/close', { id, status: 'failed' });
    await stack.provider.flushWebhooks();
    expect(await shop.get(payment)).toMatchObject({ status: 'captured', refunded_amount: 0 });
    expect(await eventsOf(stack, payment.id)).toEqual([
      'payment.captured',
      'payment.refunded',
      'payment.refund_failed',
    ]);
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: 0 });
  });

  test.each([300, null])('people have refunded %s of it before: only what is left goes back', async (amount) => {
    const one = await inDoubt('drop_reply');
    findsNothing(1);
    await hoursLater(25);
    const payment = await paymentOf(one);
    const { total, reference } = payment;
    const body = amount === null ? {} : { amount: String(amount) };
    await atProvider(stack, '/v1/refunds', { payment_intent: reference ?? '', ...body });
    await stack.provider.flushWebhooks();
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'failed' }]);
    expect(chargeOf(stack, payment)).toMatchObject({ captured: total, refunded: total });
    expect(await shop.get(payment)).toMatchObject({
      status: 'refunded',
      captured_amount: total,
      refunded_amount: total,
    });
    const refunds = (await ledgerOf(stack, payment)).filter((entry) => entry.startsWith('refund success'));
    const parts = amount === null ? [total] : [amount, total - amount];
    expect(refunds.toSorted()).toEqual(parts.map((part) => `refund success ${part}`).toSorted());
  });

  async function lastRefund({ reference }: Payment): Promise<Json> {
    const headers = { authorization: `Bearer ${stack.bindings['PAYMENT_TEST_SECRET']}` };
    const response = await fetch(`${stack.provider.url}/v1/refunds?payment_intent=${reference}`, { headers });
    return (await response.json()).data[0];
  }
});

describe('an order that waits for its bank, authorized only', () => {
  const WAITS = { provider: 'test', token: 'tok_requires_action', capture: 'manual' };

  async function waiting(): Promise<Buyer & { order: Json }> {
    const one = await buyer();
    const placed = await placeOrder(stack, one.cart.id, WAITS);
    expect(placed).toMatchObject({ status: 201, body: { status: 'pending' } });
    return { ...one, order: placed.body };
  }
  const authenticate = ({ payments: [payment] }: Json) =>
    fetch(payment.next_action.url, { method: 'POST', body: new URLSearchParams({ outcome: 'success' }) });

  test.each([
    { amount: 500, status: 'partially_captured' },
    { amount: null, status: 'captured' },
  ])('people capture $amount before it is learned: the order is confirmed, $status', async ({ amount, status }) => {
    const one = await waiting();
    await authenticate(one.order);
    const payment = await paymentOf(one);
    const body = amount === null ? {} : { amount_to_capture: String(amount) };
    await atProvider(stack, `/v1/payment_intents/${payment.reference}/capture`, body);
    await stack.provider.flushWebhooks();
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'confirmed' }]);
    expect((await ledgerOf(stack, payment)).slice(2)).toEqual([
      `authorize success ${payment.total}`,
      `capture success ${amount ?? payment.total}`,
    ]);
    expect(await shop.get(payment)).toMatchObject({ status, captured_amount: amount ?? payment.total });
    expect(await stockOf(stack, one.sku)).toEqual({ on_hand: 4, reserved: 0 });
  });

  /** The tick gives the payment up, and its call hangs before it reaches the provider. */
  async function givenUpSlowly(one: { order: Json }) {
    await stack.owner.query(`update orders set created_at = now() - interval '2 hours' where id = $1`, [one.order.id]);
    const slow = gate();
    const held = stack.payments.inject(isVerb('/cancel'), { hold_request: slow.opened });
    const ticking = tick(stack);
    await held.fired;
    return { ticking, slow };
  }

  test('the buyer comes back while the tick gives it up: the order fails, nothing is held', async () => {
    const one = await waiting();
    const { ticking, slow } = await givenUpSlowly(one);
    await authenticate(one.order);
    slow.open();
    await ticking;
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'failed' }]);
    expect(chargeOf(stack, await paymentOf(one))).toMatchObject({ status: 'canceled' });
  });

  test('a void that comes so late that the order was confirmed: payment, timeline, event and log say so', async () => {
    const one = await waiting();
    const { ticking, slow } = await givenUpSlowly(one);
    await authenticate(one.order);
    await expireLeases(stack);
    await stack.provider.flushWebhooks();
    const payment = await paymentOf(one);
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'confirmed' }]);
    expect(await shop.get(payment)).toMatchObject({ status: 'authorized' });
    slow.open();
    await ticking;
    expect(chargeOf(stack, payment)).toMatchObject({ status: 'canceled' });
    expect(await shop.get(payment)).toMatchObject({ status: 'voided' });
    expect(await eventsOf(stack, payment.id)).toEqual(['payment.voided']);
    const { body } = await call(stack, 'GET', `/admin/orders/${payment.orderId}/timeline`, undefined, { token });
    expect(body.data.at(-1)).toMatchObject({ type: 'payment.void_success', actor_kind: 'system' });
    expect(stack.logs()).toContainEqual(
      expect.objectContaining({ level: 'error', msg: 'an authorization has ended that nobody here gave up' }),
    );
    await untilNextLook(stack);
    await stack.provider.flushWebhooks();
    expect(await eventsOf(stack, payment.id)).toEqual(['payment.voided']);
  });

  test('whoever was overtaken before it gives nothing up', async () => {
    const one = await waiting();
    await stack.owner.query(`update orders set created_at = now() - interval '2 hours' where id = $1`, [one.order.id]);
    const slow = gate();
    const found = stack.payments.inject(({ method, path }) => method === 'GET' && path.includes('/pi_'), {
      hold_reply: slow.opened,
    });
    const ticking = tick(stack);
    await found.fired;
    await authenticate(one.order);
    await expireLeases(stack);
    await stack.provider.flushWebhooks();
    slow.open();
    await ticking;
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'confirmed' }]);
    expect(stack.payments.exchanges.filter(isVerb('/cancel'))).toEqual([]);
    expect(chargeOf(stack, await paymentOf(one))).toMatchObject({ status: 'requires_capture' });
  });
});
