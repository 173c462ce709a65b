import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  atProvider,
  AUTHORIZED,
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
  shop = paymentsAs(stack, (await createStaff(stack, ['payments:read', 'payments:write'])).token);
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
