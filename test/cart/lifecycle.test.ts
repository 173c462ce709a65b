import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProduct } from '../catalog/fixture.ts';
import { ADDRESS, call, createSku, MANUAL, placeOrder, readyCart, type Json } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { changeNamed, CHANGES, filledCart, newCart, readCart } from './fixture.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

const put = (method: string, path: string, body?: Json, headers: Record<string, string> = {}) =>
  call(stack, method, path, body, { headers });

describe('a cart', () => {
  test('starts empty in the default market, with an id that nobody can guess', async () => {
    const [one, other] = [await newCart(stack), await newCart(stack)];
    expect(one).toMatchObject({
      version: 1,
      status: 'open',
      market: 'us',
      currency: 'USD',
      tax_inclusive: false,
      items: [],
      email: null,
      shipping_address: null,
      billing_address: null,
      shipping_option_id: null,
      discount_codes: [],
      promotions: [],
      note: null,
      total: 0,
    });
    expect(one.id).toMatch(/^[\w-]{22}$/);
    // Ids made one after the other have nothing in common, as those with a time in front would.
    expect(one.id.slice(0, 4)).not.toBe(other.id.slice(0, 4));
    expect(new Date(one.expires_at).getTime() - new Date(one.created_at).getTime()).toBeGreaterThan(29 * 86_400_000);
  });

  test('takes everything at once that the later routes take one by one', async () => {
    const { id: sku_id } = await createSku(stack, { stock: 5 });
    const options = await newCart(stack, { market: 'eu' }).then(({ id }) =>
      put('GET', `/carts/${id}/shipping-options`),
    );
    const shipping_option_id = options.body.data[0].id;
    const address = { ...ADDRESS, country: 'FR' };
    const input = {
      currency: 'EUR',
      items: [{ sku_id, quantity: 2 }],
      email: 'Ada@Example.test',
      shipping_address: address,
      billing_address: { ...address, company: 'Engines' },
      shipping_option_id,
      discount_codes: ['welcome10'],
      note: 'by the door',
    };
    const atOnce = await newCart(stack, input);
    expect(atOnce).toMatchObject({
      ...input,
      market: 'eu',
      items: [{ sku_id, quantity: 2, available: true, available_quantity: 5 }],
      email: 'ada@example.test',
      discount_codes: ['WELCOME10'],
    });

    const { id } = await newCart(stack, { market: 'eu' });
    await put('POST', `/carts/${id}/items`, { sku_id, quantity: 2 });
    const { email, shipping_address, billing_address, note } = input;
    await put('PATCH', `/carts/${id}`, { email, shipping_address, billing_address, note });
    await put('PATCH', `/carts/${id}`, { shipping_option_id });
    await put('POST', `/carts/${id}/discount-codes`, { code: 'Welcome10' });
    const { items, ...oneByOne } = await readCart(stack, id);
    const own = { id, version: 5, created_at: expect.any(String), expires_at: expect.any(String) };
    expect({ ...oneByOne, items: [{ ...items[0], id: '' }] }).toEqual({
      ...atOnce,
      ...own,
      items: [{ ...atOnce.items[0], id: '' }],
    });
  });

  test('reads the same as the reply of its last change, and reading changes nothing', async () => {
    const { cart } = await filledCart(stack);
    expect(await readCart(stack, cart.id)).toEqual(cart);
    expect(await readCart(stack, cart.id)).toEqual(cart);
  });

  test('shows its shipping options when asked, and only then', async () => {
    const { id } = await newCart(stack);
    const plain = await put('GET', `/carts/${id}`);
    const expanded = await put('GET', `/carts/${id}?expand=shipping_options`);
    const { body } = await put('GET', `/carts/${id}/shipping-options`);
    expect(plain.body).not.toHaveProperty('shipping_options');
    expect(expanded.body).toEqual({ ...plain.body, shipping_options: body.data });
    expect(body.data.map((option: Json) => [option.code, option.amount, option.currency])).toEqual([
      ['us-standard', 595, 'USD'],
      ['us-express', 1995, 'USD'],
    ]);
    const changed = await put('PATCH', `/carts/${id}?expand=shipping_options`, { note: 'x' });
    expect(changed.body.shipping_options).toEqual(body.data);
  });
});

