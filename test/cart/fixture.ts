import { expect } from 'vitest';
import { ADDRESS, call, type CallOptions, createSku, type Json, type Reply } from '../support/shop.ts';
import type { Stack } from '../support/stack.ts';

/** A cart that changes refused must leave as it was. */
export async function newCart(stack: Stack, input: Json = {}, options: CallOptions = {}): Promise<Json> {
  const { status, body, text } = await call(stack, 'POST', '/carts', input, options);
  if (status !== 201) throw new Error(`no cart: ${text}`);
  return body;
}

export async function readCart(stack: Stack, id: string, options: CallOptions = {}): Promise<Json> {
  const { status, body, text } = await call(stack, 'GET', `/carts/${id}`, undefined, options);
  if (status !== 200) throw new Error(`no cart: ${text}`);
  return body;
}

export interface Change {
  name: string;
  method: string;
  path: string;
  body?: Json;
  /** Another body that the route can read. */
  other: Json;
}

export interface FilledCart {
  cart: Json;
  skuId: string;
  /** Every route that changes a cart, each as it would succeed on this one. */
  changes: Change[];
}

/** A cart with a line of two units, the code WELCOME10 and a note. */
export async function filledCart(stack: Stack, options: CallOptions = {}): Promise<FilledCart> {
  const skuId = (await createSku(stack, { stock: 1000 })).id;
  const items = [{ sku_id: skuId, quantity: 2 }];
  const cart = await newCart(stack, { items, discount_codes: ['WELCOME10'], note: 'first' }, options);
  const path = `/carts/${cart.id}`;
  const line = `${path}/items/${cart.items[0].id}`;
  await stack.owner.query(
    `insert into discount_codes (code, name, kind, rate_ppm) values ('FIVE', '5 % off', 'percent', 50000)
     on conflict do nothing`,
  );
  const changes: Change[] = [
    { name: 'set a field', method: 'PATCH', path, body: { note: 'second' }, other: { note: 'third' } },
    {
      name: 'add units',
      method: 'POST',
      path: `${path}/items`,
      body: { sku_id: skuId, quantity: 3 },
      other: { sku_id: skuId, quantity: 4 },
    },
    { name: 'set a quantity', method: 'PATCH', path: line, body: { quantity: 7 }, other: { quantity: 8 } },
    { name: 'remove a line', method: 'DELETE', path: line, other: {} },
    {
      name: 'add a code',
      method: 'POST',
      path: `${path}/discount-codes`,
      body: { code: 'FIVE' },
      other: { code: 'SIX' },
    },
    { name: 'remove a code', method: 'DELETE', path: `${path}/discount-codes/WELCOME10`, other: {} },
  ];
  return { cart, skuId, changes };
}

/** The names of the changes above, for test.each. */
export const CHANGES = [
  'set a field',
  'add units',
  'set a quantity',
  'remove a line',
  'add a code',
  'remove a code',
] as const;

export function changeNamed({ changes }: FilledCart, name: string): Change {
  const found = changes.find((change) => change.name === name);
  if (!found) throw new Error(`no change is called ${name}`);
  return found;
}

/** A cart always adds up, whatever is in it. */
export function addsUp(cart: Json): void {
  const summed = (name: string) => cart.items.reduce((sum: number, item: Json) => sum + item[name], 0);
  const onTop = cart.tax_inclusive ? 0 : cart.shipping_tax_total;
  expect(cart.subtotal).toBe(summed('subtotal'));
  expect(cart.discount_total).toBe(summed('discount_total'));
  expect(cart.discount_total).toBe(cart.promotions.reduce((sum: number, { amount }: Json) => sum + amount, 0));
  expect(cart.tax_total).toBe(summed('tax_total') + cart.shipping_tax_total);
  expect(cart.total).toBe(summed('total') + cart.shipping_total + onTop - cart.gift_card_total);
  for (const item of cart.items) {
    expect(item.subtotal).toBe(item.unit_price * item.quantity);
    expect(item.total).toBe(item.subtotal - item.discount_total + (cart.tax_inclusive ? 0 : item.tax_total));
  }
}

export const addressIn = (country: string) => ({ ...ADDRESS, country });
export const refusal = ({ status, body }: Reply) => [status, body.code, body.param];
