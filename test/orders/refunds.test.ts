import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { as, auditOf, refusal, type Asker } from '../admin/fixture.ts';
import type { Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { awaitStored } from '../support/stored.ts';
import { AUTHORIZED, buy, BY_HAND, chargeOf, done, eventsOf, moneyMoves, type Bought } from './fixture.ts';

let stack: Stack;
let staff: Asker;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  const permissions = ['orders:read', 'orders:write', 'refunds:write', 'payments:write', 'payments:read'];
  staff = as(stack, (await createStaff(stack, permissions)).token);
});
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

const refund = ({ id }: Bought, body: Json, options = {}) => staff.post(`/orders/${id}/refunds`, body, options);
const isRefund = ({ method, path }: { method: string; path: string }) => method === 'POST' && path === '/v1/refunds';
const lineOf = ({ order, itemIds }: Bought, index = 0): Json =>
  order.items.find(({ id }: Json) => id === itemIds[index]);
const shippingOf = ({ order }: Bought): number =>
  order.shipping_total + (order.tax_inclusive ? 0 : order.shipping_tax_total);

describe('money goes back', () => {
  test('for each unit of a line, until the line is used up', async () => {
    const bought = await buy(stack, [{ quantity: 3, price: 333 }, { quantity: 1 }]);
    const { id: item_id, total } = lineOf(bought);
    const amounts: number[] = [];
    for (let unit = 0; unit < 3; unit += 1) {
      const body = done(await refund(bought, { items: [{ item_id, quantity: 1 }], reason: 'damaged' }));
      expect(body).toMatchObject({ status: 'succeeded', reason: 'damaged', shipping_amount: 0 });
      expect(body.items).toEqual([{ item_id, quantity: 1, amount: body.amount }]);
      amounts.push(body.amount);
    }
    expect(amounts.reduce((sum, amount) => sum + amount)).toBe(total);
    const refused = await refund(bought, { items: [{ item_id, quantity: 1 }] });
    expect(refusal(refused)).toEqual([422, 'validation_failed', 'items[0].quantity']);
    expect(refused.body.errors).toMatchObject([{ left: 0 }]);
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: total });
  });

  test('for shipping, for a line and as an amount in one refund', async () => {
    const bought = await buy(stack, [{ quantity: 1, price: 2000 }, { quantity: 1 }]);
    const [line, shipping] = [lineOf(bought), shippingOf(bought)];
    expect(shipping).toBeGreaterThan(0);
    const items = [{ item_id: line.id, quantity: 1 }];
    const body = done(await refund(bought, { items, shipping_amount: shipping, amount: 25 }));
    expect(body).toMatchObject({ amount: line.total + shipping + 25, shipping_amount: shipping });
    const { body: order } = await staff.get(`/orders/${bought.id}`);
    expect(order).toMatchObject({ status: 'confirmed', payment_status: 'partially_refunded', refunds: [body] });
    expect(await refund(bought, { shipping_amount: 1 })).toMatchObject({
      status: 422,
      body: { param: 'shipping_amount', left: 0 },
    });
    expect(await eventsOf(stack, bought.id)).toEqual(['order.placed', 'order.refund_created']);
    expect(await auditOf(stack, bought.id)).toMatchObject([
      { action: 'orders.refund', details: { refund_id: body.id, amount: body.amount } },
    ]);
  });

  test('never more than was paid and not returned, whatever it is for', async () => {
    const bought = await buy(stack, [{ quantity: 1, price: 1000 }]);
    const { total } = bought.order;
    done(await refund(bought, { amount: total - 100 }));
    const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
    for (const body of [{ items }, { amount: 101 }]) {
      expect(await refund(bought, body)).toMatchObject({ status: 422, body: { param: 'amount', left: 100 } });
    }
    done(await refund(bought, { amount: 100 }));
    expect(await refund(bought, { amount: 1 })).toMatchObject({
      status: 409,
      body: { code: 'illegal_transition', legal: [] },
    });
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: total });
  });

  test('once it was taken: before that the payment says what it can do', async () => {
    for (const payment of [AUTHORIZED, BY_HAND]) {
      const bought = await buy(stack, [{ quantity: 1 }], { payment });
      const refused = await refund(bought, { amount: 100 });
      expect(refused).toMatchObject({ status: 409, body: { code: 'illegal_transition', legal: ['capture', 'void'] } });
      done(await staff.post(`/payments/${bought.order.payments[0].id}/capture`, { amount: 300 }));
      expect(done(await refund(bought, { amount: 300 }))).toMatchObject({ status: 'succeeded' });
    }
  });

  test.each([{}, { amount: 0 }, { amount: 0, shipping_amount: 0 }])('not for nothing: %o', async (body) => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    expect(refusal(await refund(bought, body))).toEqual([422, 'validation_failed', 'amount']);
  });

  test('after a cancellation only what that left', async () => {
    const bought = await buy(stack, [{ quantity: 2, price: 500 }, { quantity: 1 }]);
    const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
    done(await staff.post(`/orders/${bought.id}/cancel`, { reason: 'other', items }));
    done(await refund(bought, { items }));
    const refused = await refund(bought, { items });
    expect(refused.body.errors).toMatchObject([{ requested: 1, left: 0 }]);
    done(await staff.post(`/orders/${bought.id}/cancel`, { reason: 'other' }));
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: bought.order.total });
  });

  test('by those who hold the permission, for orders that are there', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const clerk = as(stack, (await createStaff(stack, ['orders:read', 'orders:write', 'payments:write'])).token);
    expect((await clerk.post(`/orders/${bought.id}/refunds`, { amount: 1 })).status).toBe(403);
    expect(refusal(await staff.post(`/orders/${randomUUID()}/refunds`, { amount: 1 }))).toEqual([
      404,
      'not_found',
      'id',
    ]);
  });
});