describe('lines', () => {
  test('of one SKU add up; others stand in the order in which they came', async () => {
    const [a, b] = [await createSku(stack, { stock: 9, price: 100 }), await createSku(stack, { stock: 9, price: 250 })];
    const cart = await newCart(stack, {
      items: [
        { sku_id: b.id, quantity: 1 },
        { sku_id: a.id, quantity: 1 },
        { sku_id: b.id, quantity: 2 },
      ],
    });
    const lines = (body: Json) => body.items.map((item: Json) => [item.sku_id, item.quantity, item.subtotal]);
    expect(lines(cart)).toEqual([
      [b.id, 3, 750],
      [a.id, 1, 100],
    ]);
    const added = await put('POST', `/carts/${cart.id}/items`, { sku_id: a.id, quantity: 4 });
    expect(lines(added.body)).toEqual([
      [b.id, 3, 750],
      [a.id, 5, 500],
    ]);
    expect(added.body.items.map((item: Json) => item.id)).toEqual(cart.items.map((item: Json) => item.id));
  });

  test('are set and removed by id; quantity 0 removes as well', async () => {
    const { cart, skuId } = await filledCart(stack);
    const line = `/carts/${cart.id}/items/${cart.items[0].id}`;
    expect((await put('PATCH', line, { quantity: 9 })).body.items).toMatchObject([{ sku_id: skuId, quantity: 9 }]);
    const emptied = await put('PATCH', line, { quantity: 0 });
    expect([emptied.status, emptied.body.items, emptied.body.total]).toEqual([200, [], 0]);
    for (const [method, body] of [['PATCH', { quantity: 1 }], ['PATCH', { quantity: 0 }], ['DELETE']] as const) {
      const gone = await put(method, line, body);
      expect(gone.status).toBe(404);
      expect(gone.body).toMatchObject({ code: 'not_found', param: 'item_id' });
    }
  });

  test('of another cart are not found', async () => {
    const [mine, other] = [await filledCart(stack), await filledCart(stack)];
    const strange = `/carts/${mine.cart.id}/items/${other.cart.items[0].id}`;
    expect((await put('PATCH', strange, { quantity: 1 })).status).toBe(404);
    expect((await put('DELETE', strange)).status).toBe(404);
    expect(await readCart(stack, other.cart.id)).toEqual(other.cart);
    expect(await readCart(stack, mine.cart.id)).toEqual(mine.cart);
  });

  test('say when there is less in stock than they ask for', async () => {
    const { id: sku_id } = await createSku(stack, { stock: 2 });
    const cart = await newCart(stack, { items: [{ sku_id, quantity: 3 }] });
    expect(cart.items).toMatchObject([{ quantity: 3, available: false, available_quantity: 2 }]);
  });
});

describe('the version', () => {
  test.each(CHANGES)('%s: goes up by one and is in the ETag', async (name) => {
    const filled = await filledCart(stack);
    const change = changeNamed(filled, name);
    const reply = await put(change.method, change.path, change.body);
    expect([reply.status, reply.body.version]).toEqual([200, 2]);
    expect(reply.headers.get('etag')).toMatch(/^"2-[\w-]+"$/);
    expect(reply.body).not.toEqual({ ...filled.cart, version: 2 });
  });

  test.each(CHANGES)('%s: is compared when If-Match names one', async (name) => {
    const filled = await filledCart(stack);
    const change = changeNamed(filled, name);
    const path = `/carts/${filled.cart.id}`;
    const etag = (await put('GET', path)).headers.get('etag') ?? '';
    await put('PATCH', path, { note: 'someone else was faster' });
    const before = await readCart(stack, filled.cart.id);
    for (const stale of [etag, `W/${etag}`, '"1"', '"nonsense"', 'nonsense']) {
      const refused = await put(change.method, change.path, change.body, { 'if-match': stale });
      expect([refused.status, refused.body.code, refused.body.param]).toEqual([412, 'precondition_failed', 'If-Match']);
    }
    expect(await readCart(stack, filled.cart.id)).toEqual(before);
    const current = (await put('GET', path)).headers.get('etag') ?? '';
    const done = await put(change.method, change.path, change.body, { 'if-match': `W/${current}` });
    expect([done.status, done.body.version]).toEqual([200, 3]);
  });

  test('If-Match takes the full ETag, a weak one, the version alone, or anything at all', async () => {
    const { id } = await newCart(stack);
    const forms = [(etag: string) => etag, (etag: string) => `W/${etag}`, () => null, () => '*'];
    for (const [index, form] of forms.entries()) {
      const etag = (await put('GET', `/carts/${id}`)).headers.get('etag') ?? '';
      const header = form(etag) ?? `"${index + 1}"`;
      const reply = await put('PATCH', `/carts/${id}`, { note: `${index}` }, { 'if-match': header });
      expect([reply.status, reply.body.version]).toEqual([200, index + 2]);
    }
  });

  test('of twenty changes that all saw the same version, one is made', async () => {
    const { id } = await newCart(stack);
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => put('PATCH', `/carts/${id}`, { note: `note ${i}` }, { 'if-match': '"1"' })),
    );
    const won = replies.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 412)).toHaveLength(19);
    expect(await readCart(stack, id)).toEqual(won[0]?.body);
  });

  test('a read is not sent again while the cart is the same, and is when only its prices moved', async () => {
    const { cart, skuId } = await filledCart(stack);
    const etag = (await put('GET', `/carts/${cart.id}`)).headers.get('etag') ?? '';
    const same = await put('GET', `/carts/${cart.id}`, undefined, { 'if-none-match': `W/${etag}` });
    expect([same.status, same.text]).toEqual([304, '']);
    await stack.owner.query(`update prices set amount = amount + 5 where sku_id = $1`, [skuId]);
    const moved = await put('GET', `/carts/${cart.id}`, undefined, { 'if-none-match': etag });
    expect([moved.status, moved.body.version, moved.body.subtotal]).toEqual([200, 1, cart.subtotal + 10]);
  });
});

