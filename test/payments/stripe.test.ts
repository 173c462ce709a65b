import { Stripe } from 'stripe';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { STRIPE_API_VERSION } from '../../src/domains/payments/providers/stripe.ts';
import { isCharge } from '../support/order-path.ts';
import { call, createSku, ordersOf, placeOrder, readyCart, stockOf, type Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { atProvider, chargeOf, isVerb, ledgerOf, paymentsAs, placePaid, tick, untilNextLook } from './fixture.ts';

let stack: Stack;
let shop: ReturnType<typeof paymentsAs>;
beforeAll(async () => {
  stack = await startStack({ stripe: true, env: { PAYMENT_TIMEOUT_MS: '2000' } });
  shop = paymentsAs(stack, (await createStaff(stack, ['payments:read', 'payments:write', 'refunds:write'])).token);
});
beforeEach(() => stack.provider.setWebhookMode('hold'));
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const VISA = 'pm_card_visa';
const by = (token: string) => ({ provider: 'stripe', token });
const AUTHORIZED = { ...by(VISA), capture: 'manual' };

async function buyer(): Promise<{ cart: Json; sku: string }> {
  const sku = await createSku(stack, { stock: 5 });
  return { cart: await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]), sku: sku.id };
}

describe('an order paid by Stripe', () => {
  test('is confirmed and charged once, in the version and with the names that the code says', async () => {
    const { cart, sku } = await buyer();
    const placed = await placeOrder(stack, cart.id, by(VISA), { key: 'ok' });
    expect(placed.status, placed.text).toBe(201);
    const [payment] = placed.body.payments;
    expect(payment).toMatchObject({ provider: 'stripe', status: 'captured', captured_amount: cart.total });
    expect(await stockOf(stack, sku)).toEqual({ on_hand: 4, reserved: 0 });
    const [{ headers, requestBody }] = stack.payments.exchanges.filter(isCharge) as [
      (typeof stack.payments.exchanges)[0],
    ];
    expect(headers).toMatchObject({ 'stripe-version': STRIPE_API_VERSION, 'idempotency-key': payment.id });
    expect(Object.fromEntries(new URLSearchParams(requestBody))).toEqual({
      'allowed_payment_method_types[0]': 'card',
      amount: String(cart.total),
      capture_method: 'automatic',
      confirm: 'true',
      currency: 'usd',
      'metadata[order_id]': placed.body.id,
      'metadata[payment_id]': payment.id,
      payment_method: VISA,
      return_url: 'https://shop.example.test/paid',
    });
  });

  test('is refused when the card is: 402 with the reason, and the stock is on offer again', async () => {
    const { cart, sku } = await buyer();
    const declined = await placeOrder(stack, cart.id, by('pm_card_visa_chargeDeclined'));
    expect(declined).toMatchObject({ status: 402, body: { code: 'payment_declined', reason: 'generic_decline' } });
    expect(await stockOf(stack, sku)).toEqual({ on_hand: 5, reserved: 0 });
  });

  test.each([
    ['success', 'confirmed'],
    ['failure', 'failed'],
  ])('waits for the bank, and ends by the webhook: %s', async (outcome, status) => {
    const { cart } = await buyer();
    const waiting = await placeOrder(stack, cart.id, by('pm_card_threeDSecure2Required'));
    expect(waiting).toMatchObject({
      status: 201,
      body: { status: 'pending', payments: [{ status: 'requires_action' }] },
    });
    await fetch(waiting.body.payments[0].next_action.url, { method: 'POST', body: new URLSearchParams({ outcome }) });
    await stack.provider.flushWebhooks();
    expect(await ordersOf(stack, cart.id)).toMatchObject([{ status }]);
  });

  test.each(['drop_request', 'drop_reply'] as const)(
    '%s: in doubt, and the same key makes one charge',
    async (fault) => {
      const { cart } = await buyer();
      // The SDK itself asks a second time when a connection is closed on it, under the same key.
      stack.payments.inject(isCharge, fault, 2);
      const lost = await placeOrder(stack, cart.id, by(VISA), { key: fault });
      expect(lost).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
      stack.payments.clear();
      const again = await placeOrder(stack, cart.id, by(VISA), { key: fault });
      expect(again.status, again.text).toBe(201);
      const charges = stack.provider.charges().filter(({ order_id }) => order_id === again.body.id);
      expect(charges).toMatchObject([{ captured: cart.total }]);
    },
  );

  test('no answer in time is in doubt, too', async () => {
    const { cart } = await buyer();
    stack.provider.script({ match: { path: '/v1/payment_intents' }, delay_ms: 3_000 });
    expect((await placeOrder(stack, cart.id, by(VISA), { key: 'slow' })).body.code).toBe('payment_in_doubt');
    await expect
      .poll(async () => (await placeOrder(stack, cart.id, by(VISA), { key: 'slow' })).status, { timeout: 20_000 })
      .toBe(201);
    expect(stack.provider.charges().filter(({ amount }) => amount === cart.total).length).toBeGreaterThan(0);
  });

  test.each(['tok_ok', 'visa', ''])('a token of %j is refused before anything is asked', async (token) => {
    const { cart } = await buyer();
    const refused = await placeOrder(stack, cart.id, by(token));
    expect(refused).toMatchObject({ status: 422, body: { code: 'validation_failed' } });
    expect(stack.payments.exchanges).toEqual([]);
  });
});

