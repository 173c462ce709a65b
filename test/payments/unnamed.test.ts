import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isCharge } from '../support/order-path.ts';
import { createSku, expireLeases, ordersOf, placeOrder, readyCart, stockOf, type Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { atProvider, AUTHORIZED, chargeOf, ledgerOf, paymentsAs, placePaid, tick, type Payment } from './fixture.ts';

let stack: Stack;
let shop: ReturnType<typeof paymentsAs>;
beforeAll(async () => {
  stack = await startStack();
  shop = paymentsAs(stack, (await createStaff(stack, 'owner')).token);
});
beforeEach(() => stack.provider.setWebhookMode('hold'));
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const KEPT = { keep_error: true };
const NOT_DONE = { keep_error: true, status: 500 };

interface Buyer {
  cart: Json;
  sku: string;
  /** Asks for the order under one key, as often as it is called. */
  order(): Promise<Json>;
}

async function buyer(capture: 'automatic' | 'manual' = 'automatic'): Promise<Buyer> {
  const { id: sku } = await createSku(stack, { stock: 5, price: 1000 });
  const cart = await readyCart(stack, [{ sku_id: sku, quantity: 1 }]);
  const payment = { provider: 'test', token: 'tok_ok', capture };
  return { cart, sku, order: () => placeOrder(stack, cart.id, payment, { key: `order-${cart.id}` }) };
}

/** The payment as the provider has it, whether or not the shop knows its name. */
async function paymentOf({ cart }: Buyer): Promise<Payment> {
  const { rows } = await stack.owner.query(
    `select p.id, p.order_id, p.provider_reference from payments p join orders o on o.id = p.order_id
     where o.cart_id = $1`,
    [cart.id],
  );
  const [{ id, order_id }] = rows;
  const charge = stack.provider.charges().find(({ payment_id }) => payment_id === id);
  return { id, orderId: order_id, total: cart.total, reference: charge?.id ?? null };
}

async function withLostReply(capture: 'automatic' | 'manual'): Promise<Buyer> {
  const one = await buyer(capture);
  stack.payments.inject(isCharge, 'drop_reply');
  expect((await one.order()).status).toBe(503);
  return one;
}

describe('the reply to the charge is lost, and what people did in the dashboard is told before it', () => {
  test.each([300, null])('they refund %s of it: the order is confirmed, and the ledger has it', async (part) => {
    const one = await withLostReply('automatic');
    const { reference, total } = await paymentOf(one);
    const amount = part ?? total;
    await atProvider(stack, '/v1/refunds', { payment_intent: reference ?? '', amount: String(amount) });
    stack.provider.setWebhookMode('reverse');
    await stack.provider.flushWebhooks();
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'confirmed' }]);
    const payment = await paymentOf(one);
    expect((await ledgerOf(stack, payment)).slice(1)).toEqual([`capture success ${total}`, `refund success ${amount}`]);
    expect(await shop.get(payment)).toMatchObject({ captured_amount: total, refunded_amount: amount });
  });

  test('they cancel what is authorized: nothing is paid, the order fails', async () => {
    const one = await withLostReply('manual');
    await atProvider(stack, `/v1/payment_intents/${(await paymentOf(one)).reference}/cancel`);
    stack.provider.setWebhookMode('reverse');
    await stack.provider.flushWebhooks();
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'failed' }]);
    expect(await shop.get(await paymentOf(one))).toMatchObject({ status: 'failed', captured_amount: 0 });
    expect(await stockOf(stack, one.sku)).toEqual({ on_hand: 5, reserved: 0 });
  });

  test('they capture a part of what is authorized: the order is confirmed with it', async () => {
    const one = await withLostReply('manual');
    const { reference } = await paymentOf(one);
    await atProvider(stack, `/v1/payment_intents/${reference}/capture`, { amount_to_capture: '500' });
    stack.provider.setWebhookMode('reverse');
    await stack.provider.flushWebhooks();
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'confirmed' }]);
    expect(await shop.get(await paymentOf(one))).toMatchObject({ status: 'partially_captured', captured_amount: 500 });
  });
});

