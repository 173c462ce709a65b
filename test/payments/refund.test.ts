import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { auditOf } from '../admin/fixture.ts';
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
  type Payment,
} from './fixture.ts';

let stack: Stack;
let staff: Staff;
let shop: ReturnType<typeof paymentsAs>;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  staff = await createStaff(stack, ['payments:read', 'payments:write', 'refunds:write']);
  shop = paymentsAs(stack, staff.token);
});
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const withoutHead = async (payment: Payment) => (await ledgerOf(stack, payment)).slice(2);
const isRefund = isVerb('/v1/refunds');

describe('amounts', () => {
  test('parts add up to what was captured, never more, and each refusal says what is left', async () => {
    const payment = await placePaid(stack, CAPTURED);
    const { total } = payment;
    const first = await shop.ask('refund', payment, { amount: 300, reason: 'damaged' });
    expect(first).toMatchObject({ status: 200, body: { status: 'partially_refunded', refunded_amount: 300 } });
    const over = await shop.ask('refund', payment, { amount: total - 299 });
    expect(over).toMatchObject({ status: 422, body: { param: 'amount', left: total - 300 } });
    const rest = await shop.ask('refund', payment);
    expect(rest.body).toMatchObject({ status: 'refunded', refunded_amount: total });
    expect(await shop.ask('refund', payment)).toMatchObject({ status: 409, body: { legal: [] } });
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: total });
    expect(await eventsOf(stack, payment.id)).toEqual(['payment.refunded', 'payment.refunded']);
    expect(await auditOf(stack, payment.id)).toMatchObject([
      { action: 'payments.refund', details: { amount: 300, reason: 'damaged' } },
      { action: 'payments.refund', details: { reason: 'requested_by_customer' } },
    ]);
  });

  test('of a part that was captured only that part comes back', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    expect(await shop.ask('refund', payment)).toMatchObject({ status: 409, body: { legal: ['capture', 'void'] } });
    await shop.ask('capture', payment, { amount: 500 });
    expect(await shop.ask('refund', payment, { amount: 501 })).toMatchObject({ status: 422, body: { left: 500 } });
    expect((await shop.ask('refund', payment)).body).toMatchObject({ status: 'refunded', refunded_amount: 500 });
  });

  test('ten at the same time never exceed what was captured', async () => {
    const payment = await placePaid(stack, CAPTURED);
    const amount = Math.floor(payment.total / 3);
    const replies = await Promise.all(Array.from({ length: 10 }, () => shop.ask('refund', payment, { amount })));
    const statuses = replies.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses.filter((status) => status === 200)).toHaveLength(3);
    expect(statuses.every((status) => [200, 409, 422].includes(status))).toBe(true);
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: 3 * amount });
    expect(await shop.get(payment)).toMatchObject({ refunded_amount: 3 * amount, in_doubt: false });
  });

  test.each([0, -1, 1.5, '5', 1e13])('an amount of %s is refused before anything is asked', async (amount) => {
    const payment = await placePaid(stack, CAPTURED);
    expect((await shop.ask('refund', payment, { amount })).status).toBe(422);
    expect(await withoutHead(payment)).toEqual([]);
  });

  test('money by hand that came goes back by hand', async () => {
    const payment = await placePaid(stack, BY_HAND);
    expect(await shop.ask('refund', payment)).toMatchObject({ status: 409, body: { legal: ['capture', 'void'] } });
    await shop.ask('capture', payment, { amount: 600 });
    expect((await shop.ask('refund', payment, { amount: 200 })).body).toMatchObject({ refunded_amount: 200 });
    expect(await shop.ask('refund', payment, { amount: 401 })).toMatchObject({ status: 422, body: { left: 400 } });
  });
});

