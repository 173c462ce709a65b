import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  atProvider,
  AUTHORIZED,
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
  stack.provider.setWebhookMode('hold');
  shop = paymentsAs(stack, (await createStaff(stack, ['payments:read', 'payments:write'])).token);
});
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const ASKED = 900;
type Ending = 'capture' | 'void';
const PATHS = { capture: '/capture', void: '/cancel' } as const;

const dashboard = ({ reference }: Payment, path: string, body: Record<string, string> = {}) =>
  atProvider(stack, `/v1/payment_intents/${reference}${path}`, body);
const withoutHead = async (payment: Payment) => (await ledgerOf(stack, payment)).slice(2);
const amountOf = (verb: Ending, { total }: Payment) => (verb === 'capture' ? ASKED : total);

/** The provider answers with this state of the payment instead of what was asked for, so many times. */
async function answeredOtherwise(verb: Ending, payment: Payment, state: object, times: number): Promise<void> {
  const intent = { id: payment.reference, currency: 'usd', amount: payment.total, amount_received: 0 };
  const body = JSON.stringify({ ...intent, amount_capturable: 0, ...state });
  stack.payments.inject(isVerb(PATHS[verb]), { respond: { status: 200, body } }, times);
  const told = await shop.ask(verb, payment, verb === 'capture' ? { amount: ASKED } : {});
  expect(told).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
  expect(await withoutHead(payment)).toEqual([`${verb} request ${amountOf(verb, payment)}`]);
  expect(await shop.get(payment)).toMatchObject({ status: 'authorized', captured_amount: 0, in_doubt: true });
  expect(await eventsOf(stack, payment.id)).toEqual([]);
}

async function later(): Promise<void> {
  await untilNextLook(stack);
  await tick(stack);
}

const CASES = [
  ['capture', 'another amount', { status: 'succeeded', amount_received: 700 }],
  ['capture', 'another status', { status: 'requires_capture', amount_capturable: ASKED }],
  ['capture', 'the end', { status: 'canceled' }],
  ['void', 'money', { status: 'succeeded', amount_received: 700 }],
  ['void', 'another status', { status: 'requires_capture', amount_capturable: ASKED }],
] as const;

describe.each(CASES)('a %s that is answered with %s', (verb, _name, state) => {
  const DONE = { capture: 'partially_captured', void: 'voided' } as const;

  test('is in doubt, and asked for again', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    await answeredOtherwise(verb, payment, state, 1);
    await later();
    const amount = amountOf(verb, payment);
    expect(await withoutHead(payment)).toEqual([`${verb} request ${amount}`, `${verb} success ${amount}`]);
    expect(await shop.get(payment)).toMatchObject({ status: DONE[verb], in_doubt: false });
    expect(chargeOf(stack, payment)).toMatchObject({ captured: verb === 'capture' ? ASKED : 0 });
  });

  test('also when that is repeated, is done once the payment says so', async () => {
    const payment = await placePaid(stack, AUTHORIZED);
    await answeredOtherwise(verb, payment, state, 3);
    await later();
    expect(await shop.get(payment)).toMatchObject({ status: 'authorized', captured_amount: 0, in_doubt: true });
    await dashboard(payment, PATHS[verb], verb === 'capture' ? { amount_to_capture: String(ASKED) } : {});
    await later();
    expect((await withoutHead(payment)).at(-1)).toBe(`${verb} success ${amountOf(verb, payment)}`);
    expect(await shop.get(payment)).toMatchObject({ status: DONE[verb], in_doubt: false });
  });
});

test.each(['capture', 'void'] as const)('a %s whose answer is what others took: that is written down', async (verb) => {
  const payment = await placePaid(stack, AUTHORIZED);
  await dashboard(payment, '/capture', { amount_to_capture: '700' });
  await answeredOtherwise(verb, payment, { status: 'succeeded', amount_received: 700 }, 2);
  await later();
  const amount = amountOf(verb, payment);
  expect(await withoutHead(payment)).toEqual([
    `${verb} request ${amount}`,
    `${verb} failure ${amount}`,
    'capture success 700',
  ]);
  expect(await shop.get(payment)).toMatchObject({ status: 'partially_captured', captured_amount: 700 });
});
