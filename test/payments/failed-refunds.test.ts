import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { call, type Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  atProvider,
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
let token: string;
let shop: ReturnType<typeof paymentsAs>;
beforeAll(async () => {
  stack = await startStack();
  ({ token } = await createStaff(stack, 'owner'));
  shop = paymentsAs(stack, token);
});
beforeEach(() => stack.provider.setWebhookMode('hold'));
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const withoutHead = async (payment: Payment) => (await ledgerOf(stack, payment)).slice(2);
const ends = (id: string, status: 'succeeded' | 'failed') => atProvider(stack, '/_refunds/close', { id, status });

/** Newest first, as the provider lists them. */
async function refundsOf({ reference }: Payment): Promise<Json[]> {
  const response = await fetch(`${stack.provider.url}/v1/refunds?payment_intent=${reference}&limit=100`, {
    headers: { authorization: `Bearer ${stack.bindings['PAYMENT_TEST_SECRET']}` },
  });
  return (await response.json()).data;
}

const dashboardRefund = ({ reference }: Payment, amount: number): Promise<Json> =>
  atProvider(stack, '/v1/refunds', { payment_intent: reference ?? '', amount: String(amount) });

describe('a refund that fails after the provider had said that it succeeded', () => {
  test.each(['hold', 'reverse', 'duplicate'] as const)('is none any more, told by %s', async (mode) => {
    const payment = await placePaid(stack, CAPTURED);
    await shop.ask('refund', payment, { amount: 400 });
    expect(await shop.get(payment)).toMatchObject({ status: 'partially_refunded', refunded_amount: 400 });
    stack.provider.setWebhookMode(mode);
    await ends((await refundsOf(payment))[0].id, 'failed');
    await stack.provider.flushWebhooks();
    expect(await shop.get(payment)).toMatchObject({ status: 'captured', refunded_amount: 0 });
    expect(await withoutHead(payment)).toEqual(['refund request 400', 'refund success 400', 'refund failure 400']);
    expect(await eventsOf(stack, payment.id)).toEqual(['payment.refunded', 'payment.refund_failed']);
    expect(stack.logs().findLast(({ msg }) => msg === 'a refund failed after it had succeeded')).toBeDefined();
    // All of the money can go back: none of it has.
    expect((await shop.ask('refund', payment)).body).toMatchObject({ refunded_amount: payment.total });
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: payment.total });
  });

  test('of two made at the provider itself the other one stands', async () => {
    const payment = await placePaid(stack, CAPTURED);
    const [first] = [await dashboardRefund(payment, 300), await dashboardRefund(payment, 200)];
    await stack.provider.flushWebhooks();
    expect(await shop.get(payment)).toMatchObject({ refunded_amount: 500 });
    await ends(first.id, 'failed');
    await stack.provider.flushWebhooks();
    expect(await shop.get(payment)).toMatchObject({ refunded_amount: 200, status: 'partially_refunded' });
  });

  test('of a line: the order says so, and the line can be refunded again', async () => {
    const payment = await placePaid(stack, CAPTURED);
    const path = `/admin/orders/${payment.orderId}`;
    const order = (await call(stack, 'GET', path, undefined, { token })).body;
    const body = { items: [{ item_id: order.items[0].id, quantity: 1 }], reason: 'damaged' };
    expect((await call(stack, 'POST', `${path}/refunds`, body, { token })).body).toMatchObject({ status: 'succeeded' });
    await ends((await refundsOf(payment))[0].id, 'failed');
    await stack.provider.flushWebhooks();
    const after = (await call(stack, 'GET', path, undefined, { token })).body;
    expect(after).toMatchObject({
      payment_status: 'captured',
      refunds: [{ status: 'failed', failure_reason: 'refund_failed' }],
    });
    const again = await call(stack, 'POST', `${path}/refunds`, body, { token });
    expect(again.body, again.text).toMatchObject({ status: 'succeeded' });
  });
});

describe('a refund that takes its time', () => {
  test.each([
    ['succeeded', 'refund success 400', 400],
    ['failed', 'refund failure 400', 0],
  ] as const)('is in doubt until it has %s', async (status, entry, refunded_amount) => {
    const payment = await placePaid(stack, { provider: 'test', token: 'tok_refund_pending' });
    expect(await shop.ask('refund', payment, { amount: 400 })).toMatchObject({ status: 503 });
    expect(await shop.get(payment)).toMatchObject({ refunded_amount: 0, in_doubt: true });
    await stack.provider.flushWebhooks();
    expect(await withoutHead(payment)).toEqual(['refund request 400']);
    await ends((await refundsOf(payment))[0].id, status);
    await stack.provider.flushWebhooks();
    expect(await withoutHead(payment)).toEqual(['refund request 400', entry]);
    expect(await shop.get(payment)).toMatchObject({ refunded_amount, in_doubt: false });
    expect(stack.payments.exchanges.filter(isVerb('/v1/refunds'))).toHaveLength(1);
  });
});

test('behind a hundred newer refunds ours is found, and not asked for again', async () => {
  const payment = await placePaid(stack, CAPTURED);
  stack.payments.inject(isVerb('/v1/refunds'), 'drop_reply');
  expect((await shop.ask('refund', payment, { amount: 7 }, { key: 'behind' })).status).toBe(503);
  for (let count = 0; count < 100; count += 1) await dashboardRefund(payment, 1);
  const again = await shop.ask('refund', payment, { amount: 7 }, { key: 'behind' });
  expect(again.status, again.text).toBe(200);
  expect(stack.payments.exchanges.filter(isVerb('/v1/refunds'))).toHaveLength(1);
  const pages = stack.payments.exchanges.filter(
    ({ method, path }) => method === 'GET' && path.startsWith('/v1/refunds'),
  );
  expect(pages.map(({ path }) => path.includes('starting_after'))).toEqual([false, true]);
});
