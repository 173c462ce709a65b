import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { as, auditOf, refusal, type Asker } from '../admin/fixture.ts';
import { register } from '../support/people.ts';
import { call, stockOf, type Json } from '../support/shop.ts';
import { createStaff, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { buy, done, expectStockAgrees, moneyMoves, STOCK, type Bought } from './fixture.ts';

let stack: Stack;
let clerk: Staff;
let staff: Asker;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  clerk = await createStaff(stack, ['orders:read', 'orders:write', 'fulfillments:write']);
  staff = as(stack, clerk.token);
});
afterEach(() => expectStockAgrees(stack));
afterAll(() => stack.close());

describe('a buyer', () => {
  const own = ({ id }: Bought, options: Json) => call(stack, 'POST', `/orders/${id}/cancel`, {}, options);

  test('calls an own order off, as a customer or with the token of a guest', async () => {
    const { token } = await register(stack);
    const orders = [
      [await buy(stack, [{ quantity: 1 }], { token }), { token }],
      [await buy(stack, [{ quantity: 1 }]), {}],
    ] as const;
    for (const [bought, options] of orders) {
      const body = done(await own(bought, { ...options, headers: bought.asGuest }));
      expect(body).toMatchObject({ status: 'canceled', payment_status: 'refunded' });
      expect(await stockOf(stack, bought.skuIds[0] ?? '')).toEqual({ on_hand: STOCK, reserved: 0 });
    }
    const [entry] = await auditOf(stack, orders[1][0].id);
    expect(entry).toMatchObject({ actor_kind: 'guest', actor_id: null });
  });

  test('does not see the orders of others', async () => {
    const [{ token }, stranger] = [await register(stack), await register(stack)];
    const [owned, guests, other] = [
      await buy(stack, [{ quantity: 1 }], { token }),
      await buy(stack, [{ quantity: 1 }]),
      await buy(stack, [{ quantity: 1 }]),
    ];
    const who = [{}, { token: stranger.token }, { headers: other.asGuest }, { token: clerk.token }];
    for (const options of who) {
      for (const bought of [owned, guests]) {
        const key = randomUUID();
        expect(refusal(await own(bought, { ...options, key }))).toEqual([404, 'not_found', 'id']);
      }
    }
    expect((await staff.get(`/orders/${owned.id}`)).body.status).toBe('confirmed');
  });

  test('cannot once somebody has begun to send it', async () => {
    const bought = await buy(stack, [{ quantity: 2 }]);
    const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
    const prepared = done(await staff.post(`/orders/${bought.id}/fulfillments`, { method: 'shipment', items }));
    expect(await own(bought, { headers: bought.asGuest })).toMatchObject({
      status: 409,
      body: { code: 'illegal_transition', from: 'confirmed', legal: [] },
    });
    done(await staff.patch(`/orders/${bought.id}/fulfillments/${prepared.id}`, { status: 'canceled' }));
    done(await own(bought, { headers: bought.asGuest }));
  });

  test('gets the same answer for the same key, to the byte, and only with the token', async () => {
    const bought = await buy(stack, [{ quantity: 1 }]);
    const key = randomUUID();
    const first = await own(bought, { key, headers: bought.asGuest });
    const again = await own(bought, { key, headers: bought.asGuest });
    expect([again.status, again.text]).toEqual([200, first.text]);
    expect((await own(bought, { key })).status).toBe(404);
    expect(await moneyMoves(stack, bought.id)).toHaveLength(2);
  });
});
