import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { auditOf } from '../admin/fixture.ts';
import { createStaff, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  atProvider,
  AUTHORIZED,
  BY_HAND,
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

test('what is authorized is given up at the provider, and nothing can follow', async () => {
  const payment = await placePaid(stack, AUTHORIZED);
  const voided = await shop.ask('void', payment);
  expect(voided.status, voided.text).toBe(200);
  expect(voided.body).toMatchObject({ status: 'voided', captured_amount: 0 });
  expect(await withoutHead(payment)).toEqual([`void request ${payment.total}`, `void success ${payment.total}`]);
  expect(chargeOf(stack, payment)).toMatchObject({ status: 'canceled', captured: 0 });
  expect(await eventsOf(stack, payment.id)).toEqual(['payment.voided']);
  expect(await auditOf(stack, payment.id)).toMatchObject([
    { action: 'payments.void', actor_id: staff.id, details: {} },
  ]);
  for (const verb of ['capture', 'void', 'refund'] as const) {
    expect(await shop.ask(verb, payment)).toMatchObject({
      status: 409,
      body: { code: 'illegal_transition', legal: [] },
    });
  }
});

test('a lost reply is 503, and the same key goes on with the same request', async () => {
  const payment = await placePaid(stack, AUTHORIZED);
  stack.payments.inject(isVerb('/cancel'), 'drop_reply');
  expect(await shop.ask('void', payment, {}, { key: 'void' })).toMatchObject({ status: 503 });
  const again = await shop.ask('void', payment, {}, { key: 'void' });
  expect(again).toMatchObject({ status: 200, body: { status: 'voided', in_doubt: false } });
  expect(await withoutHead(payment)).toEqual([`void request ${payment.total}`, `void success ${payment.total}`]);
});

test('canceled at the provider before, with or without our knowing: it is voided', async () => {
  const [ours, told] = [await placePaid(stack, AUTHORIZED), await placePaid(stack, AUTHORIZED)];
  for (const { reference } of [ours, told]) await atProvider(stack, `/v1/payment_intents/${reference}/cancel`);
  expect(await shop.ask('void', ours)).toMatchObject({ status: 200, body: { status: 'voided' } });
  await stack.provider.flushWebhooks();
  expect(await withoutHead(ours)).toEqual([`void request ${ours.total}`, `void success ${ours.total}`]);
  expect(await withoutHead(told)).toEqual([`void success ${told.total}`]);
  expect(await shop.get(told)).toMatchObject({ status: 'voided' });
  expect(await eventsOf(stack, told.id)).toEqual(['payment.voided']);
});

test('a capture and a void at the same time: one of them is refused, and the provider agrees', async () => {
  const payment = await placePaid(stack, AUTHORIZED);
  const [capture, void_] = await Promise.all([shop.ask('capture', payment), shop.ask('void', payment)]);
  expect([capture.status, void_.status].toSorted((a, b) => a - b)).toEqual([200, 409]);
  const isCaptured = capture.status === 200;
  expect(chargeOf(stack, payment)).toMatchObject({ status: isCaptured ? 'succeeded' : 'canceled' });
  expect(await shop.get(payment)).toMatchObject({ status: isCaptured ? 'captured' : 'voided' });
});

test('money by hand that is not expected any more is voided without asking anybody', async () => {
  const payment = await placePaid(stack, BY_HAND);
  expect(await shop.ask('void', payment)).toMatchObject({ status: 200, body: { status: 'voided' } });
  expect(await shop.ask('capture', payment)).toMatchObject({ status: 409, body: { legal: [] } });
  expect(stack.payments.exchanges).toEqual([]);
});
