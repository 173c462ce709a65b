import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { atProvider, CAPTURED, eventsOf, ledgerOf, paymentsAs, placePaid, type Payment } from './fixture.ts';

let stack: Stack;
let shop: ReturnType<typeof paymentsAs>;
beforeAll(async () => {
  stack = await startStack();
  shop = paymentsAs(stack, (await createStaff(stack, ['payments:read', 'refunds:write'])).token);
});
beforeEach(() => stack.provider.setWebhookMode('hold'));
afterAll(() => stack.close());

const opened = ({ reference }: Payment, more: Record<string, string> = {}) =>
  atProvider(stack, '/_disputes', { payment_intent: reference ?? '', ...more });
const closed = (id: string, status: 'won' | 'lost') => atProvider(stack, '/_disputes/close', { id, status });

test('a dispute takes the money back, and nothing of it can be refunded', async () => {
  const payment = await placePaid(stack, CAPTURED);
  await opened(payment);
  await stack.provider.flushWebhooks();
  expect(await shop.get(payment)).toMatchObject({ status: 'charged_back', charged_back_amount: payment.total });
  expect(await shop.ask('refund', payment)).toMatchObject({ status: 409, body: { legal: [] } });
  expect(await eventsOf(stack, payment.id)).toEqual(['payment.charged_back']);
});

const CASES = [
  { status: 'won', mode: 'hold', ends: 'captured' },
  { status: 'won', mode: 'reverse', ends: 'captured' },
  { status: 'won', mode: 'duplicate', ends: 'captured' },
  { status: 'lost', mode: 'hold', ends: 'charged_back' },
  { status: 'lost', mode: 'reverse', ends: 'charged_back' },
  { status: 'lost', mode: 'duplicate', ends: 'charged_back' },
] as const;

test.each(CASES)('$status and told by $mode: the payment ends as $ends', async ({ status, mode, ends }) => {
  const payment = await placePaid(stack, CAPTURED);
  await stack.provider.flushWebhooks();
  stack.provider.setWebhookMode(mode);
  await closed((await opened(payment)).id, status);
  await stack.provider.flushWebhooks();
  const charged_back_amount = ends === 'captured' ? 0 : payment.total;
  expect(await shop.get(payment)).toMatchObject({ status: ends, charged_back_amount });
  const told = (await ledgerOf(stack, payment)).filter((entry) => entry.startsWith('chargeback')).toSorted();
  const success = `chargeback success ${payment.total}`;
  expect(told).toEqual(status === 'won' ? [`chargeback failure ${payment.total}`, success] : [success]);
});

test('of two disputes one is won: the other stands', async () => {
  const payment = await placePaid(stack, CAPTURED);
  const [one] = [await opened(payment), await opened(payment)];
  await closed(one.id, 'won');
  await stack.provider.flushWebhooks();
  expect(await shop.get(payment)).toMatchObject({ status: 'charged_back', charged_back_amount: payment.total });
});

test('of a part the rest can be refunded, and all of it when the part is won', async () => {
  const payment = await placePaid(stack, CAPTURED);
  const { id } = await opened(payment, { amount: '400' });
  await stack.provider.flushWebhooks();
  expect(await shop.get(payment)).toMatchObject({ status: 'charged_back', charged_back_amount: 400 });
  const rest = payment.total - 400;
  expect(await shop.ask('refund', payment, { amount: rest + 1 })).toMatchObject({ status: 422, body: { left: rest } });
  await closed(id, 'won');
  await stack.provider.flushWebhooks();
  expect((await shop.ask('refund', payment)).body).toMatchObject({ refunded_amount: payment.total });
});

test.each(['won', 'lost'] as const)('counted in another currency it is for the whole payment: %s', async (status) => {
  const payment = await placePaid(stack, CAPTURED);
  const { id } = await opened(payment, { amount: '3', currency: 'jpy' });
  await stack.provider.flushWebhooks();
  const open = { status: 'charged_back', charged_back_amount: payment.total };
  expect(await shop.get(payment)).toMatchObject(open);
  await closed(id, status);
  await stack.provider.flushWebhooks();
  expect(await shop.get(payment)).toMatchObject(
    status === 'won' ? { status: 'captured', charged_back_amount: 0 } : open,
  );
  expect(stack.logs().some(({ msg }) => msg === 'a dispute is counted in another currency than its payment')).toBe(
    true,
  );
});