describe('the provider has failed, and repeats that under the same key', () => {
  const failing = (script: object) =>
    stack.provider.script({ match: { method: 'POST', path: '/v1/payment_intents' }, ...script });

  test('after it had charged: its webhook confirms the order', async () => {
    const one = await buyer();
    failing(KEPT);
    expect((await one.order()).status).toBe(503);
    await stack.provider.flushWebhooks();
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'confirmed' }]);
    expect(stack.provider.charges().filter(({ payment_id }) => payment_id === undefined)).toEqual([]);
    expect(chargeOf(stack, await paymentOf(one))).toMatchObject({ captured: one.cart.total });
  });

  test.each(['the buyer', 'the tick'])('after it had charged: %s finds it, without a webhook', async (who) => {
    const one = await buyer();
    failing(KEPT);
    expect((await one.order()).status).toBe(503);
    if (who === 'the buyer') expect((await one.order()).body).toMatchObject({ status: 'confirmed' });
    else await tick(stack);
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'confirmed' }]);
    expect((await ledgerOf(stack, await paymentOf(one))).slice(1)).toEqual([`capture success ${one.cart.total}`]);
  });

  test('before it charged: nothing is found, which proves nothing, and nothing is charged', async () => {
    const one = await buyer();
    failing(NOT_DONE);
    for (let times = 0; times < 3; times += 1) expect((await one.order()).body.code).toBe('payment_in_doubt');
    await expireLeases(stack);
    await tick(stack);
    expect(await ordersOf(stack, one.cart.id)).toMatchObject([{ status: 'pending' }]);
    expect((await paymentOf(one)).reference).toBeNull();
  });
});

describe('a capture or void to which the provider repeats that it has failed', () => {
  const failing = (verb: 'capture' | 'cancel', script: object) =>
    stack.provider.script({ match: { method: 'POST', path: `/v1/payment_intents/*/${verb}` }, ...script });

  test.each([
    ['capture', 'capture', 'captured'],
    ['void', 'cancel', 'voided'],
  ] as const)('a %s that was done: whoever asks again learns it', async (verb, path, status) => {
    const payment = await placePaid(stack, AUTHORIZED);
    failing(path, KEPT);
    expect((await shop.ask(verb, payment, {}, { key: payment.id })).status).toBe(503);
    expect(await shop.get(payment)).toMatchObject({ in_doubt: true });
    expect(await shop.ask(verb, payment, {}, { key: payment.id })).toMatchObject({ status: 200, body: { status } });
    expect((await ledgerOf(stack, payment)).slice(2)).toEqual([
      `${verb} request ${payment.total}`,
      `${verb} success ${payment.total}`,
    ]);
  });

  test('one that was not done stays in doubt', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    failing('capture', NOT_DONE);
    for (let times = 0; times < 2; times += 1)
      expect((await shop.ask('capture', payment, {}, { key: payment.id })).body.code).toBe('payment_in_doubt');
    expect(await shop.get(payment)).toMatchObject({ status: 'authorized', in_doubt: true });
  });

  test.each([
    ['capture', 'cancel', 'voided'],
    ['void', 'capture', 'captured'],
  ] as const)(
    'a %s that was not done, and people %s it: refused, theirs is written down',
    async (verb, theirs, status) => {
      const payment = await placePaid(stack, AUTHORIZED);
      failing(verb === 'void' ? 'cancel' : verb, NOT_DONE);
      expect((await shop.ask(verb, payment, {}, { key: payment.id })).status).toBe(503);
      await atProvider(stack, `/v1/payment_intents/${payment.reference}/${theirs}`);
      expect((await shop.ask(verb, payment, {}, { key: payment.id })).status).toBe(402);
      expect(await shop.get(payment)).toMatchObject({ status, in_doubt: false });
    },
  );
});
