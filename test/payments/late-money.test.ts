import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isCharge } from '../support/order-path.ts';
import { call, createSku, ordersOf, placeOrder, readyCart, type Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  atProvider,
  chargeOf,
  eventsOf,
  isVerb,
  ledgerOf,
  paymentsAs,
  tick,
  untilNextLook,
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

type Method = { token: string; capture?: 'manual' };

/** The reply to the charge is lost, the provider finds nothing for a day, and the order fails; the money is there. */
async function failedButPaid(method: Method): Promise<Payment> {
  const sku = await createSku(stack, { stock: 5, price: 1000 });
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
  stack.payments.inject(isCharge, 'drop_reply');
  expect((await placeOrder(stack, cart.id, { provider: 'test', ...method })).status).toBe(503);
  stack.payments.inject(({ path }) => path.includes('/search'), { respond: { status: 200, body: '{"data":[]}' } });
  await stack.owner.query(
    `update orders set created_at = now() - interval '25 hours', lease_until = now() - interval '1 hour'
     where cart_id = $1`,
    [cart.id],
  );
  await tick(stack);
  const [order] = await ordersOf(stack, cart.id);
  expect(order).toMatchObject({ status: 'failed' });
  const charge = stack.provider.charges().find(({ order_id }) => order_id === order?.id);
  return { id: charge?.payment_id ?? '', orderId: order?.id ?? '', total: cart.total, reference: charge?.id ?? null };
}

const told = () => stack.provider.flushWebhooks();
const withoutHead = async (payment: Payment) => (await ledgerOf(stack, payment)).slice(2);

async function closeRefund({ reference }: Payment, status: 'succeeded' | 'failed'): Promise<void> {
  const headers = { authorization: `Bearer ${stack.bindings['PAYMENT_TEST_SECRET']}` };
  const listed = await fetch(`${stack.provider.url}/v1/refunds?payment_intent=${reference}`, { headers });
  await atProvider(stack, '/_refunds/close', { id: (await listed.json()).data[0].id, status });
}

async function refundsOf({ orderId }: Payment): Promise<Json> {
  return (await call(stack, 'GET', `/admin/orders/${orderId}`, undefined, { token })).body.refunds;
}

describe('money that came after its order had failed, and whose refund takes its time', () => {
  async function underWay(): Promise<Payment> {
    const payment = await failedButPaid({ token: 'tok_refund_pending' });
    await told();
    expect(await withoutHead(payment)).toEqual([`capture success ${payment.total}`, `refund request ${payment.total}`]);
    expect(await shop.get(payment)).toMatchObject({ captured_amount: payment.total, in_doubt: true });
    return payment;
  }

  test.each(['webhook', 'tick'])('goes through in the end, as the %s learns', async (how) => {
    const payment = await underWay();
    await closeRefund(payment, 'succeeded');
    if (how === 'webhook') await told();
    else {
      await untilNextLook(stack);
      await tick(stack);
    }
    expect((await withoutHead(payment)).at(-1)).toBe(`refund success ${payment.total}`);
    expect(await shop.get(payment)).toMatchObject({ status: 'refunded', in_doubt: false });
    expect(await refundsOf(payment)).toMatchObject([{ status: 'succeeded', reason: 'order_failed' }]);
    expect(await eventsOf(stack, payment.id)).toEqual(['payment.captured', 'payment.refunded']);
    await told();
    expect(await withoutHead(payment)).toHaveLength(3);
  });

  test('fails: the ledger says that the money is here, and staff give it back', async () => {
    const payment = await underWay();
    await closeRefund(payment, 'failed');
    await told();
    expect((await withoutHead(payment)).at(-1)).toBe(`refund failure ${payment.total}`);
    expect(await shop.get(payment)).toMatchObject({ status: 'captured', refunded_amount: 0, in_doubt: false });
    expect(await refundsOf(payment)).toMatchObject([{ status: 'failed' }]);
    expect((await shop.ask('refund', payment, {}, { key: payment.id })).status).toBe(503);
    await closeRefund(payment, 'succeeded');
    await told();
    expect(await shop.get(payment)).toMatchObject({ status: 'refunded', refunded_amount: payment.total });
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: payment.total });
  });

  test('fails, and the bank takes the money back: that is written down, too', async () => {
    const payment = await underWay();
    await closeRefund(payment, 'failed');
    await atProvider(stack, '/_disputes', { payment_intent: payment.reference ?? '' });
    await told();
    expect(await shop.get(payment)).toMatchObject({ status: 'charged_back', charged_back_amount: payment.total });
  });
});

