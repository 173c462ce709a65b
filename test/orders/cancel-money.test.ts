import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { as, type Asker } from '../admin/fixture.ts';
import { call, type Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  AUTHORIZED,
  buy,
  BY_HAND,
  chargeOf,
  done,
  eventsOf,
  expectStockAgrees,
  moneyMoves,
  type Bought,
} from './fixture.ts';

let stack: Stack;
let staff: Asker;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  const { token } = await createStaff(stack, [
    'orders:read',
    'orders:write',
    'fulfillments:write',
    'payments:read',
    'payments:write',
    'refunds:write',
  ]);
  staff = as(stack, token);
});
afterEach(() => expectStockAgrees(stack));
afterAll(() => stack.close());

const OTHER = { reason: 'other' };
const cancel = ({ id }: Bought, body: Json) => staff.post(`/orders/${id}/cancel`, { ...OTHER, ...body });
const refund = ({ id }: Bought, body: Json) => staff.post(`/orders/${id}/refunds`, body);
const line = ({ itemIds }: Bought, at: number, quantity = 1) => [{ item_id: itemIds[at], quantity }];
const callOff = ({ id, asGuest }: Bought) => call(stack, 'POST', `/orders/${id}/cancel`, {}, { headers: asGuest });
const totalOf = ({ order, itemIds }: Bought, at: number): number =>
  order.items.find(({ id }: Json) => id === itemIds[at]).total;

const timeline = async ({ id }: Bought): Promise<Json[]> => (await staff.get(`/orders/${id}/timeline`)).body.data;

describe('the timeline tells of a cancellation', () => {
  test('which units, what became of their money, and what ended with them', async () => {
    const bought = await buy(stack, [{ quantity: 3 }, { quantity: 1 }], { payment: AUTHORIZED });
    const prepared = done(
      await staff.post(`/orders/${bought.id}/fulfillments`, { method: 'shipment', items: line(bought, 0) }),
    );
    const [unit, other] = [Math.floor(totalOf(bought, 0) / 3), totalOf(bought, 1)];
    done(await cancel(bought, { items: line(bought, 0) }));
    done(await cancel(bought, { items: line(bought, 1), refund: false }));
    done(await cancel(bought, {}));
    const entries = (await timeline(bought)).filter(({ type }) => type.includes('cancel'));
    expect(entries.map(({ type }) => type)).toEqual(['order.units_canceled', 'order.units_canceled', 'order.canceled']);
    expect(entries.map(({ details }) => details)).toMatchObject([
      { items: line(bought, 0), waived_amount: unit },
      { items: line(bought, 1), withheld_amount: other },
      {
        items: line(bought, 0, 2),
        fulfillment_ids: [prepared.id],
        waived_amount: bought.order.total - unit - other,
      },
    ]);
  });

  test('and everybody that the order has arrived, where what was left of it had', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    const sent = { method: 'digital', items: line(bought, 0) };
    done(await staff.post(`/orders/${bought.id}/fulfillments`, sent));
    expect(done(await cancel(bought, { items: line(bought, 0) })).status).toBe('completed');
    expect((await eventsOf(stack, bought.id)).slice(-2)).toEqual(['order.units_canceled', 'order.delivered']);
  });
});

describe('money that is to stay', () => {
  const lines = [
    { quantity: 1, price: 6000 },
    { quantity: 1, price: 4000 },
  ];

  test('stays when the buyer cancels the rest', async () => {
    const bought = await buy(stack, lines);
    const kept = totalOf(bought, 0);
    const { total } = bought.order;
    expect(done(await cancel(bought, { items: line(bought, 0), refund: false })).refunds).toEqual([]);
    expect(done(await callOff(bought))).toMatchObject({ status: 'canceled', payment_status: 'partially_refunded' });
    expect(chargeOf(stack, bought.id)).toMatchObject({ captured: total, refunded: total - kept });
  });

  test('goes back when somebody refunds its line, not with an amount', async () => {
    const bought = await buy(stack, lines);
    done(await cancel(bought, { items: line(bought, 0), refund: false }));
    done(await refund(bought, { amount: 100 }));
    done(await callOff(bought));
    const kept = totalOf(bought, 0);
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: bought.order.total - kept });
    expect(done(await refund(bought, { items: line(bought, 0) })).amount).toBe(kept);
    expect((await staff.get(`/orders/${bought.id}`)).body.payment_status).toBe('refunded');
    expect((await refund(bought, { items: line(bought, 0) })).status).toBe(422);
  });

  test.each([
    ['authorized', AUTHORIZED],
    ['awaited by hand', BY_HAND],
  ])('is still to be taken where it was %s', async (_name, payment) => {
    const bought = await buy(stack, lines, { payment });
    const kept = totalOf(bought, 0);
    done(await cancel(bought, { items: line(bought, 0), refund: false }));
    expect(done(await cancel(bought, {}))).toMatchObject({ status: 'canceled', refunds: [] });
    const path = `/payments/${bought.order.payments[0].id}`;
    expect((await staff.get(path)).body).toMatchObject({ waived_amount: bought.order.total - kept });
    expect(done(await staff.post(`${path}/capture`, {}))).toMatchObject({ status: 'captured', captured_amount: kept });
  });
});

describe('nothing is held for what costs nothing any more', () => {
  test.each([
    ['authorized', AUTHORIZED, 'canceled'],
    ['awaited by hand', BY_HAND, undefined],
  ])('%s: it is let go as soon as only gifts are left', async (_name, payment, atProvider) => {
    await stack.owner.query(`update shipping_options set amount = 0 where code = 'us-standard'`);
    const lines = [
      { quantity: 1, price: 10_000 },
      { quantity: 1, price: 0 },
    ];
    const bought = await buy(stack, lines, { payment });
    await stack.owner.query(`update shipping_options set amount = 595 where code = 'us-standard'`);
    expect(done(await cancel(bought, { items: line(bought, 0) }))).toMatchObject({
      status: 'confirmed',
      payment_status: 'voided',
    });
    expect(chargeOf(stack, bought.id)?.status).toBe(atProvider);
    expect(done(await cancel(bought, { items: line(bought, 1) }))).toMatchObject({
      status: 'canceled',
      payment_status: 'voided',
    });
    const { total } = bought.order;
    expect(await moneyMoves(stack, bought.id)).toContain(`void success ${total}`);
  });
});
