import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { as } from '../admin/fixture.ts';
import { stockOf } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { AUTHORIZED, buy, done, expectStockAgrees, moneyMoves, STOCK } from './fixture.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
});
afterEach(() => expectStockAgrees(stack));
afterAll(() => stack.close());

const OTHER = { reason: 'other' };

describe('who may cancel', () => {
  const asking = async (...permissions: string[]) =>
    as(stack, (await createStaff(stack, ['orders:read', 'orders:write', ...permissions])).token);
  const forbidden = (permission: string) => ({
    status: 403,
    body: { code: 'forbidden', detail: `This needs the permission ${permission}.`, param: 'Authorization' },
  });

  test('gives money back only with the permission for that', async () => {
    const plain = await asking();
    const bought = await buy(stack, [{ quantity: 2 }]);
    const path = `/orders/${bought.id}/cancel`;
    const items = [{ item_id: bought.itemIds[0], quantity: 1 }];
    expect(await plain.post(path, OTHER)).toMatchObject(forbidden('refunds:write'));
    expect(await plain.post(path, { ...OTHER, items })).toMatchObject(forbidden('refunds:write'));
    expect(await moneyMoves(stack, bought.id)).toEqual([]);
    done(await plain.post(path, { ...OTHER, items, refund: false }));
    expect((await (await asking('refunds:write')).post(path, OTHER)).status).toBe(200);
    // Nothing was taken, so nothing goes back.
    const { id } = await buy(stack, [{ quantity: 1 }], { payment: AUTHORIZED });
    expect(done(await plain.post(`/orders/${id}/cancel`, OTHER)).payment_status).toBe('voided');
  });

  test('writes units off only with the permission for that', async () => {
    const bought = await buy(stack, [{ quantity: 1 }], { payment: AUTHORIZED });
    const path = `/orders/${bought.id}/cancel`;
    const lost = { ...OTHER, restock: false };
    expect(await (await asking('refunds:write')).post(path, lost)).toMatchObject(forbidden('inventory:write'));
    expect(await stockOf(stack, bought.skuIds[0] ?? '')).toEqual({ on_hand: STOCK - 1, reserved: 0 });
    expect((await (await asking('inventory:write')).post(path, lost)).status).toBe(200);
  });

  test('a permission that was taken away since the sign-in is none', async () => {
    const { token, id } = await createStaff(stack, ['orders:read', 'orders:write', 'refunds:write']);
    const bought = await buy(stack, [{ quantity: 1 }]);
    await stack.owner.query(
      `update roles set permissions = array_remove(permissions, 'refunds:write')
       where id in (select role_id from account_roles where account_id = $1)`,
      [id],
    );
    const refused = await as(stack, token).post(`/orders/${bought.id}/cancel`, OTHER);
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
  });
});
