import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, createSku, placeOrder, readyCart } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

test('an id is the same in capitals, wherever it is written', async () => {
  const { token } = await createStaff(stack, 'owner');
  const sku = await createSku(stack, { stock: 5 });
  const cart = await readyCart(stack, [{ sku_id: sku.id.toUpperCase(), quantity: 2 }]);
  const { body: placed } = await placeOrder(stack, cart.id);
  const orders = `/orders/${placed.id.toUpperCase()}`;
  const headers = { 'x-order-token': placed.guest_token };
  expect((await call(stack, 'GET', orders, undefined, { headers })).body).toMatchObject({ id: placed.id });

  const items = [{ item_id: placed.items[0].id.toUpperCase(), quantity: 1 }];
  const sent = await call(
    stack,
    'POST',
    `/admin${orders}/fulfillments`,
    { method: 'shipment', status: 'pending', items },
    { token },
  );
  expect(sent.status, sent.text).toBe(201);
  const moved = await call(
    stack,
    'PATCH',
    `/admin${orders}/fulfillments/${sent.body.id.toUpperCase()}`,
    { status: 'shipped' },
    { token, headers: { 'if-match': '*' } },
  );
  expect(moved, moved.text).toMatchObject({ status: 200, body: { id: sent.body.id, status: 'shipped' } });
  const canceled = await call(stack, 'POST', `/admin${orders}/cancel`, { reason: 'other', items }, { token });
  expect(canceled, canceled.text).toMatchObject({ status: 200, body: { items: [{ canceled_quantity: 1 }] } });
});
