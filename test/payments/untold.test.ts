import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  atProvider,
  AUTHORIZED,
  CAPTURED,
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
let shop: ReturnType<typeof paymentsAs>;
beforeAll(async () => {
  stack = await startStack();
  shop = paymentsAs(stack, (await createStaff(stack, ['payments:read', 'payments:write', 'refunds:write'])).token);
});
beforeEach(() => stack.provider.setWebhookMode('hold'));
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const withoutHead = async (payment: Payment) => (await ledgerOf(stack, payment)).slice(2);

async function later(): Promise<void> {
  await untilNextLook(stack);
  await tick(stack);
}

/** What happens meanwhile is told to nobody. */
async function untold<Result>(happens: () => Promise<Result>): Promise<Result> {
  stack.provider.setWebhookUrl('http://127.0.0.1:9');
  const result = await happens();
  await stack.provider.flushWebhooks();
  stack.provider.setWebhookUrl(`${stack.url}/api/v1/webhooks/payments/test`);
  return result;
}

describe('a dispute about money whose capture was told to nobody', () => {
  const AT = {
    'with a lost reply': async (payment: Payment) => {
      stack.payments.inject(isVerb('/capture'), 'drop_reply');
      expect((await shop.ask('capture', payment)).status).toBe(503);
    },
    'at the provider itself': ({ reference }: Payment) => atProvider(stack, `/v1/payment_intents/${reference}/capture`),
  };
  const CASES = (['with a lost reply', 'at the provider itself'] as const).flatMap((how) =>
    (['won', 'lost'] as const).map((end) => [how, end] as const),
  );

  test.each(CASES)('%s, and %s: both are known in the end', async (how, end) => {
    const payment = await placePaid(stack, AUTHORIZED);
    await untold(() => AT[how](payment));
    const { id } = await atProvider(stack, '/_disputes', { payment_intent: payment.reference ?? '' });
    await stack.provider.flushWebhooks();
    const { total } = payment;
    const opened = { status: 'charged_back', captured_amount: total, charged_back_amount: total, in_doubt: false };
    expect(await shop.get(payment)).toMatchObject(opened);
    await atProvider(stack, '/_disputes/close', { id, status: end });
    await stack.provider.flushWebhooks();
    await later();
    const won = { status: 'captured', captured_amount: total, charged_back_amount: 0, in_doubt: false };
    expect(await shop.get(payment)).toMatchObject(end === 'won' ? won : opened);
    expect((await withoutHead(payment)).filter((entry) => entry === `capture success ${total}`)).toHaveLength(1);
    expect((await eventsOf(stack, payment.id)).toSorted()).toEqual([
      'payment.captured',
      'payment.charged_back',
      ...(end === 'won' ? ['payment.dispute_won'] : []),
    ]);
  });
});

describe('a refund that is refused, since people have given money back at the provider and nobody was told', () => {
  const givenBack = async (amount?: number): Promise<Payment> => {
    const payment = await placePaid(stack, CAPTURED);
    await stack.provider.flushWebhooks();
    const more: Record<string, string> = amount === undefined ? {} : { amount: String(amount) };
    await untold(() => atProvider(stack, '/v1/refunds', { payment_intent: payment.reference ?? '', ...more }));
    return payment;
  };
  const isList = ({ method, path }: { method: string; path: string }) =>
    method === 'GET' && path.startsWith('/v1/refunds');

  test('finds out by itself what went back', async () => {
    const payment = await givenBack();
    const { total } = payment;
    const refused = await shop.ask('refund', payment, { amount: 1 });
    expect(refused).toMatchObject({ status: 402, body: { reason: 'charge_already_refunded' } });
    expect(await shop.get(payment)).toMatchObject({ status: 'refunded', refunded_amount: total, in_doubt: false });
    expect(await withoutHead(payment)).toEqual(['refund request 1', `refund success ${total}`, 'refund failure 1']);
    expect(await eventsOf(stack, payment.id)).toEqual(['payment.refunded', 'payment.refund_failed']);
    expect(await shop.ask('refund', payment)).toMatchObject({ status: 409, body: { from: 'refunded', legal: [] } });
  });

  test('of a part: what is left can go back, and what is told of it later counts once', async () => {
    const payment = await givenBack(400);
    const { total } = payment;
    expect((await shop.ask('refund', payment)).status).toBe(402);
    expect(await shop.get(payment)).toMatchObject({ status: 'partially_refunded', refunded_amount: 400 });
    const rest = await shop.ask('refund', payment);
    expect(rest.body, rest.text).toMatchObject({ status: 'refunded', refunded_amount: total });
    stack.provider.setWebhookMode('duplicate');
    await stack.provider.flushWebhooks();
    await later();
    expect(await shop.get(payment)).toMatchObject({ status: 'refunded', refunded_amount: total, in_doubt: false });
    expect(chargeOf(stack, payment)).toMatchObject({ captured: total, refunded: total });
  });

  test('is refused all the same where the provider does not list what it has made', async () => {
    const payment = await givenBack();
    stack.payments.inject(isList, { respond: { status: 500, body: '{}' } });
    expect((await shop.ask('refund', payment, { amount: 1 })).status).toBe(402);
    expect(await withoutHead(payment)).toEqual(['refund request 1', 'refund failure 1']);
    expect((await shop.ask('refund', payment, { amount: 1 })).status).toBe(402);
    expect(await shop.get(payment)).toMatchObject({ status: 'refunded', refunded_amount: payment.total });
  });
});