describe('what staff ask of Stripe', () => {
  test('capture, refund in parts, and what is left', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    expect((await shop.ask('capture', payment, { amount: 900 })).body).toMatchObject({ status: 'partially_captured' });
    expect((await shop.ask('refund', payment, { amount: 200 })).body).toMatchObject({ refunded_amount: 200 });
    expect(await shop.ask('refund', payment, { amount: 701 })).toMatchObject({ status: 422, body: { left: 700 } });
    expect(chargeOf(stack, payment)).toMatchObject({ captured: 900, refunded: 200 });
  });

  test('void', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    expect(await shop.ask('void', payment)).toMatchObject({ status: 200, body: { status: 'voided' } });
    expect(chargeOf(stack, payment)).toMatchObject({ status: 'canceled' });
  });

  test('a refund whose reply is lost is found by its name and not asked for again', async () => {
    const payment = await placePaid(stack, by(VISA));
    stack.payments.inject(isVerb('/v1/refunds'), 'drop_reply', 2);
    expect((await shop.ask('refund', payment, { amount: 300 }, { key: 'lost' })).status).toBe(503);
    stack.payments.clear();
    const again = await shop.ask('refund', payment, { amount: 300 }, { key: 'lost' });
    expect(again).toMatchObject({ status: 200, body: { refunded_amount: 300 } });
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: 300 });
    expect(stack.payments.exchanges.filter(isVerb('/v1/refunds'))).toEqual([]);
  });

  test('what Stripe refuses is answered with its reason', async () => {
    const payment = await placePaid(stack, by(VISA));
    await atProvider(stack, '/v1/refunds', { payment_intent: payment.reference ?? '' });
    const refused = await shop.ask('refund', payment, { amount: 1 });
    expect(refused).toMatchObject({ status: 402, body: { reason: 'charge_already_refunded' } });
  });

  test('refunds and disputes of the dashboard are told, and what is missed is fetched by its name', async () => {
    const payment = await placePaid(stack, by(VISA));
    await stack.provider.flushWebhooks();
    await atProvider(stack, '/v1/refunds', { payment_intent: payment.reference ?? '', amount: '100' });
    stack.payments.inject(({ method }) => method === 'GET', { respond: { status: 500, body: '{}' } }, 6);
    await stack.provider.flushWebhooks();
    stack.payments.clear();
    await untilNextLook(stack);
    await tick(stack);
    expect(await shop.get(payment)).toMatchObject({ refunded_amount: 100, status: 'partially_refunded' });
    await atProvider(stack, '/_disputes', { payment_intent: payment.reference ?? '' });
    await stack.provider.flushWebhooks();
    expect(await shop.get(payment)).toMatchObject({ status: 'charged_back' });
    expect((await ledgerOf(stack, payment)).slice(2)).toEqual([
      'refund success 100',
      `chargeback success ${payment.total}`,
    ]);
  });

  test('a charge that is older than its key is searched for, not made again', async () => {
    const { cart } = await buyer();
    stack.payments.inject(isCharge, 'drop_reply', 2);
    expect((await placeOrder(stack, cart.id, by(VISA))).status).toBe(503);
    stack.payments.clear();
    await stack.owner.query(
      `update orders set created_at = now() - interval '21 hours', lease_until = now() - interval '1 minute' where cart_id = $1`,
      [cart.id],
    );
    await tick(stack);
    expect(await ordersOf(stack, cart.id)).toMatchObject([{ status: 'confirmed' }]);
    expect(stack.payments.exchanges.filter(isCharge)).toEqual([]);
  });
});