describe('an outcome that nobody knows', () => {
  test('is asked about again under the same key: one refund', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    const key = randomUUID();
    stack.payments.inject(isRefund, 'drop_reply');
    const lost = await refund(bought, { amount: 400 }, { key });
    expect(lost).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
    expect(Number(lost.headers.get('retry-after'))).toBeGreaterThan(0);
    const again = await refund(bought, { amount: 400 }, { key });
    expect(again).toMatchObject({ status: 201, body: { status: 'succeeded', amount: 400 } });
    expect((await refund(bought, { amount: 400 }, { key })).text).toBe(again.text);
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: 400 });
    expect(await moneyMoves(stack, bought.id)).toEqual(['refund request 400', 'refund success 400']);
  });

  test('counts as if it will succeed: its units are not refunded again', async () => {
    const bought = await buy(stack, [{ quantity: 1 }, { quantity: 1 }]);
    const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
    stack.payments.inject(isRefund, 'drop_request');
    expect((await refund(bought, { items })).status).toBe(503);
    expect((await refund(bought, { items })).body.errors).toMatchObject([{ left: 0 }]);
    expect((await staff.get(`/orders/${bought.id}`)).body.refunds).toMatchObject([{ status: 'pending' }]);
  });
});

test('what the provider refuses is no refund: its units can be refunded again', async () => {
  const bought = await buy(stack, [{ quantity: 1 }, { quantity: 1 }]);
  const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
  const error = { type: 'invalid_request_error', code: 'insufficient_funds', message: 'No.' };
  const key = randomUUID();
  stack.payments.inject(isRefund, { respond: { status: 400, body: JSON.stringify({ error }) } });
  const refused = await refund(bought, { items }, { key });
  expect(refused).toMatchObject({ status: 402, body: { code: 'payment_declined', reason: 'insufficient_funds' } });
  await awaitStored(stack, key);
  expect((await refund(bought, { items }, { key })).text).toBe(refused.text);
  expect((await staff.get(`/orders/${bought.id}`)).body.refunds).toMatchObject([
    { status: 'failed', failure_reason: 'insufficient_funds' },
  ]);
  done(await refund(bought, { items }));
  expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: lineOf(bought).total });
});

describe('at the same time', () => {
  test('the units of a line are refunded as often as there are any', async () => {
    const bought = await buy(stack, [{ quantity: 3, price: 333 }, { quantity: 1 }]);
    const { id: item_id, total } = lineOf(bought);
    const items = [{ item_id, quantity: 1 }];
    const replies = await Promise.all(Array.from({ length: 6 }, () => refund(bought, { items })));
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 201, 201, 422, 422, 422]);
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: total });
  });

  test('refunds of the order and of its payment never exceed what was paid', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    const { total, payments } = bought.order;
    const amount = Math.floor(total / 3);
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        index % 2 === 0 ? refund(bought, { amount }) : staff.post(`/payments/${payments[0].id}/refund`, { amount }),
      ),
    );
    expect(replies.filter(({ status }) => status < 300)).toHaveLength(3);
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: 3 * amount });
  });

  test('a refund and the cancellation of the order: all of it goes back, once', async () => {
    for (let round = 0; round < 4; round += 1) {
      const bought = await buy(stack, [{ quantity: 2 }]);
      const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
      const both = [refund(bought, { items }), staff.post(`/orders/${bought.id}/cancel`, { reason: 'other' })];
      const [refunded, canceled] = await Promise.all(both);
      expect([201, 409, 422]).toContain(refunded?.status);
      expect(canceled?.status).toBe(200);
      expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: bought.order.total });
    }
  });
});