test('a bank takes it back before it is learned that it came: it does not go back twice', async () => {
  const payment = await failedButPaid({ token: 'tok_ok' });
  await stack.owner.query('update payments set provider_reference = $2 where id = $1', [payment.id, payment.reference]);
  await atProvider(stack, '/_disputes', { payment_intent: payment.reference ?? '' });
  stack.provider.setWebhookMode('reverse');
  await told();
  expect((await withoutHead(payment)).toSorted()).toEqual([
    `capture success ${payment.total}`,
    `chargeback success ${payment.total}`,
  ]);
  expect(chargeOf(stack, payment)).toMatchObject({ refunded: 0 });
});

describe('a bank takes it back, and the shop wins it', () => {
  async function disputed() {
    const payment = await failedButPaid({ token: 'tok_ok' });
    await stack.owner.query('update payments set provider_reference = $2 where id = $1', [
      payment.id,
      payment.reference,
    ]);
    const { id } = await atProvider(stack, '/_disputes', { payment_intent: payment.reference ?? '' });
    const win = () => atProvider(stack, '/_disputes/close', { id, status: 'won' });
    return { payment, win };
  }

  const seen = async (payment: Payment) => [chargeOf(stack, payment), await shop.get(payment)];
  const returned = ({ total }: Payment) => [
    { captured: total, refunded: total },
    { status: 'refunded', in_doubt: false },
  ];

  test('after it was learned that it came: it goes back', async () => {
    const { payment, win } = await disputed();
    stack.provider.setWebhookMode('reverse');
    await told();
    expect(await shop.get(payment)).toMatchObject({ status: 'charged_back' });
    expect(chargeOf(stack, payment)).toMatchObject({ refunded: 0 });
    await win();
    await told();
    expect(await seen(payment)).toMatchObject(returned(payment));
  });

  test('before: it goes back, too', async () => {
    const { payment, win } = await disputed();
    await win();
    stack.provider.setWebhookMode('reverse');
    await told();
    expect(await seen(payment)).toMatchObject(returned(payment));
  });
});

describe('what was authorized only when its order had failed', () => {
  async function voidInDoubt(): Promise<Payment> {
    const payment = await failedButPaid({ token: 'tok_ok', capture: 'manual' });
    stack.payments.inject(isVerb('/cancel'), 'drop_request');
    await told();
    expect(await shop.get(payment)).toMatchObject({ status: 'authorized', in_doubt: true });
    return payment;
  }
  async function later(): Promise<void> {
    await untilNextLook(stack);
    await tick(stack);
  }

  test('is voided, by the tick at the latest', async () => {
    const payment = await voidInDoubt();
    await later();
    expect(await shop.get(payment)).toMatchObject({ status: 'voided', in_doubt: false });
    expect(chargeOf(stack, payment)).toMatchObject({ status: 'canceled' });
  });

  test('is captured by people meanwhile: that goes back, too', async () => {
    const payment = await voidInDoubt();
    await atProvider(stack, `/v1/payment_intents/${payment.reference}/capture`);
    await later();
    expect(await shop.get(payment)).toMatchObject({ status: 'refunded', in_doubt: false });
    expect(chargeOf(stack, payment)).toMatchObject({ captured: payment.total, refunded: payment.total });
  });
});