describe('signatures', () => {
  const { webhooks } = new Stripe('sk_test_of_this_file');
  const payload = JSON.stringify({
    id: 'evt_1',
    object: 'event',
    type: 'customer.created',
    data: { object: { id: 'cus_1', object: 'customer' } },
  });
  const secret = () => stack.bindings['STRIPE_WEBHOOK_SECRET'] ?? '';
  const now = () => Math.floor(Date.now() / 1000);
  const deliver = (signature: string, body = payload) =>
    stack.fetch('/api/v1/webhooks/payments/stripe', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(signature !== '' && { 'stripe-signature': signature }) },
      body,
    });

  test("the official SDK's own test header is accepted", async () => {
    const header = webhooks.generateTestHeaderString({ payload, secret: secret() });
    expect((await deliver(header)).status).toBe(204);
  });

  test('what was tampered with is refused, and names the header', async () => {
    const header = webhooks.generateTestHeaderString({ payload, secret: secret() });
    const refused = await deliver(header, payload.replace('cus_1', 'cus_2'));
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ code: 'unauthenticated', param: 'Stripe-Signature' });
  });

  test('an old one is refused, a recent one not', async () => {
    const at = (timestamp: number) => webhooks.generateTestHeaderString({ payload, secret: secret(), timestamp });
    expect((await deliver(at(now() - 310))).status).toBe(401);
    expect((await deliver(at(now() - 240))).status).toBe(204);
  });

  test('another secret, another scheme, none and garbage are refused', async () => {
    const other = webhooks.generateTestHeaderString({ payload, secret: 'whsec_of_somebody_else' });
    const scheme = webhooks.generateTestHeaderString({ payload, secret: secret(), scheme: 'v0' });
    for (const header of [other, scheme, '', 't=1,v1=ff', 'hello']) expect((await deliver(header)).status).toBe(401);
  });

  test('signed, but no event: refused', async () => {
    for (const body of ['[]', 'no json', '{"id":"evt_2"}']) {
      const header = webhooks.generateTestHeaderString({ payload: body, secret: secret() });
      expect((await deliver(header, body)).status).toBe(401);
    }
  });
});

test('where it is not set up, 422 provider_unavailable', async () => {
  const plain = await startStack();
  try {
    const sku = await createSku(plain, { stock: 1 });
    const cart = await readyCart(plain, [{ sku_id: sku.id, quantity: 1 }]);
    const refused = await placeOrder(plain, cart.id, by(VISA));
    expect(refused).toMatchObject({ status: 422, body: { code: 'provider_unavailable', param: 'payment.provider' } });
    expect((await call(plain, 'POST', '/webhooks/payments/stripe', {})).body.code).toBe('provider_unavailable');
  } finally {
    await plain.close();
  }
});
