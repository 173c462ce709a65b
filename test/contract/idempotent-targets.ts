import { randomUUID } from 'node:crypto';
import { awaitMail, INVITATION } from '../support/mails.ts';
import { register } from '../support/people.ts';
import { ADDRESS, call, createSku, type Json, MANUAL, pay, placeOrder, readyCart } from '../support/shop.ts';
import { createApiKey, createRole, createStaff } from '../support/staff.ts';
import type { Stack } from '../support/stack.ts';

/** A request that succeeds once. */
export interface Ask {
  path: string;
  body?: Json;
  token?: string;
  headers?: Record<string, string>;
  /** Resolves when what is done after the reply is done, where that leaves rows. */
  settled?: () => Promise<unknown>;
}

export interface Shop {
  stack: Stack;
  /** Of somebody who may do everything. */
  staffToken: string;
}

type Make = (shop: Shop) => Promise<Ask>;

const ANY_VERSION = { 'if-match': '*' };
const byStaff = ({ staffToken }: Shop, path: string, body?: Json): Ask => ({ path, body, token: staffToken });
const changed = (shop: Shop, path: string, body?: Json): Ask => ({
  ...byStaff(shop, path, body),
  headers: ANY_VERSION,
});

const skuWith = (stack: Stack, stock = 50) => createSku(stack, { stock });

async function cartOf(stack: Stack): Promise<Json> {
  return await readyCart(stack, [{ sku_id: (await skuWith(stack)).id, quantity: 2 }]);
}

async function placed({ stack }: Shop, payment: Json = MANUAL): Promise<Json> {
  const { status, text, body } = await placeOrder(stack, (await cartOf(stack)).id, payment);
  if (status !== 201) throw new Error(`no order: ${text}`);
  return body;
}

async function paymentOf(shop: Shop, payment: Json): Promise<string> {
  return (await placed(shop, payment)).payments[0].id;
}

async function made(shop: Shop, path: string, body: Json): Promise<Json> {
  const reply = await call(shop.stack, 'POST', path, body, { token: shop.staffToken });
  if (reply.status !== 201) throw new Error(`not made: ${reply.text}`);
  return reply.body;
}

const code = () => `c-${randomUUID().slice(0, 13)}`;
const newLocation = (shop: Shop) => made(shop, '/admin/stock-locations', { code: code(), name: 'Here' });
const itemsOf = async ({ stack }: Shop, id: string): Promise<string[]> => {
  const { rows } = await stack.owner.query('select id from order_items where order_id = $1', [id]);
  return rows.map((row) => row.id);
};

const ofBuyers: Record<string, Make> = {
  'PATCH /customers/me': async ({ stack }) => ({
    path: '/customers/me',
    body: { first_name: 'Ada' },
    token: (await register(stack)).token,
  }),
  'POST /customers/me/addresses': async ({ stack }) => ({
    path: '/customers/me/addresses',
    body: ADDRESS,
    token: (await register(stack)).token,
  }),
  'PATCH /customers/me/addresses/{id}': async (shop) => ({ ...(await addressOf(shop)), body: { city: 'Springville' } }),
  'DELETE /customers/me/addresses/{id}': (shop) => addressOf(shop),
  'POST /carts': async ({ stack }) => ({
    path: '/carts',
    body: { items: [{ sku_id: (await skuWith(stack)).id, quantity: 1 }] },
  }),
  'PATCH /carts/{id}': async ({ stack }) => ({ path: `/carts/${(await cartOf(stack)).id}`, body: { note: 'Twice' } }),
  'POST /carts/{id}/items': async ({ stack }) => ({
    path: `/carts/${(await cartOf(stack)).id}/items`,
    body: { sku_id: (await skuWith(stack)).id, quantity: 1 },
  }),
  'PATCH /carts/{id}/items/{item_id}': async (shop) => ({ ...(await itemOf(shop)), body: { quantity: 3 } }),
  'DELETE /carts/{id}/items/{item_id}': (shop) => itemOf(shop),
  'POST /carts/{id}/discount-codes': async ({ stack }) => ({
    path: `/carts/${(await cartOf(stack)).id}/discount-codes`,
    body: { code: 'WELCOME10' },
  }),
  'DELETE /carts/{id}/discount-codes/{code}': async ({ stack }) => {
    const { id } = await cartOf(stack);
    await call(stack, 'POST', `/carts/${id}/discount-codes`, { code: 'WELCOME10' });
    return { path: `/carts/${id}/discount-codes/WELCOME10` };
  },
  'POST /orders': async ({ stack }) => ({
    path: '/orders',
    body: { cart_id: (await cartOf(stack)).id, payment: pay('tok_ok') },
  }),
  'POST /orders/{id}/cancel': async (shop) => {
    const { id, guest_token } = await placed(shop, pay('tok_ok'));
    return { path: `/orders/${id}/cancel`, body: {}, headers: { 'x-order-token': guest_token } };
  },
};

async function addressOf({ stack }: Shop): Promise<Ask> {
  const { token } = await register(stack);
  const { body } = await call(stack, 'POST', '/customers/me/addresses', ADDRESS, { token });
  return { path: `/customers/me/addresses/${body.id}`, token };
}

async function itemOf({ stack }: Shop): Promise<Ask> {
  const { id, items } = await cartOf(stack);
  return { path: `/carts/${id}/items/${items[0].id}` };
}

