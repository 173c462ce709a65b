import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { auditOf } from '../admin/fixture.ts';
import { gate } from '../support/order-path.ts';
import { call } from '../support/shop.ts';
import { createStaff, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  atProvider,
  AUTHORIZED,
  BY_HAND,
  CAPTURED,
  chargeOf,
  eventsOf,
  isVerb,
  ledgerOf,
  paymentsAs,
  placePaid,
  tick,
  untilNextLook,
} from './fixture.ts';

let stack: Stack;
let staff: Staff;
let shop: ReturnType<typeof paymentsAs>;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  staff = await createStaff(stack, ['payments:read', 'payments:write']);
  shop = paymentsAs(stack, staff.token);
});
afterEach(() => {
  stack.neon.clear();
  stack.payments.clear();
});
afterAll(() => stack.close());

const AUTHORIZE = (total: number) => [`authorize request ${total}`, `authorize success ${total}`];

describe('what was authorized', () => {
  test('is captured whole: ledger, provider, order, event and audit log agree', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    expect(await shop.get(payment)).toMatchObject({ status: 'authorized', captured_amount: 0, in_doubt: false });
    expect(chargeOf(stack, payment)).toMatchObject({ status: 'requires_capture', captured: 0 });

    const captured = await shop.ask('capture', payment);
    expect(captured.status, captured.text).toBe(200);
    const { id, total } = payment;
    expect(captured.body).toMatchObject({ id, status: 'captured', captured_amount: total, in_doubt: false });
    expect(await ledgerOf(stack, payment)).toEqual([
      ...AUTHORIZE(total),
      `capture request ${total}`,
      `capture success ${total}`,
    ]);
    expect(chargeOf(stack, payment)).toMatchObject({ status: 'succeeded', captured: total });
    const { rows } = await stack.owner.query('select status from orders where id = $1', [payment.orderId]);
    expect(rows).toEqual([{ status: 'confirmed' }]);
    expect(await eventsOf(stack, id)).toEqual(['payment.captured']);
    expect(await auditOf(stack, id)).toMatchObject([
      { action: 'payments.capture', actor_kind: 'staff', actor_id: staff.id },
    ]);
  });

  test('is captured in part, once: what is left has lapsed', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    const captured = await shop.ask('capture', payment, { amount: 700 });
    expect(captured.body).toMatchObject({ status: 'partially_captured', captured_amount: 700 });
    expect(chargeOf(stack, payment)).toMatchObject({ captured: 700 });
    expect(await shop.ask('capture', payment, { amount: 1 })).toMatchObject({
      status: 409,
      body: { code: 'illegal_transition', legal: ['refund'] },
    });
  });

  test('is never captured beyond its amount, and the refusal says what is left', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    const over = await shop.ask('capture', payment, { amount: payment.total + 1 });
    expect(over).toMatchObject({
      status: 422,
      body: { code: 'validation_failed', param: 'amount', left: payment.total },
    });
    expect(await ledgerOf(stack, payment)).toEqual(AUTHORIZE(payment.total));
    expect(await auditOf(stack, payment.id)).toEqual([]);
  });

  test('is captured once by eight who try at the same time', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    const replies = await Promise.all(Array.from({ length: 8 }, () => shop.ask('capture', payment, { amount: 600 })));
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array(7).fill(409)]);
    expect(chargeOf(stack, payment)).toMatchObject({ captured: 600 });
  });
});

