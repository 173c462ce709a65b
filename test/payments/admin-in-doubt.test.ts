import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { isCharge } from '../support/order-path.ts';
import { call, createSku, expireLeases, pay, placeOrder, readyCart, type Json, type Reply } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { BY_HAND, placePaid, tick } from './fixture.ts';

let stack: Stack;
let token: string;
beforeAll(async () => {
  stack = await startStack();
  stack.provider.setWebhookMode('hold');
  ({ token } = await createStaff(stack, ['payments:read']));
});
afterEach(() => stack.payments.clear());
afterAll(() => stack.close());

async function place(method: string): Promise<Reply> {
  const sku = await createSku(stack, { stock: 5, price: 1000 });
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
  return await placeOrder(stack, cart.id, pay(method));
}

async function inDoubt(): Promise<Json[]> {
  const { status, body } = await call(stack, 'GET', '/admin/payments?in_doubt=true', undefined, { token });
  expect(status).toBe(200);
  return body.data;
}

test('a charge that was not answered is listed until its order is settled', async () => {
  stack.payments.inject(isCharge, 'drop_reply');
  const refused = await place('tok_ok');
  expect(refused).toMatchObject({ status: 503, body: { code: 'payment_in_doubt' } });
  const [listed, ...others] = await inDoubt();
  expect(others).toEqual([]);
  expect(listed).toMatchObject({ order_id: refused.body.order_id, in_doubt: true, status: 'pending' });
  const one = await call(stack, 'GET', `/admin/payments/${listed.id}`, undefined, { token });
  expect(one.body).toMatchObject({ in_doubt: true });

  stack.payments.clear();
  await expireLeases(stack);
  await tick(stack);
  expect(await inDoubt()).toEqual([]);
  const settled = await call(stack, 'GET', `/admin/payments/${listed.id}`, undefined, { token });
  expect(settled.body).toMatchObject({ in_doubt: false, status: 'captured' });
});

test('one that waits for its buyer, was declined or comes by hand has its answer', async () => {
  expect(await place('tok_requires_action')).toMatchObject({ status: 201, body: { status: 'pending' } });
  expect((await place('tok_declined')).status).toBe(402);
  await placePaid(stack, BY_HAND);
  expect(await inDoubt()).toEqual([]);
});
