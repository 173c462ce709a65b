import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  AUTHORIZED,
  CAPTURED,
  chargeOf,
  isVerb,
  ledgerOf,
  placePaid,
  tick,
  type Payment,
} from '../payments/fixture.ts';
import { call, type Json } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { awaitStored, storedReply } from '../support/stored.ts';
import { createStaff } from '../support/staff.ts';

let stack: Stack;
let token: string;
beforeAll(async () => {
  stack = await startStack({ env: { PAYMENT_TIMEOUT_MS: '1000' } });
  stack.provider.setWebhookMode('hold');
  token = (await createStaff(stack, 'owner')).token;
});
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const SLOW_REFUND = { provider: 'test', token: 'tok_refund_pending' };
const AMOUNT = 400;

interface Verb {
  name: string;
  paid: typeof CAPTURED;
  path: (payment: Payment) => string;
  body: Json;
  /** What the ledger calls it. */
  kind: string;
}

const VERBS: Verb[] = [
  {
    name: 'POST /admin/payments/{id}/refund',
    paid: CAPTURED,
    path: ({ id }) => `/admin/payments/${id}/refund`,
    body: { amount: AMOUNT },
    kind: 'refund',
  },
  {
    name: 'POST /admin/orders/{id}/refunds',
    paid: CAPTURED,
    path: ({ orderId }) => `/admin/orders/${orderId}/refunds`,
    body: { amount: AMOUNT, reason: 'other' },
    kind: 'refund',
  },
  {
    name: 'POST /admin/payments/{id}/capture',
    paid: AUTHORIZED,
    path: ({ id }) => `/admin/payments/${id}/capture`,
    body: { amount: AMOUNT },
    kind: 'capture',
  },
];

const sendOf = ({ name, path, body }: Verb, payment: Payment) => {
  const key = `kept ${name} ${payment.id}`.replaceAll(/[^\w-]/g, '-');
  const send = () => call(stack, 'POST', path(payment), body, { token, key });
  const reply = () => storedReply(stack, key);
  const isKept = async () => (await stack.owner.query('select from idempotency_keys where key = $1', [key])).rowCount;
  return { send, key, reply, isKept };
};

/** So much later the cleaning job comes. */
async function after(age: string): Promise<void> {
  await stack.owner.query(
    `update idempotency_keys set created_at = created_at - $1::interval, lease_until = lease_until - $1::interval`,
    [age],
  );
  await tick(stack);
}

const requestsOf = async (payment: Payment, kind: string) =>
  (await ledgerOf(stack, payment)).filter((row) => row === `${kind} request ${AMOUNT}`);

describe('F11 the cleaning job comes a day later, and the outcome was not told: one request at the provider', () => {
  test.each(VERBS)('$name that the provider did not answer', async (verb) => {
    const payment = await placePaid(stack, verb.paid);
    const { send, key, reply } = sendOf(verb, payment);
    stack.payments.inject(isVerb(verb.kind === 'refund' ? '/v1/refunds' : '/capture'), 'drop_reply', 3);
    expect(await send()).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    stack.payments.clear();
    await after('25 hours');
    const retried = await send();
    expect(retried.status, retried.text).toBeLessThan(300);
    expect(await requestsOf(payment, verb.kind)).toHaveLength(1);
    if (verb.kind === 'refund') expect(chargeOf(stack, payment)).toMatchObject({ refunded: AMOUNT });

    // A day after it was told, the key is forgotten as any other.
    await awaitStored(stack, key);
    await after('25 hours');
    expect(await reply()).toBeNull();
  });

  test.each(VERBS.filter(({ kind }) => kind === 'refund'))('$name that is pending at the provider', async (verb) => {
    const payment = await placePaid(stack, { ...verb.paid, ...SLOW_REFUND });
    const { send, isKept } = sendOf(verb, payment);
    expect(await send()).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    for (const age of ['25 hours', '30 days']) {
      await after(age);
      expect((await send()).body.code).toMatch(/payment_in_doubt|idempotency_in_flight/);
    }
    expect(await requestsOf(payment, verb.kind)).toHaveLength(1);

    await after('90 days');
    expect(await isKept()).toBe(0);
  });
});

test('a key that was told late is kept for a day from then', async () => {
  const [verb] = VERBS;
  if (!verb) throw new Error('no verb');
  const payment = await placePaid(stack, CAPTURED);
  const { send, key } = sendOf(verb, payment);
  stack.payments.inject(isVerb('/v1/refunds'), 'drop_reply', 3);
  expect((await send()).status).toBe(503);
  stack.payments.clear();
  await after('25 hours');
  const told = await send();
  await awaitStored(stack, key);
  await tick(stack);
  expect(await send()).toMatchObject({ status: 200, text: told.text });
  expect(await requestsOf(payment, 'refund')).toHaveLength(1);
});
