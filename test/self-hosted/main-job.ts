import { ADDRESS, call, pay, placeOrder, type Json } from '../support/shop.ts';
import type { Stack } from '../support/stack.ts';

/** A buyer's whole way through the public door: browse, cart, address, shipping, discount, order, read it back. */
export async function buy(stack: Stack, name: string): Promise<Json> {
  const page = await want(200, call(stack, 'GET', '/products?limit=2&in_stock=true'));
  const product = await want(200, call(stack, 'GET', `/products/${page.data[0].handle}`));
  const sku = product.skus.find((candidate: { available: boolean }) => candidate.available);
  const cart = await want(201, call(stack, 'POST', '/carts', {}));
  const path = `/carts/${cart.id}`;
  await want(200, call(stack, 'POST', `${path}/items`, { sku_id: sku.id, quantity: 2 }));
  await want(200, call(stack, 'PATCH', path, { email: `${name}@example.test`, shipping_address: ADDRESS }));
  const options = await want(200, call(stack, 'GET', `${path}/shipping-options`));
  await want(200, call(stack, 'PATCH', path, { shipping_option_id: options.data[0].id }));
  const { total } = await want(200, call(stack, 'POST', `${path}/discount-codes`, { code: 'welcome10' }));
  const order = await want(
    201,
    placeOrder(stack, cart.id, pay('tok_ok'), { key: `order-${name}`, expected_total: total }),
  );
  const headers = { 'x-order-token': order.guest_token };
  const read = await want(200, call(stack, 'GET', `/orders/${order.id}`, undefined, { headers }));
  if (read.status !== 'confirmed' || read.total !== total) throw new Error(`another order: ${JSON.stringify(read)}`);
  return order;
}

async function want(status: number, asked: ReturnType<typeof call>): Promise<Json> {
  const reply = await asked;
  if (reply.status !== status) throw new Error(`wanted ${status}, got ${reply.status}: ${reply.text}`);
  return reply.body;
}