describe('an outcome that nobody knows', () => {
  test.each(['drop_request', 'drop_reply'] as const)(
    '%s: 503, and the same key goes on with the same request',
    async (fault) => {
      const payment = await placePaid(stack, AUTHORIZED);
      const key = `capture-${fault}`;
      stack.payments.inject(isVerb('/capture'), fault);
      const lost = await shop.ask('capture', payment, { amount: 900 }, { key });
      expect(lost).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
      expect(Number(lost.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await shop.get(payment)).toMatchObject({ status: 'authorized', in_doubt: true });
      expect(await shop.ask('capture', payment)).toMatchObject({ status: 409, body: { legal: [] } });
      expect(await shop.ask('void', payment)).toMatchObject({ status: 409, body: { legal: [] } });

      const again = await shop.ask('capture', payment, { amount: 900 }, { key });
      expect(again.status, again.text).toBe(200);
      expect(again.body).toMatchObject({ status: 'partially_captured', captured_amount: 900, in_doubt: false });
      expect((await ledgerOf(stack, payment)).slice(2)).toEqual(['capture request 900', 'capture success 900']);
      expect(chargeOf(stack, payment)).toMatchObject({ captured: 900 });
      const keys = stack.payments.exchanges.filter(isVerb('/capture')).map(({ headers }) => headers['idempotency-key']);
      expect([keys.length, new Set(keys).size]).toEqual([2, 1]);
      expect((await shop.ask('capture', payment, { amount: 900 }, { key })).text).toBe(again.text);
    },
  );

  test('a twin with the same key is told that the first is running', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    const slow = gate();
    const held = stack.payments.inject(isVerb('/capture'), { hold_reply: slow.opened });
    const first = shop.ask('capture', payment, {}, { key: 'twin' });
    await held.fired;
    const twin = await shop.ask('capture', payment, {}, { key: 'twin' });
    expect(twin).toMatchObject({ status: 409, body: { code: 'idempotency_in_flight' } });
    expect(twin.headers.get('retry-after')).not.toBeNull();
    slow.open();
    expect((await first).status).toBe(200);
    expect(stack.payments.exchanges.filter(isVerb('/capture'))).toHaveLength(1);
  });

  test('the reply of the batch that opens it is lost: the resend meets its own claim, and one request is made', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    const lost = stack.neon.inject(
      ({ requestBody }) => requestBody.includes('payment_request_leases (request_id'),
      'drop_reply',
    );
    const captured = await shop.ask('capture', payment, {}, { key: 'lost-batch' });
    await lost.fired;
    expect(captured.status, captured.text).toBe(200);
    expect((await ledgerOf(stack, payment)).slice(2)).toEqual([
      `capture request ${payment.total}`,
      `capture success ${payment.total}`,
    ]);
  });

  test('captured, and the key forgotten by the provider: its state tells', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    await atProvider(stack, `/v1/payment_intents/${payment.reference}/capture`);
    const captured = await shop.ask('capture', payment);
    expect(captured).toMatchObject({ status: 200, body: { status: 'captured', captured_amount: payment.total } });
  });
});

describe('what the provider refuses', () => {
  test('is answered with 402 and its reason, again with the same key, and it is written why', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    await atProvider(stack, `/v1/payment_intents/${payment.reference}/cancel`);
    const refused = await shop.ask('capture', payment, {}, { key: 'refused' });
    expect(refused).toMatchObject({
      status: 402,
      body: { code: 'payment_declined', reason: 'payment_intent_unexpected_state' },
    });
    expect((await shop.ask('capture', payment, {}, { key: 'refused' })).body.code).toBe('payment_declined');
    const [, ...ended] = (await ledgerOf(stack, payment)).slice(2);
    expect(ended).toEqual([`capture failure ${payment.total}`, `void success ${payment.total}`]);
    expect(await eventsOf(stack, payment.id)).toEqual(['payment.capture_failed', 'payment.voided']);
    expect(stack.payments.exchanges.filter(isVerb('/capture'))).toHaveLength(1);
    await stack.provider.flushWebhooks();
    expect(await shop.get(payment)).toMatchObject({ status: 'voided' });
  });
});

