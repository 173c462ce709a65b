import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProduct } from '../catalog/fixture.ts';
import { ADDRESS, call, createSku, type Json } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { addressIn, addsUp, newCart, readCart, refusal } from './fixture.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

const send = (method: string, path: string, body?: Json) => call(stack, method, path, body);

describe('a SKU that cannot be bought is refused by name', () => {
  const unavailable: [name: string, make: () => Promise<string>, market: string][] = [
    ['an archived one', async () => (await createProduct(stack, { skus: [{ status: 'archived' }] })).skuIds[0]!, 'us'],
    ['one of a draft', async () => (await createProduct(stack, { status: 'draft' })).skuIds[0]!, 'us'],
    [
      'one of another market',
      async () => (await createProduct(stack, { skus: [{ prices: { USD: 1 } }] })).skuIds[0]!,
      'eu',
    ],
    ['one that does not exist', async () => '0199a1b2-0000-7000-8000-000000000001', 'us'],
  ];
  test.each(unavailable)('%s', async (_name, make, market) => {
    const [bad, good] = [await make(), (await createSku(stack, { stock: 5 })).id];
    const cart = await newCart(stack, { market });
    expect(refusal(await send('POST', `/carts/${cart.id}/items`, { sku_id: bad, quantity: 1 }))).toEqual([
      422,
      'sku_unavailable',
      'sku_id',
    ]);
    expect(await readCart(stack, cart.id)).toEqual(cart);
    const lines = [good, bad, good, bad].map((sku_id) => ({ sku_id, quantity: 1 }));
    const refused = await send('POST', '/carts', { market, items: lines });
    expect(refusal(refused)).toEqual([422, 'sku_unavailable', 'items[1].sku_id']);
    expect(refused.body.errors.map((error: Json) => error.param)).toEqual(['items[1].sku_id', 'items[3].sku_id']);
  });

  test('one that is taken off sale later stays on its line, costs nothing and says so', async () => {
    const [kept, left] = [await createSku(stack, { stock: 5, price: 300 }), await createSku(stack, { stock: 5 })];
    const cart = await newCart(stack, { items: [kept, left].map(({ id }) => ({ sku_id: id, quantity: 2 })) });
    await stack.owner.query(`update skus set status = 'archived' where id = $1`, [left.id]);
    const read = await readCart(stack, cart.id);
    expect(read.items).toMatchObject([
      { sku_id: kept.id, available: true, total: 653 },
      { sku_id: left.id, quantity: 2, available: false, available_quantity: 0, unit_price: 0, total: 0 },
    ]);
    expect(read.subtotal).toBe(600);
    addsUp(read);
  });

  test('a price that changes is in the very next read', async () => {
    const { id } = await createSku(stack, { stock: 5, price: 300 });
    const cart = await newCart(stack, { items: [{ sku_id: id, quantity: 2 }] });
    await stack.owner.query(`update prices set amount = 350 where sku_id = $1`, [id]);
    expect(await readCart(stack, cart.id)).toMatchObject({ version: cart.version, subtotal: 700 });
  });
});

describe('market', () => {
  test.each([
    [{ market: 'mars' }, 'market'],
    [{ currency: 'GBP' }, 'currency'],
    [{ market: 'eu', currency: 'USD' }, 'market'],
  ])('%j is refused and no cart is made', async (input, param) => {
    const count = async () => (await stack.owner.query('select count(*)::int as n from carts')).rows[0].n;
    const before = await count();
    expect(refusal(await send('POST', '/carts', input))).toEqual([422, 'validation_failed', param]);
    expect(await count()).toBe(before);
  });
});