describe('an outcome that nobody knows', () => {
  test('the same key goes on with the same request: one refund', async () => {
    const payment = await placePaid(stack, CAPTURED);
    stack.payments.inject(isRefund, 'drop_reply');
    const lost = await shop.ask('refund', payment, { amount: 400 }, { key: 'lost' });
    expect(lost).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: 400 });
    // What is in doubt is not offered to anybody else.
    const left = payment.total - 400;
    expect(await shop.ask('refund', payment, { amount: left + 1 })).toMatchObject({ status: 422, body: { left } });

    const again = await shop.ask('refund', payment, { amount: 400 }, { key: 'lost' });
    expect(again).toMatchObject({ status: 200, body: { refunded_amount: 400, in_doubt: false } });
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: 400 });
    expect(await withoutHead(payment)).toEqual(['refund request 400', 'refund success 400']);
    expect(await eventsOf(stack, payment.id)).toEqual(['payment.refunded']);
    // A provider may have forgotten the key by then: it was looked for, not asked for again.
    expect(stack.payments.exchanges.filter(isRefund)).toHaveLength(1);
  });

  test('one that never reached the provider is asked for again under its own key', async () => {
    const payment = await placePaid(stack, CAPTURED);
    stack.payments.inject(isRefund, 'drop_request');
    expect((await shop.ask('refund', payment, { amount: 400 }, { key: 'never' })).status).toBe(503);
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: 0 });
    expect((await shop.ask('refund', payment, { amount: 400 }, { key: 'never' })).status).toBe(200);
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: 400 });
    const keys = stack.payments.exchanges.filter(isRefund).map(({ headers }) => headers['idempotency-key']);
    expect([keys.length, new Set(keys).size]).toEqual([2, 1]);
  });

  test('while it cannot be looked up it is not asked for again', async () => {
    const payment = await placePaid(stack, CAPTURED);
    stack.payments.inject(isRefund, 'drop_reply');
    await shop.ask('refund', payment, { amount: 400 }, { key: 'blind' });
    stack.payments.inject(({ method }) => method === 'GET', { respond: { status: 500, body: '{}' } });
    expect((await shop.ask('refund', payment, { amount: 400 }, { key: 'blind' })).status).toBe(503);
    expect(stack.payments.exchanges.filter(isRefund)).toHaveLength(1);
    expect((await shop.ask('refund', payment, { amount: 400 }, { key: 'blind' })).status).toBe(200);
  });

  test('an own webhook that comes before the retry settles the request', async () => {
    const payment = await placePaid(stack, CAPTURED);
    stack.payments.inject(isRefund, 'drop_reply');
    expect((await shop.ask('refund', payment, { amount: 400 })).status).toBe(503);
    await stack.provider.flushWebhooks();
    expect(await shop.get(payment)).toMatchObject({ refunded_amount: 400, in_doubt: false });
    expect(await withoutHead(payment)).toEqual(['refund request 400', 'refund success 400']);
  });
});

describe('refunds made at the provider itself', () => {
  test('are written down once, told twice and in any order, beside ours', async () => {
    const payment = await placePaid(stack, CAPTURED);
    const refund = (amount: string) =>
      atProvider(stack, '/v1/refunds', { payment_intent: payment.reference ?? '', amount });
    await refund('100');
    await shop.ask('refund', payment, { amount: 200 });
    await refund('50');
    stack.provider.setWebhookMode('reverse');
    await stack.provider.flushWebhooks();
    stack.provider.setWebhookMode('duplicate');
    await refund('25');
    await stack.provider.flushWebhooks();
    stack.provider.setWebhookMode('hold');
    expect(await shop.get(payment)).toMatchObject({ refunded_amount: 375, status: 'partially_refunded' });
    expect((await withoutHead(payment)).toSorted()).toEqual([
      'refund request 200',
      'refund success 100',
      'refund success 200',
      'refund success 25',
      'refund success 50',
    ]);
    expect(await shop.ask('refund', payment, { amount: payment.total - 374 })).toMatchObject({
      status: 422,
      body: { left: payment.total - 375 },
    });
  });

  test('one that leaves too little for ours: refused by the provider, and the reason is told', async () => {
    const payment = await placePaid(stack, CAPTURED);
    await atProvider(stack, '/v1/refunds', { payment_intent: payment.reference ?? '' });
    const refused = await shop.ask('refund', payment, { amount: 1 });
    expect(refused).toMatchObject({
      status: 402,
      body: { code: 'payment_declined', reason: 'charge_already_refunded' },
    });
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: payment.total });
  });
});

test('refunds need refunds:write', async () => {
  const payment = await placePaid(stack, CAPTURED);
  const other = await createStaff(stack, ['payments:read', 'payments:write', 'orders:write']);
  expect((await paymentsAs(stack, other.token).ask('refund', payment)).status).toBe(403);
  expect(await withoutHead(payment)).toEqual([]);
});