describe('limits', () => {
  test('a cart holds a hundred lines; more of a line it has still fits', async () => {
    const { skuIds } = await createProduct(stack, { skus: Array.from({ length: 101 }, () => ({})) });
    const items = skuIds.map((sku_id) => ({ sku_id, quantity: 1 }));
    const tooMany = await put('POST', '/carts', { items });
    expect([tooMany.status, tooMany.body.code, tooMany.body.param]).toEqual([422, 'validation_failed', 'items']);
    const cart = await newCart(stack, { items: items.slice(0, 100) });
    const refused = await put('POST', `/carts/${cart.id}/items`, items[100]);
    expect([refused.status, refused.body.code, refused.body.param]).toEqual([422, 'cart_full', 'sku_id']);
    expect(await readCart(stack, cart.id)).toEqual(cart);
    expect((await put('POST', `/carts/${cart.id}/items`, items[0])).body.items).toHaveLength(100);
  });

  test('a line holds ten thousand units, however they got there', async () => {
    const { id: sku_id } = await createSku(stack, { stock: 1 });
    const cart = await newCart(stack, { items: [{ sku_id, quantity: 10_000 }] });
    const path = `/carts/${cart.id}/items`;
    for (const [method, where, body] of [
      ['POST', path, { sku_id, quantity: 1 }],
      ['POST', path, { sku_id, quantity: 10_001 }],
      ['PATCH', `${path}/${cart.items[0].id}`, { quantity: 10_001 }],
    ] as const) {
      const refused = await put(method, where, body);
      expect([refused.status, refused.body.code, refused.body.param]).toEqual([422, 'validation_failed', 'quantity']);
    }
    expect(await readCart(stack, cart.id)).toEqual(cart);
  });
});

describe('a cart that was ordered', () => {
  test.each(CHANGES)('%s: 409, and the order stays what was bought', async (name) => {
    const { id: sku_id } = await createSku(stack, { stock: 5 });
    const ready = await readyCart(stack, [{ sku_id, quantity: 1 }]);
    expect((await placeOrder(stack, ready.id, MANUAL)).status).toBe(201);
    const { changes } = await filledCart(stack);
    const cart = await readCart(stack, ready.id);
    const { method, path, body } = changeNamed({ cart, skuId: sku_id, changes }, name);
    const own = path.replace(/\/carts\/[^/]+/, `/carts/${cart.id}`).replace(/items\/.+/, `items/${cart.items[0].id}`);
    const refused = await put(method, own, body);
    expect([refused.status, refused.body.code]).toEqual([409, 'cart_already_completed']);
    expect(await readCart(stack, ready.id)).toEqual(cart);
    expect(cart.status).toBe('completed');
  });
});