describe('addresses and shipping', () => {
  const optionsOf = async (id: string): Promise<Record<string, string>> => {
    const { body } = await send('GET', `/carts/${id}/shipping-options`);
    return Object.fromEntries(body.data.map((option: Json) => [option.code, option.id]));
  };

  test('an address in a country that the market does not serve is refused', async () => {
    const cart = await newCart(stack);
    const elsewhere = { shipping_address: addressIn('DE') };
    const expected = [422, 'validation_failed', 'shipping_address.country'];
    expect(refusal(await send('PATCH', `/carts/${cart.id}`, { ...elsewhere, note: 'x' }))).toEqual(expected);
    expect(await readCart(stack, cart.id)).toEqual(cart);
    expect(refusal(await send('POST', '/carts', elsewhere))).toEqual(expected);
  });

  test('a bill may go to any country', async () => {
    const cart = await newCart(stack, { billing_address: addressIn('JP') });
    expect(cart.billing_address).toEqual(addressIn('JP'));
  });

  test('options are those that reach the address', async () => {
    const { id } = await newCart(stack, { market: 'eu', shipping_address: addressIn('DE') });
    expect(Object.keys(await optionsOf(id))).toEqual(['eu-standard', 'eu-express', 'de-pickup']);
    await send('PATCH', `/carts/${id}`, { shipping_address: addressIn('FR') });
    expect(Object.keys(await optionsOf(id))).toEqual(['eu-standard', 'eu-express']);
  });

  test('one that does not reach the address, is of another market, is switched off or does not exist is refused', async () => {
    const german = await newCart(stack, { market: 'eu', shipping_address: addressIn('DE') });
    const american = await newCart(stack);
    const { 'de-pickup': pickup } = await optionsOf(german.id);
    const { 'us-express': express } = await optionsOf(american.id);
    const french = await newCart(stack, { market: 'eu', shipping_address: addressIn('FR') });
    const tries = [
      [french, pickup],
      [german, express],
      [american, pickup],
      [german, '0199a1b2-0000-7000-8000-000000000001'],
    ];
    for (const [cart, shipping_option_id] of tries) {
      const refused = await send('PATCH', `/carts/${cart.id}`, { shipping_option_id });
      expect(refusal(refused)).toEqual([422, 'shipping_option_unavailable', 'shipping_option_id']);
      expect(await readCart(stack, cart.id)).toEqual(cart);
    }
    await stack.owner.query(`update shipping_options set active = false where id = $1`, [pickup]);
    expect((await send('PATCH', `/carts/${german.id}`, { shipping_option_id: pickup })).status).toBe(422);
    await stack.owner.query(`update shipping_options set active = true where id = $1`, [pickup]);
  });

  test('one that was chosen is dropped when the address moves out of its reach, and kept when it does not', async () => {
    const { id } = await newCart(stack, { market: 'eu', shipping_address: addressIn('DE') });
    const options = await optionsOf(id);
    const choose = (code: string) => send('PATCH', `/carts/${id}`, { shipping_option_id: options[code] });
    const move = async (country: string) =>
      (await send('PATCH', `/carts/${id}`, { shipping_address: addressIn(country) })).body;
    expect((await choose('eu-standard')).body.shipping_total).toBe(490);
    expect(await move('FR')).toMatchObject({ shipping_option_id: options['eu-standard'], shipping_total: 490 });
    await move('DE');
    expect((await choose('de-pickup')).body).toMatchObject({
      shipping_option_id: options['de-pickup'],
      shipping_total: 290,
    });
    expect(await move('FR')).toMatchObject({ shipping_option_id: null, shipping_total: 0, shipping_tax_total: 0 });
  });

  test('null clears a field, and a field that is left out stays', async () => {
    const { id: draft } = await newCart(stack);
    const { 'us-standard': shipping_option_id } = await optionsOf(draft);
    const full = {
      email: 'ada@example.test',
      shipping_address: { ...ADDRESS, company: 'Engines', line2: null },
      billing_address: ADDRESS,
      shipping_option_id,
      note: 'ring twice',
    };
    const cart = await newCart(stack, full);
    expect(cart).toMatchObject(full);
    for (const name of Object.keys(full)) {
      const before = await readCart(stack, cart.id);
      const { body } = await send('PATCH', `/carts/${cart.id}`, { [name]: null });
      const derived = { version: before.version + 1, expires_at: body.expires_at };
      const totals =
        name === 'shipping_option_id' ? { shipping_total: 0, shipping_tax_total: 0, tax_total: 0, total: 0 } : {};
      expect(body).toEqual({ ...before, [name]: null, ...derived, ...totals });
    }
    expect((await send('PATCH', `/carts/${cart.id}`, {})).body.version).toBe(cart.version + 6);
  });
});