const ofStock: Record<string, Make> = {
  'PATCH /admin/inventory/{sku_id}/{location_id}': async (shop) => {
    const { id, locationId } = await skuWith(shop.stack);
    return changed(shop, `/admin/inventory/${id}/${locationId}`, { safety_stock: 3 });
  },
  'POST /admin/inventory/adjustments': async (shop) => {
    const { id, locationId } = await skuWith(shop.stack);
    const body = { sku_id: id, location_id: locationId, delta: 7, reason: 'received' };
    return byStaff(shop, '/admin/inventory/adjustments', body);
  },
  'POST /admin/inventory/transfers': async (shop) => {
    const { id, locationId } = await skuWith(shop.stack);
    const to = (await newLocation(shop)).id;
    const body = { sku_id: id, from_location_id: locationId, to_location_id: to, quantity: 4 };
    return byStaff(shop, '/admin/inventory/transfers', body);
  },
  'POST /admin/stock-locations': async (shop) =>
    byStaff(shop, '/admin/stock-locations', { code: code(), name: 'There' }),
  'PATCH /admin/stock-locations/{id}': async (shop) =>
    changed(shop, `/admin/stock-locations/${(await newLocation(shop)).id}`, { name: 'Elsewhere' }),
  'POST /admin/reservations': async (shop) => byStaff(shop, '/admin/reservations', await holdOf(shop)),
  'DELETE /admin/reservations/{id}': async (shop) =>
    changed(shop, `/admin/reservations/${(await made(shop, '/admin/reservations', await holdOf(shop))).id}`),
  'PUT /admin/kits/{sku_id}': async (shop) => {
    const [kit, part] = [await createSku(shop.stack, { stock: 0 }), await skuWith(shop.stack)];
    return changed(shop, `/admin/kits/${kit.id}`, { components: [{ sku_id: part.id, quantity: 2 }] });
  },
};

async function holdOf({ stack }: Shop): Promise<Json> {
  const { id, locationId } = await skuWith(stack);
  return { sku_id: id, location_id: locationId, quantity: 2, expires_in: 3600 };
}

const AUTHORIZED = { ...pay('tok_ok'), capture: 'manual' };

const ofOrders: Record<string, Make> = {
  'POST /admin/payments/{id}/capture': async (shop) =>
    byStaff(shop, `/admin/payments/${await paymentOf(shop, AUTHORIZED)}/capture`, {}),
  'POST /admin/payments/{id}/void': async (shop) =>
    byStaff(shop, `/admin/payments/${await paymentOf(shop, AUTHORIZED)}/void`, {}),
  'POST /admin/payments/{id}/refund': async (shop) =>
    byStaff(shop, `/admin/payments/${await paymentOf(shop, pay('tok_ok'))}/refund`, { amount: 100 }),
  'POST /admin/orders/{id}/notes': async (shop) =>
    byStaff(shop, `/admin/orders/${(await placed(shop)).id}/notes`, { body: 'Called back.' }),
  'POST /admin/orders/{id}/cancel': async (shop) =>
    byStaff(shop, `/admin/orders/${(await placed(shop, pay('tok_ok'))).id}/cancel`, { reason: 'other' }),
  'POST /admin/orders/{id}/fulfillments': async (shop) => {
    const { id } = await placed(shop);
    return byStaff(shop, `/admin/orders/${id}/fulfillments`, await shipment(shop, id));
  },
  'PATCH /admin/orders/{id}/fulfillments/{fulfillment_id}': async (shop) => {
    const { id } = await placed(shop);
    const fulfillment = await made(shop, `/admin/orders/${id}/fulfillments`, await shipment(shop, id));
    return changed(shop, `/admin/orders/${id}/fulfillments/${fulfillment.id}`, { status: 'shipped' });
  },
  'POST /admin/orders/{id}/refunds': async (shop) =>
    byStaff(shop, `/admin/orders/${(await placed(shop, pay('tok_ok'))).id}/refunds`, { amount: 100, reason: 'other' }),
};

async function shipment(shop: Shop, orderId: string): Promise<Json> {
  const [item_id] = await itemsOf(shop, orderId);
  return { method: 'shipment', items: [{ item_id, quantity: 1 }] };
}

const ofStaff: Record<string, Make> = {
  'PATCH /admin/customers/{id}': async (shop) =>
    changed(shop, `/admin/customers/${(await register(shop.stack)).id}`, { first_name: 'Ada' }),
  'DELETE /admin/customers/{id}': async (shop) => changed(shop, `/admin/customers/${(await register(shop.stack)).id}`),
  'POST /admin/users': async (shop) => {
    const email = `${randomUUID()}@staff.example.test`;
    const user = { email, name: 'New here', role_ids: [await createRole(shop.stack, ['orders:read'])] };
    return { ...byStaff(shop, '/admin/users', user), settled: () => awaitMail(shop.stack, email, INVITATION) };
  },
  'PATCH /admin/users/{id}': async (shop) =>
    changed(shop, `/admin/users/${(await createStaff(shop.stack, ['orders:read'])).id}`, { name: 'Renamed' }),
  'DELETE /admin/users/{id}': async (shop) =>
    changed(shop, `/admin/users/${(await createStaff(shop.stack, ['orders:read'])).id}`),
  'POST /admin/roles': async (shop) =>
    byStaff(shop, '/admin/roles', { code: code(), name: 'Reader', permissions: ['orders:read'] }),
  'PATCH /admin/roles/{id}': async (shop) =>
    changed(shop, `/admin/roles/${await createRole(shop.stack, ['orders:read'])}`, { name: 'Renamed' }),
  'DELETE /admin/roles/{id}': async (shop) =>
    changed(shop, `/admin/roles/${await createRole(shop.stack, ['orders:read'])}`),
  'DELETE /admin/api-keys/{id}': async (shop) =>
    changed(shop, `/admin/api-keys/${(await createApiKey(shop.stack, ['orders:read'])).id}`),
};

/** For each operation that takes a key: how to get a request that succeeds once. */
export const MAKERS: Record<string, Make> = { ...ofBuyers, ...ofStock, ...ofOrders, ...ofStaff };
