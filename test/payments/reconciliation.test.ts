import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  atProvider,
  AUTHORIZED,
  BY_HAND,
  CAPTURED,
  chargeOf,
  isVerb,
  ledgerOf,
  paymentsAs,
  placePaid,
  tick,
  untilNextLook,
  type Payment,
} from './fixture.ts';

let stack: Stack;
let shop: ReturnType<typeof paymentsAs>;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  shop = paymentsAs(stack, (await createStaff(stack, ['payments:read', 'payments:write', 'refunds:write'])).token);
});
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const isRefund = isVerb('/v1/refunds');

/** Seconds until the tick looks at the open request of a payment again, and how often it was asked about. */
async function waitOf(payment: Payment): Promise<{ wait: number; attempts: number }> {
  const { rows } = await stack.owner.query(
    `select l.attempts, extract(epoch from l.next_at - now())::float as wait
     from payment_request_leases l join payment_transactions t on t.id = l.request_id where t.payment_id = $1`,
    [payment.id],
  );
  return rows[0];
}

describe('requests in doubt', () => {
  test('are settled by the tick, later each time, with one refund in the end', async () => {
    const payment = await placePaid(stack, CAPTURED);
    let isAway = true;
    stack.payments.inject(() => isAway, 'drop_reply', Number.POSITIVE_INFINITY);
    expect((await shop.ask('refund', payment, { amount: 300 })).status).toBe(503);
    let last = 0;
    for (const [attempts, atMost] of [
      [2, 10],
      [3, 20],
      [4, 40],
    ] as const) {
      await tick(stack);
      expect((await waitOf(payment)).attempts).toBe(attempts - 1);
      await untilNextLook(stack);
      await tick(stack);
      const now = await waitOf(payment);
      expect(now.attempts).toBe(attempts);
      expect(now.wait).toBeGreaterThan(last);
      expect(now.wait).toBeLessThanOrEqual(atMost);
      last = now.wait;
    }
    isAway = false;
    await untilNextLook(stack);
    await tick(stack);
    expect(await shop.get(payment)).toMatchObject({ refunded_amount: 300, in_doubt: false });
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: 300 });
    expect(stack.logs().findLast(({ msg }) => msg === 'tick')).toMatchObject({ payment_requests_settled: 1 });
  });

  test('are found in the list of payments', async () => {
    const payment = await placePaid(stack, CAPTURED);
    stack.payments.inject(isRefund, 'drop_request');
    await shop.ask('refund', payment, { amount: 300 });
    expect(await waitOf(payment)).toMatchObject({ attempts: 1 });
    expect(await shop.get(payment)).toMatchObject({ in_doubt: true });
    await untilNextLook(stack);
    await tick(stack);
    expect(await shop.get(payment)).toMatchObject({ in_doubt: false, refunded_amount: 300 });
    // Nothing looks at it any more.
    expect(await waitOf(payment)).toBeUndefined();
  });

  test('whose worker crashed after the batch are asked for by the tick', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    const crashed = stack.neon.inject(
      ({ requestBody }) => requestBody.includes('update payment_request_leases'),
      'drop_request',
      3,
    );
    expect((await shop.ask('capture', payment, { amount: 400 })).status).toBe(503);
    await crashed.fired;
    stack.neon.clear();
    expect(stack.payments.exchanges.filter(isVerb('/capture'))).toEqual([]);
    await untilNextLook(stack);
    await tick(stack);
    expect((await ledgerOf(stack, payment)).slice(2)).toEqual(['capture request 400', 'capture success 400']);
    expect(chargeOf(stack, payment)).toMatchObject({ captured: 400 });
  });

  test('two ticks at the same time ask once', async () => {
    const payment = await placePaid(stack, CAPTURED);
    stack.payments.inject(isRefund, 'drop_request');
    await shop.ask('refund', payment, { amount: 300 });
    await untilNextLook(stack);
    stack.payments.clear();
    await Promise.all([tick(stack), tick(stack)]);
    expect(stack.payments.exchanges.filter(isRefund)).toHaveLength(1);
    expect(await shop.get(payment)).toMatchObject({ refunded_amount: 300 });
  });
});

test('only what is in doubt is looked at again: a request has a lease no longer than until its result', async () => {
  const [captured, refused, byHand] = [
    await placePaid(stack, AUTHORIZED),
    await placePaid(stack, AUTHORIZED),
    await placePaid(stack, BY_HAND),
  ];
  await shop.ask('capture', captured);
  await atProvider(stack, `/v1/payment_intents/${refused.reference}/cancel`);
  expect(await shop.ask('capture', refused)).toMatchObject({ status: 402 });
  await shop.ask('capture', byHand);
  for (const payment of [captured, refused, byHand]) expect(await waitOf(payment)).toBeUndefined();
});

test('the Worker may append to the ledger and change nothing in it', async () => {
  const worker = new pg.Client({ connectionString: stack.bindings['DATABASE_URL'] ?? '' });
  await worker.connect();
  try {
    for (const table of ['payment_transactions', 'refunds', 'refund_items']) {
      const denied = { code: '42501' };
      await expect(worker.query(`delete from ${table}`)).rejects.toMatchObject(denied);
      await expect(worker.query(`truncate ${table}`)).rejects.toMatchObject(denied);
    }
    const update = worker.query('update payment_transactions set amount = 0');
    await expect(update).rejects.toMatchObject({ code: '42501' });
  } finally {
    await worker.end();
  }
});
