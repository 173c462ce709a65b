import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { as, type Asker } from '../admin/fixture.ts';
import { stockOf, type Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { buy, chargeOf, expectStockAgrees, moneyMoves, STOCK, type Bought } from './fixture.ts';

let stack: Stack;
let staff: Asker;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  const permissions = ['orders:read', 'orders:write', 'fulfillments:write', 'refunds:write'];
  staff = as(stack, (await createStaff(stack, permissions)).token);
});
afterEach(() => expectStockAgrees(stack));
afterAll(() => stack.close());

const OTHER = { reason: 'other' };
const cancel = ({ id }: Bought, body: Json = OTHER) => staff.post(`/orders/${id}/cancel`, body);

describe('at the same time', () => {
  test('of several cancellations one is done', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    const replies = await Promise.all(Array.from({ length: 6 }, () => cancel(bought)));
    const statuses = replies.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([200, 409, 409, 409, 409, 409]);
    expect(await moneyMoves(stack, bought.id)).toHaveLength(2);
    expect(await stockOf(stack, bought.skuIds[0] ?? '')).toEqual({ on_hand: STOCK, reserved: 0 });
  });

  test('units of one line are canceled as often as there are any', async () => {
    const bought = await buy(stack, [{ quantity: 3, price: 100 }, { quantity: 1 }]);
    const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
    const replies = await Promise.all(Array.from({ length: 5 }, () => cancel(bought, { ...OTHER, items })));
    const statuses = replies.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([200, 200, 200, 422, 422]);
    const line = bought.order.items.find(({ id }: Json) => id === bought.itemIds[0]);
    expect(chargeOf(stack, bought.id)).toMatchObject({ refunded: line.total });
    expect(await stockOf(stack, bought.skuIds[0] ?? '')).toEqual({ on_hand: STOCK, reserved: 0 });
  });

  test('a cancellation and a parcel: one of them wins, and stock and money agree with it', async () => {
    for (let round = 0; round < 6; round += 1) {
      const bought = await buy(stack, [{ quantity: 2 }]);
      const send = () => staff.post(`/orders/${bought.id}/fulfillments`, { method: 'shipment', status: 'shipped' });
      const [canceled, sent] = await Promise.all(
        round % 2 === 0 ? [cancel(bought), send()] : [send(), cancel(bought)].toReversed(),
      );
      const winners = [canceled, sent].filter((reply) => reply !== undefined && reply.status < 300);
      expect(winners).toHaveLength(1);
      const { body } = await staff.get(`/orders/${bought.id}`);
      const isCanceled = body.status === 'canceled';
      expect(body.fulfillment_status).toBe(isCanceled ? 'canceled' : 'fulfilled');
      expect(chargeOf(stack, bought.id)?.refunded).toBe(isCanceled ? bought.order.total : 0);
      expect(await stockOf(stack, bought.skuIds[0] ?? '')).toEqual({
        on_hand: isCanceled ? STOCK : STOCK - 2,
        reserved: 0,
      });
    }
  });
});
