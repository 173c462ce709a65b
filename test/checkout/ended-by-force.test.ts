import { afterAll, beforeAll, expect, test } from 'vitest';
import { gate, isCharge } from '../support/order-path.ts';
import { call, createSku, ordersOf, pay, placeOrder, readyCart, stockOf } from '../support/shop.ts';
import { createStaff, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
let staff: Staff;
beforeAll(async () => {
  stack = await startStack({ env: { PAYMENT_TIMEOUT_MS: '25000' } });
  stack.provider.setWebhookMode('hold');
  staff = await createStaff(stack, ['payments:read', 'payments:write']);
});
afterAll(() => stack.close());

const NOTHING = { respond: { status: 200, body: '{"object":"search_result","data":[],"has_more":false}' } } as const;

test('a charge whose reply comes after its order was ended by force goes back, without a webhook', async () => {
  const sku = await createSku(stack, { stock: 1 });
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
  const late = gate();
  const charge = stack.payments.inject(isCharge, { hold_reply: late.opened });
  const placed = placeOrder(stack, cart.id, pay('tok_ok'));
  await charge.fired;
  await stack.owner.query('update orders set lease_until = now() where cart_id = $1', [cart.id]);
  const { rows } = await stack.owner.query(
    'select p.id from payments p join orders o on o.id = p.order_id where o.cart_id = $1',
    [cart.id],
  );
  stack.payments.inject(({ path }) => path.includes('/search'), NOTHING, 9);
  const path = `/admin/payments/${rows[0].id}/void`;
  const ended = await call(stack, 'POST', path, { force: true }, { token: staff.token });
  expect(ended, ended.text).toMatchObject({ status: 200, body: { status: 'failed' } });
  stack.payments.clear();
  late.open();
  expect((await placed).status).toBe(402);
  expect(stack.provider.charges()).toMatchObject([{ captured: cart.total, refunded: cart.total }]);
  expect(await ordersOf(stack, cart.id)).toMatchObject([{ status: 'failed' }]);
  expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 1, reserved: 0 });
  const { body } = await call(stack, 'GET', `/admin/payments/${rows[0].id}`, undefined, { token: staff.token });
  expect(body).toMatchObject({ status: 'refunded', refunded_amount: cart.total });
});
