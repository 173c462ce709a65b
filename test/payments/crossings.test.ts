import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { gate } from '../support/order-path.ts';
import { call, createSku, readyCart, type Json, type Reply } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  atProvider,
  AUTHORIZED,
  chargeOf,
  eventsOf,
  isVerb,
  ledgerOf,
  paymentsAs,
  placePaid,
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

const isVoid = isVerb('/cancel');
const isCapture = isVerb('/capture');

/** What people do in the provider's dashboard. */
const dashboard = {
  capture: ({ reference }: Payment, amount?: number) =>
    atProvider(stack, `/v1/payment_intents/${reference}/capture`, amount ? { amount_to_capture: String(amount) } : {}),
  cancel: ({ reference }: Payment) => atProvider(stack, `/v1/payment_intents/${reference}/cancel`),
};

const cancel = (orderId: string, body: Json = {}): Promise<Reply> =>
  call(stack, 'POST', `/admin/orders/${orderId}/cancel`, { reason: 'other', ...body }, { token });
const orderOf = async ({ orderId }: Payment): Promise<Json> =>
  (await call(stack, 'GET', `/admin/orders/${orderId}`, undefined, { token })).body;
const withoutHead = async (payment: Payment) => (await ledgerOf(stack, payment)).slice(2);

async function later(): Promise<void> {
  await untilNextLook(stack);
  await tick(stack);
}

/** Order, ledger, provider and event stream of money that went back, however it had come. */
async function expectGivenBack(payment: Payment): Promise<void> {
  const { total } = payment;
  expect(await withoutHead(payment)).toEqual([
    `void request ${total}`,
    `void failure ${total}`,
    `capture success ${total}`,
    `refund request ${total}`,
    `refund success ${total}`,
  ]);
  expect(chargeOf(stack, payment)).toMatchObject({ captured: total, refunded: total });
  expect(await shop.get(payment)).toMatchObject({ status: 'refunded', in_doubt: false });
  expect(await orderOf(payment)).toMatchObject({
    status: 'canceled',
    refunds: [{ status: 'succeeded', amount: total, reason: 'order_canceled' }],
  });
  expect(await eventsOf(stack, payment.id)).toEqual(['payment.void_failed', 'payment.captured', 'payment.refunded']);
}

describe('an order is canceled while people capture its payment at the provider', () => {
  test('told while our void is in doubt: the void gets its result, and the money goes back, once', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    stack.payments.inject(isVoid, 'drop_request');
    expect((await cancel(payment.orderId)).status).toBe(200);
    expect(await withoutHead(payment)).toEqual([`void request ${payment.total}`]);
    await dashboard.capture(payment);
    await stack.provider.flushWebhooks();
    await expectGivenBack(payment);
    await later();
    await expectGivenBack(payment);
  });

  test('told while our void is under way: deliver again, and in the end the money goes back', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    await stack.provider.flushWebhooks();
    const slow = gate();
    const held = stack.payments.inject(isVoid, { hold_request: slow.opened });
    const canceling = cancel(payment.orderId);
    await held.fired;
    await dashboard.capture(payment);
    await stack.provider.flushWebhooks();
    const { rows } = await stack.owner.query(
      `select attempts, applied_at from payment_webhook_events where type = 'payment_intent.succeeded' and payment_id = $1`,
      [payment.id],
    );
    expect(rows).toEqual([{ attempts: 3, applied_at: null }]);
    slow.open();
    expect((await canceling).status).toBe(200);
    await expectGivenBack(payment);
    await later();
    await expectGivenBack(payment);
  });

  test('never told: the void that is refused finds out by itself', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    await dashboard.capture(payment);
    expect((await cancel(payment.orderId)).status).toBe(200);
    await expectGivenBack(payment);
  });

  test('told after the void had failed for another reason', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    const body = JSON.stringify({ error: { type: 'invalid_request_error', code: 'lock_timeout' } });
    stack.payments.inject(isVoid, { respond: { status: 400, body } });
    await cancel(payment.orderId);
    expect(await withoutHead(payment)).toEqual([`void request ${payment.total}`, `void failure ${payment.total}`]);
    await dashboard.capture(payment);
    await stack.provider.flushWebhooks();
    await expectGivenBack(payment);
  });

  test('the refund of it is in doubt: the same one is asked for again, by the tick', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    await dashboard.capture(payment);
    stack.payments.inject(isVerb('/v1/refunds'), 'drop_reply');
    await cancel(payment.orderId);
    expect(await shop.get(payment)).toMatchObject({ status: 'captured', in_doubt: true });
    await later();
    await expectGivenBack(payment);
  });

  test('of canceled units their part goes back', async () => {
    const sku = await createSku(stack, { stock: 5, price: 1000 });
    const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 2 }]);
    const { body } = await call(stack, 'POST', '/orders', { cart_id: cart.id, payment: AUTHORIZED });
    const { rows } = await stack.owner.query('select provider_reference from payments where order_id = $1', [body.id]);
    const [{ id }] = body.payments;
    const payment = { id, orderId: body.id, total: body.total, reference: rows[0].provider_reference };
    const items = [{ item_id: body.items[0].id, quantity: 1 }];
    expect((await cancel(body.id, { items })).status).toBe(200);
    const { waived_amount: waived } = await shop.get(payment);
    expect(waived).toBeGreaterThanOrEqual(1000);
    await dashboard.capture(payment);
    await stack.provider.flushWebhooks();
    expect(chargeOf(stack, payment)).toMatchObject({ captured: payment.total, refunded: waived });
    expect(await shop.get(payment)).toMatchObject({ status: 'partially_refunded', refunded_amount: waived });
  });

  test('canceled without its money: it stays where it is', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    expect((await cancel(payment.orderId, { refund: false })).status).toBe(200);
    await dashboard.capture(payment);
    await stack.provider.flushWebhooks();
    expect(await withoutHead(payment)).toEqual([`capture success ${payment.total}`]);
  });
});

describe('our capture is in doubt', () => {
  async function inDoubt(): Promise<Payment> {
    const payment = await placePaid(stack, AUTHORIZED);
    await stack.provider.flushWebhooks();
    stack.payments.inject(isCapture, 'drop_request');
    expect(await shop.ask('capture', payment, { amount: 1000 }, { key: payment.id })).toMatchObject({ status: 503 });
    return payment;
  }

  test.each(['told', 'asked again'])('and people capture another amount: theirs is written down, %s', async (how) => {
    const payment = await inDoubt();
    await dashboard.capture(payment, 500);
    if (how === 'told') await stack.provider.flushWebhooks();
    expect(await shop.ask('capture', payment, { amount: 1000 }, { key: payment.id })).toMatchObject({ status: 402 });
    expect(await withoutHead(payment)).toEqual(['capture request 1000', 'capture failure 1000', 'capture success 500']);
    expect(await shop.get(payment)).toMatchObject({ status: 'partially_captured', captured_amount: 500 });
    expect(await eventsOf(stack, payment.id)).toEqual(['payment.capture_failed', 'payment.captured']);
  });

  test('and the authorization ends: the payment is voided', async () => {
    const payment = await inDoubt();
    await dashboard.cancel(payment);
    expect(await shop.ask('capture', payment, { amount: 1000 }, { key: payment.id })).toMatchObject({ status: 402 });
    expect((await withoutHead(payment)).at(-1)).toBe(`void success ${payment.total}`);
    expect(await shop.get(payment)).toMatchObject({ status: 'voided', in_doubt: false });
  });
});
