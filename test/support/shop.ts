import { randomUUID } from 'node:crypto';
import type { Stack } from './stack.ts';

export const ADDRESS = {
  first_name: 'Ada',
  last_name: 'Lovelace',
  line1: '1 Analytical Way',
  city: 'Springfield',
  postal_code: '12345',
  country: 'US',
};

/** What a JSON reply of the shop looks like to a test: everything readable, nothing promised. */
// oxlint-disable-next-line typescript/no-explicit-any -- black-box tests read replies by path; the contract check types them
export type Json = any;

export interface Reply {
  status: number;
  headers: Headers;
  body: Json;
  text: string;
}

export interface CallOptions {
  key?: string;
  token?: string;
  headers?: Record<string, string>;
}

/** Speaks JSON to the Worker as a client would. */
export async function call(
  stack: Stack,
  method: string,
  path: string,
  body?: unknown,
  { key, token, headers = {} }: CallOptions = {},
): Promise<Reply> {
  const response = await stack.fetch(`/api/v1${path}`, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(key !== undefined && { 'idempotency-key': key }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: text === '' ? null : JSON.parse(text) };
}

export interface TestSku {
  id: string;
  productId: string;
  locationId: string;
}

/** A product with one SKU of its own, with stock at one location and prices in both currencies. */
export async function createSku(
  stack: Stack,
  { stock, price = 1000 }: { stock: number; price?: number },
): Promise<TestSku> {
  const [id, productId] = [randomUUID(), randomUUID()];
  const handle = `test-${id}`;
  const { rows } = await stack.owner.query('select id from stock_locations order by priority limit 1');
  const locationId: string = rows[0].id;
  await stack.owner.query(
    `insert into products (id, handle, title, status) values ($1, $2, 'Test product', 'active')`,
    [productId, handle],
  );
  await stack.owner.query(`insert into skus (id, product_id, code, title) values ($1, $2, $3, 'One')`, [
    id,
    productId,
    handle,
  ]);
  await stack.owner.query(`insert into prices (sku_id, currency, amount) values ($1, 'USD', $2), ($1, 'EUR', $2)`, [
    id,
    price,
  ]);
  await stack.owner.query('insert into stock_levels (sku_id, location_id, on_hand) values ($1, $2, $3)', [
    id,
    locationId,
    stock,
  ]);
  return { id, productId, locationId };
}

/** A cart that can be ordered: items, e-mail, address and the first shipping option. */
export async function readyCart(
  stack: Stack,
  items: readonly { sku_id: string; quantity: number }[],
  { token, market = 'us' }: { token?: string; market?: string } = {},
): Promise<Json> {
  const address = market === 'us' ? ADDRESS : { ...ADDRESS, country: 'DE' };
  const options = token === undefined ? {} : { token };
  const cart = await call(
    stack,
    'POST',
    '/carts?expand=shipping_options',
    { market, items, email: 'ada@example.test', shipping_address: address },
    options,
  );
  if (cart.status !== 201) throw new Error(`no cart: ${cart.text}`);
  const shipping_option_id = cart.body.shipping_options[0].id;
  const ready = await call(stack, 'PATCH', `/carts/${cart.body.id}`, { shipping_option_id }, options);
  if (ready.status !== 200) throw new Error(`no shipping option: ${ready.text}`);
  return ready.body;
}

export const pay = (token: string) => ({ provider: 'test', token });
export const MANUAL = { provider: 'manual' };

export function placeOrder(
  stack: Stack,
  cartId: string,
  payment: { provider: string; token?: string } = pay('tok_ok'),
  options: CallOptions & { expected_total?: number } = {},
): Promise<Reply> {
  const { expected_total, ...rest } = options;
  const body = { cart_id: cartId, payment, ...(expected_total !== undefined && { expected_total }) };
  return call(stack, 'POST', '/orders', body, rest);
}

/** What is not sold yet: units of confirmed orders stay on hand and reserved until their parcel leaves, and count as gone. */
export async function stockOf(stack: Stack, skuId: string): Promise<{ on_hand: number; reserved: number }> {
  const { rows } = await stack.owner.query(
    `select (sum(l.on_hand) - sum(c.sold))::int as on_hand, (sum(l.reserved) - sum(c.sold))::int as reserved
     from stock_levels l cross join lateral (
       select coalesce(sum(r.quantity), 0) as sold from reservations r
       where r.sku_id = l.sku_id and r.location_id = l.location_id and r.committed_at is not null) c
     where l.sku_id = $1`,
    [skuId],
  );
  return rows[0];
}

export async function ordersOf(stack: Stack, cartId: string): Promise<{ id: string; status: string }[]> {
  const { rows } = await stack.owner.query('select id, status from orders where cart_id = $1 order by id', [cartId]);
  return rows;
}

/** What a crashed worker's lease looks like half a minute later. */
export async function expireLeases(stack: Stack): Promise<void> {
  await stack.owner.query(`update orders set lease_until = now() - interval '1 second' where status = 'pending'`);
  await stack.owner.query(
    `update idempotency_keys set lease_until = now() - interval '1 second' where state = 'in_flight'`,
  );
}