describe('states', () => {
  test('what is captured can only be refunded', async () => {
    const payment = await placePaid(stack, CAPTURED);
    const legal = ['refund'];
    expect(await shop.ask('capture', payment)).toMatchObject({
      status: 409,
      body: { code: 'illegal_transition', legal },
    });
    expect(await shop.ask('void', payment)).toMatchObject({ status: 409, body: { code: 'illegal_transition', legal } });
  });

  test('captured at the provider itself: told, it is in the ledger, once', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    stack.provider.setWebhookMode('duplicate');
    await atProvider(stack, `/v1/payment_intents/${payment.reference}/capture`, { amount_to_capture: '800' });
    await stack.provider.flushWebhooks();
    stack.provider.setWebhookMode('hold');
    expect(await shop.get(payment)).toMatchObject({ status: 'partially_captured', captured_amount: 800 });
    expect((await ledgerOf(stack, payment)).slice(2)).toEqual(['capture success 800']);
  });

  test('a webhook of our own capture adds nothing to it, also when it comes before the reply', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    const slow = gate();
    const held = stack.payments.inject(isVerb('/capture'), { hold_reply: slow.opened });
    const first = shop.ask('capture', payment);
    await held.fired;
    await stack.provider.flushWebhooks();
    slow.open();
    expect((await first).status).toBe(200);
    expect((await ledgerOf(stack, payment)).slice(2)).toEqual([
      `capture request ${payment.total}`,
      `capture success ${payment.total}`,
    ]);
  });
});

describe('money by hand', () => {
  test('is noted as it comes, in parts, never beyond the amount', async () => {
    const payment = await placePaid(stack, BY_HAND);
    expect(await shop.get(payment)).toMatchObject({ status: 'pending', captured_amount: 0 });
    const first = await shop.ask('capture', payment, { amount: 400 });
    expect(first).toMatchObject({ status: 200, body: { status: 'partially_captured', captured_amount: 400 } });
    const left = payment.total - 400;
    expect(await shop.ask('capture', payment, { amount: left + 1 })).toMatchObject({ status: 422, body: { left } });
    expect((await shop.ask('capture', payment)).body).toMatchObject({
      status: 'captured',
      captured_amount: payment.total,
    });
    expect(await shop.ask('capture', payment)).toMatchObject({ status: 409, body: { legal: ['refund'] } });
    expect(stack.payments.exchanges).toEqual([]);
    expect(await eventsOf(stack, payment.id)).toEqual(['payment.captured', 'payment.captured']);
  });

  test('with one key is noted once', async () => {
    const payment = await placePaid(stack, BY_HAND);
    const key = 'by-hand';
    const first = await shop.ask('capture', payment, { amount: 400 }, { key });
    expect((await shop.ask('capture', payment, { amount: 400 }, { key })).body).toEqual(first.body);
    expect(await shop.ask('capture', payment, { amount: 401 }, { key })).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    });
    expect(await shop.get(payment)).toMatchObject({ captured_amount: 400 });
  });

  test('is noted once by ten parallel twins', async () => {
    const payment = await placePaid(stack, BY_HAND);
    const twins = Array.from({ length: 10 }, () => shop.ask('capture', payment, { amount: 300 }, { key: 'twins' }));
    const statuses = new Set((await Promise.all(twins)).map(({ status }) => status));
    expect([...statuses].every((status) => status === 200 || status === 409)).toBe(true);
    expect(await shop.get(payment)).toMatchObject({ captured_amount: 300 });
  });
});

describe('who may', () => {
  test('capture and void need payments:write, reading payments:read', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    const other = await createStaff(stack, ['refunds:write', 'orders:write']);
    const stranger = paymentsAs(stack, other.token);
    expect((await stranger.ask('capture', payment)).status).toBe(403);
    expect((await stranger.ask('void', payment)).status).toBe(403);
    expect((await stranger.get(payment)).code).toBe('forbidden');
    expect((await call(stack, 'POST', `/admin/payments/${payment.id}/capture`, {})).status).toBe(401);
    expect(await ledgerOf(stack, payment)).toEqual(AUTHORIZE(payment.total));
  });

  test('a payment that is not there is 404', async () => {
    const nobody = { id: '00000000-0000-7000-8000-000000000000', orderId: '', total: 0, reference: null };
    expect(await shop.ask('capture', nobody)).toMatchObject({ status: 404, body: { param: 'id' } });
  });
});

test('the tick leaves nothing open', async () => {
  await untilNextLook(stack);
  await tick(stack);
  const { rows } = await stack.owner.query('select * from payment_balances where open_capture > 0 or open_void');
  expect(rows).toEqual([]);
});
