import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createProduct } from '../catalog/fixture.ts';
import { ADDRESS, call, createSku, type Json, MANUAL, ordersOf, pay, placeOrder, readyCart } from '../support/shop.ts';
import { type Person, register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { addressIn, newCart, readCart, refusal } from './fixture.ts';

let stack: Stack;
let skus: string[];
let stranger: Person;
beforeAll(async () => {
  stack = await startStack();
  // One that came late would count among the round trips of the test after it.
  stack.provider.setWebhookMode('hold');
  const made = await Promise.all(['a', 'b', 'c'].map(() => createSku(stack, { stock: 1000 })));
  skus = made.map(({ id }) => id);
  stranger = await register(stack);
});
/** A new customer for each test: which other cart is merged depends on all that they have. */
let owner: Person;
beforeEach(async () => {
  owner = await register(stack);
  stack.neon.clear();
});
afterAll(() => stack.close());

const asOwner = () => ({ token: owner.token });
const line = (index: number, quantity: number) => ({ sku_id: skus[index], quantity });
/** Such as `0x5 1x2`: five of the first SKU, then two of the second. */
const linesOf = (cart: Json): string =>
  cart.items.map(({ sku_id, quantity }: Json) => `${skus.indexOf(sku_id)}x${quantity}`).join(' ');
const statusOf = async (id: string, options = {}) =>
  (await call(stack, 'GET', `/carts/${id}`, undefined, options)).status;
const adopt = (id: string) => readCart(stack, id, asOwner());

interface Use {
  method: string;
  path: (cart: Json) => string;
  body?: Json;
  /** The lines of a cart of 1x3 2x1 with 0x5 1x2 merged into it, after this. */
  lines: string;
}
const MERGED = '1x5 2x1 0x5';
const root = ({ id }: Json) => `/carts/${id}`;
const firstLine = ({ id, items }: Json) => `/carts/${id}/items/${items[0].id}`;
const uses: Record<string, Use> = {
  'reading it': { method: 'GET', path: root, lines: MERGED },
  'reading its shipping options': { method: 'GET', path: (cart) => `${root(cart)}/shipping-options`, lines: MERGED },
  'setting a field': { method: 'PATCH', path: root, body: { note: 'mine' }, lines: MERGED },
  'adding a line': {
    method: 'POST',
    path: (cart) => `${root(cart)}/items`,
    body: { quantity: 4 },
    lines: '1x5 2x1 0x9',
  },
  'setting a quantity': {
    method: 'PATCH',
    path: firstLine,
    body: { quantity: 7 },
    lines: '1x7 2x1 0x5',
  },
  'removing a line': {
    method: 'DELETE',
    path: firstLine,
    lines: '2x1 0x5',
  },
  'adding a code': {
    method: 'POST',
    path: (cart) => `${root(cart)}/discount-codes`,
    body: { code: 'WELCOME10' },
    lines: MERGED,
  },
  'removing a code': { method: 'DELETE', path: (cart) => `${root(cart)}/discount-codes/WELCOME10`, lines: MERGED },
};

describe("a guest's cart that a customer uses becomes theirs and takes in their other one, in one round trip", () => {
  test.each(Object.entries(uses))('%s', async (name, { method, path, body, lines }) => {
    const other = await newCart(stack, { items: [line(0, 5), line(1, 2)] }, asOwner());
    const discount_codes = name === 'removing a code' ? ['WELCOME10'] : [];
    const cart = await newCart(stack, { items: [line(1, 3), line(2, 1)], discount_codes });
    stack.neon.clear();
    const sent = name === 'adding a line' ? { sku_id: skus[0], ...body } : body;
    const used = await call(stack, method, path(cart), sent, asOwner());
    expect(used.status, used.text).toBe(200);
    expect(stack.neon.exchanges).toHaveLength(1);

    const now = await adopt(cart.id);
    expect([now.version, linesOf(now)]).toEqual([2, lines]);
    if (used.body.id !== undefined) expect(now).toEqual(used.body);
    for (const id of [cart.id, other.id]) {
      expect(await statusOf(id)).toBe(404);
      expect(await statusOf(id, { token: stranger.token })).toBe(404);
    }
    expect(await statusOf(other.id, asOwner())).toBe(404);
  });

  test('only once: what they use from then on stays as it is', async () => {
    const cart = await newCart(stack, { items: [line(0, 1)] });
    const adopted = await adopt(cart.id);
    const later = await newCart(stack, { items: [line(1, 1)] }, asOwner());
    expect(await adopt(cart.id)).toEqual(adopted);
    const changed = await call(stack, 'PATCH', root(cart), { note: 'x' }, asOwner());
    expect(changed.body).toEqual({ ...adopted, version: 3, note: 'x', expires_at: changed.body.expires_at });
    expect(await adopt(later.id)).toEqual(later);
  });

  test('lines keep their ids', async () => {
    const other = await newCart(stack, { items: [line(0, 5), line(1, 2)] }, asOwner());
    const cart = await newCart(stack, { items: [line(1, 3)] });
    const ids = (await adopt(cart.id)).items.map(({ id }: Json) => id);
    expect(ids).toEqual([cart.items[0].id, other.items[0].id]);
  });
});

describe('which cart is merged', () => {
  test('the newest open one of the same market; the others are left alone', async () => {
    const oldest = await newCart(stack, { items: [line(0, 1)] }, asOwner());
    await newCart(stack, { items: [line(1, 1)] }, asOwner());
    const elsewhere = await newCart(stack, { market: 'eu', items: [line(2, 1)] }, asOwner());
    const cart = await newCart(stack, {});
    expect(linesOf(await adopt(cart.id))).toBe('1x1');
    expect(await adopt(oldest.id)).toEqual(oldest);
    expect(await adopt(elsewhere.id)).toEqual(elsewhere);
  });

  test('none that has expired', async () => {
    const other = await newCart(stack, { items: [line(0, 1)] }, asOwner());
    await stack.owner.query('update carts set expires_at = now() where id = $1', [other.id]);
    expect(linesOf(await adopt((await newCart(stack)).id))).toBe('');
  });

  test.each([
    ['ordered', 'confirmed', MANUAL],
    ['being ordered', 'pending', pay('tok_requires_action')],
  ])('none that is %s', async (_name, status, payment) => {
    const other = await readyCart(stack, [{ sku_id: skus[0] ?? '', quantity: 1 }], asOwner());
    expect((await placeOrder(stack, other.id, payment, asOwner())).status).toBe(201);
    const before = await adopt(other.id);
    expect(linesOf(await adopt((await newCart(stack)).id))).toBe('');
    expect(await adopt(other.id)).toEqual(before);
    expect(await ordersOf(stack, other.id)).toMatchObject([{ status }]);
  });

  test('one with a failed order ends all the same, and the order stays', async () => {
    const other = await readyCart(stack, [{ sku_id: skus[0] ?? '', quantity: 1 }], asOwner());
    const refused = await placeOrder(stack, other.id, pay('tok_declined'), asOwner());
    expect(refused.status).toBe(402);
    expect(linesOf(await adopt((await newCart(stack)).id))).toBe('0x1');
    expect(await statusOf(other.id, asOwner())).toBe(404);
    const order = await call(stack, 'GET', `/orders/${refused.body.order_id}`, undefined, asOwner());
    expect(order.body.items).toHaveLength(1);
  });
});

describe('what is merged', () => {
  test('equal SKUs up to ten thousand units', async () => {
    await newCart(stack, { items: [line(0, 9_000)] }, asOwner());
    const cart = await newCart(stack, { items: [line(0, 8_000)] });
    expect(linesOf(await adopt(cart.id))).toBe('0x10000');
  });

  test('a hundred lines, the first ones first; the rest stays in the other cart', async () => {
    const { skuIds } = await createProduct(stack, { skus: Array.from({ length: 120 }, () => ({})) });
    const items = skuIds.map((sku_id) => ({ sku_id, quantity: 1 }));
    const other = await newCart(stack, { items: items.slice(50, 120), note: 'the rest' }, asOwner());
    const cart = await newCart(stack, { items: items.slice(0, 60) });
    // One is added in the same moment: it comes before what is merged.
    const added = { sku_id: skus[0], quantity: 1 };
    const { body } = await call(stack, 'POST', `/carts/${cart.id}/items`, added, asOwner());
    const inUse = body.items.map((item: Json) => item.sku_id);
    expect(inUse).toEqual([...skuIds.slice(0, 60), skus[0], ...skuIds.slice(60, 99)]);
    expect(body.items.slice(50, 60).map((item: Json) => item.quantity)).toEqual(Array.from({ length: 10 }, () => 2));
    const rest = await adopt(other.id);
    expect(rest.items.map((item: Json) => item.sku_id)).toEqual(skuIds.slice(99));
    expect([rest.version, rest.note, rest.expires_at]).toEqual([2, 'the rest', other.expires_at]);
  });

  test('five codes, those in use first', async () => {
    const codes = ['M1', 'M2', 'M3', 'M4', 'M5', 'M6'];
    await stack.owner.query(
      `insert into discount_codes (code, name, kind, rate_ppm) select unnest($1::text[]), 'x', 'percent', 10000`,
      [codes],
    );
    await newCart(stack, { discount_codes: ['M1', 'M2', 'M3', 'M4'] }, asOwner());
    const cart = await newCart(stack, { discount_codes: ['M6', 'M4', 'M5'] });
    const now = await adopt(cart.id);
    expect(now.discount_codes.toSorted()).toEqual(['M1', 'M2', 'M4', 'M5', 'M6']);
  });

  test('fields that are not set; what the request sets holds', async () => {
    const options = (await call(stack, 'GET', `/carts/${(await newCart(stack)).id}/shipping-options`)).body.data;
    const fields = {
      email: 'other@example.test',
      shipping_address: { ...ADDRESS, city: 'Other' },
      billing_address: { ...ADDRESS, city: 'Bill' },
      shipping_option_id: options[1].id,
      note: 'other',
    };
    await newCart(stack, fields, asOwner());
    const own = { email: 'own@example.test', shipping_option_id: options[0].id };
    const cart = await newCart(stack, own);
    const { body } = await call(stack, 'PATCH', root(cart), { note: null }, asOwner());
    expect(body).toMatchObject({ ...fields, ...own, note: null });

    await newCart(stack, fields, asOwner());
    expect(await adopt((await newCart(stack)).id)).toMatchObject({ ...fields, version: 2 });
  });

  test('no shipping option that does not reach the address', async () => {
    const germany = { market: 'eu', shipping_address: addressIn('DE') };
    const shown = await call(stack, 'POST', '/carts?expand=shipping_options', germany, asOwner());
    const pickup = shown.body.shipping_options.find(({ code }: Json) => code === 'de-pickup');
    const chosen = await call(stack, 'PATCH', root(shown.body), { shipping_option_id: pickup.id }, asOwner());
    expect(chosen.body.shipping_option_id).toBe(pickup.id);
    const cart = await newCart(stack, { market: 'eu', shipping_address: addressIn('FR') });
    await adopt(cart.id);
    const { rows } = await stack.owner.query('select shipping_option_id from carts where id = $1', [cart.id]);
    expect(rows).toEqual([{ shipping_option_id: null }]);
  });
});

describe('the version', () => {
  test('that If-Match names is the one before; refused, nothing has moved', async () => {
    const other = await newCart(stack, { items: [line(0, 1)] }, asOwner());
    const cart = await newCart(stack, {});
    const patch = (version: number) =>
      call(stack, 'PATCH', root(cart), { note: 'x' }, { ...asOwner(), headers: { 'if-match': `"${version}"` } });
    expect(refusal(await patch(2))).toEqual([412, 'precondition_failed', 'If-Match']);
    expect(await readCart(stack, cart.id)).toEqual(cart);
    const done = await patch(1);
    expect([done.status, done.body.version, linesOf(done.body)]).toEqual([200, 2, '0x1']);
    expect(await statusOf(other.id, asOwner())).toBe(404);
  });

  test('of a read that adopts is new, so it is sent in full; from then on it is 304', async () => {
    const cart = await newCart(stack, { items: [line(0, 1)] });
    const read = (etag: string, options = {}) =>
      call(stack, 'GET', root(cart), undefined, { headers: { 'if-none-match': etag }, ...options });
    const guests = (await read('"none"')).headers.get('etag') ?? '';
    expect((await read(guests)).status).toBe(304);
    const adopted = await call(stack, 'GET', root(cart), undefined, {
      ...asOwner(),
      headers: { 'if-none-match': guests },
    });
    const etag = adopted.headers.get('etag') ?? '';
    expect([adopted.status, adopted.body.version]).toEqual([200, 2]);
    expect(etag).toMatch(/^"2-/);
    const again = await call(stack, 'GET', root(cart), undefined, { ...asOwner(), headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
  });
});

describe('an order of a guest cart by a customer', () => {
  test('is theirs, as the cart is; it holds what was in the cart, and their other one waits', async () => {
    const other = await newCart(stack, { items: [line(0, 5)] }, asOwner());
    const cart = await readyCart(stack, [{ sku_id: skus[1] ?? '', quantity: 1 }]);
    const placed = await placeOrder(stack, cart.id, MANUAL, { ...asOwner(), expected_total: cart.total });
    expect(placed.status, placed.text).toBe(201);
    expect(linesOf(placed.body)).toBe('1x1');
    expect((await call(stack, 'GET', '/orders', undefined, asOwner())).body.data).toMatchObject([
      { id: placed.body.id },
    ]);
    expect(await statusOf(cart.id)).toBe(404);
    expect((await adopt(cart.id)).status).toBe('completed');
    expect(await adopt(other.id)).toEqual(other);
  });

  test('that is declined leaves them the cart', async () => {
    const cart = await readyCart(stack, [{ sku_id: skus[1] ?? '', quantity: 1 }]);
    expect((await placeOrder(stack, cart.id, pay('tok_declined'), asOwner())).status).toBe(402);
    expect(await statusOf(cart.id)).toBe(404);
    expect((await adopt(cart.id)).status).toBe('open');
  });

  test("an ordered guest's cart stays whose it was", async () => {
    const cart = await readyCart(stack, [{ sku_id: skus[1] ?? '', quantity: 1 }]);
    expect((await placeOrder(stack, cart.id)).status).toBe(201);
    const ordered = await readCart(stack, cart.id);
    expect(await adopt(cart.id)).toEqual(ordered);
    expect(await readCart(stack, cart.id)).toEqual(ordered);
  });
});

test('a guest pays nothing for it: their reads are one statement, their changes have none of it', async () => {
  const cart = await newCart(stack, { items: [line(0, 1)] });
  stack.neon.clear();
  await readCart(stack, cart.id);
  expect(JSON.parse(stack.neon.exchanges[0]?.requestBody ?? '').queries).toHaveLength(1);
  await call(stack, 'PATCH', root(cart), { note: 'x' });
  await call(stack, 'POST', `/carts/${cart.id}/items`, line(0, 1));
  expect(stack.neon.exchanges).toHaveLength(3);
  for (const { requestBody } of stack.neon.exchanges) expect(requestBody).not.toContain('cart.merged_id');
});
