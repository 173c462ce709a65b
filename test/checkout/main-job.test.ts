import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADDRESS, call, createSku, MANUAL, pay, placeOrder, readyCart, stockOf } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

describe('a buyer buys', () => {
  test('browse, cart, address, shipping, discount, order, read it back', async () => {
    const page = await call(stack, 'GET', '/products?limit=2&in_stock=true');
    expect(page.status).toBe(200);
    const product = (await call(stack, 'GET', `/products/${page.body.data[0].handle}`)).body;
    const sku = product.skus.find((candidate: { available: boolean }) => candidate.available);

    const started = await call(stack, 'POST', '/carts', {});
    expect(started.status).toBe(201);
    const path = `/carts/${started.body.id}`;
    const filled = await call(stack, 'POST', `${path}/items`, { sku_id: sku.id, quantity: 2 });
    expect(filled.body.subtotal).toBe(2 * sku.price);
    await call(stack, 'PATCH', path, { email: 'ada@example.test', shipping_address: ADDRESS });
    const options = await call(stack, 'GET', `${path}/shipping-options`);
    await call(stack, 'PATCH', path, { shipping_option_id: options.body.data[0].id });
    const discounted = await call(stack, 'POST', `${path}/discount-codes`, { code: 'welcome10' });
    expect(discounted.body.discount_total).toBe(Math.round(sku.price * 0.2));

    const before = await stockOf(stack, sku.id);
    const placed = await placeOrder(stack, started.body.id, pay('tok_ok'), {
      key: 'tour-1',
      expected_total: discounted.body.total,
    });
    expect(placed.status, placed.text).toBe(201);
    expect(placed.body).toMatchObject({
      status: 'confirmed',
      payment_status: 'captured',
      total: discounted.body.total,
      discount_codes: ['WELCOME10'],
    });
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: before.on_hand - 2, reserved: before.reserved });
    expect(stack.provider.charges()).toHaveLength(1);

    const headers = { 'x-order-token': placed.body.guest_token };
    const read = await call(stack, 'GET', `/orders/${placed.body.id}`, undefined, { headers });
    expect(read.body).toEqual(placed.body);
  });

  test('manual payment needs no outside call', async () => {
    const sku = await createSku(stack, { stock: 3 });
    const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
    const placed = await placeOrder(stack, cart.id, MANUAL);
    expect(placed.status, placed.text).toBe(201);
    expect(placed.body).toMatchObject({ status: 'confirmed', payment_status: 'pending', total: cart.total });
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 2, reserved: 0 });
  });
});
