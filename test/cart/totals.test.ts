import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADDRESS, call, createSku, type Json } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { addressIn, addsUp, newCart, readCart, refusal } from './fixture.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
  await stack.owner.query(`
    insert into discount_codes (code, name, kind, rate_ppm, amount, currency, starts_at, ends_at) values
      ('GONE', 'Over', 'percent', 100000, null, null, null, now() - interval '1 second'),
      ('SOON', 'Not yet', 'percent', 100000, null, null, now() + interval '1 day', null),
      ('NOW', 'This week', 'percent', 50000, null, null, now() - interval '1 day', now() + interval '1 day'),
      ('TENEUR', '10 EUR off', 'fixed', null, 1000, 'EUR', null, null),
      ('HUGE', '9999 USD off', 'fixed', null, 999900, 'USD', null, null),
      ('A1', 'A1', 'percent', 10000, null, null, null, null), ('A2', 'A2', 'percent', 10000, null, null, null, null),
      ('A3', 'A3', 'percent', 10000, null, null, null, null), ('A4', 'A4', 'percent', 10000, null, null, null, null),
      ('A5', 'A5', 'percent', 10000, null, null, null, null)`);
});
afterAll(() => stack.close());

const send = (method: string, path: string, body?: Json) => call(stack, method, path, body);

describe('discount codes', () => {
  const cartWith = async (price: number, market = 'us') => {
    const { id } = await createSku(stack, { stock: 9, price });
    return await newCart(stack, { market, items: [{ sku_id: id, quantity: 1 }] });
  };
  const add = (cart: Json, code: string) => send('POST', `/carts/${cart.id}/discount-codes`, { code });

  test('are written in any case, and counted once however often they are added', async () => {
    const cart = await cartWith(10_000);
    for (const code of ['welcome10', 'WELCOME10', ' WelCome10 ']) {
      const { status, body } = await add(cart, code);
      expect(status).toBe(200);
      expect(body).toMatchObject({
        discount_codes: ['WELCOME10'],
        promotions: [{ code: 'WELCOME10', name: '10 % off', amount: 1000 }],
        discount_total: 1000,
      });
      addsUp(body);
    }
    const removed = await send('DELETE', `/carts/${cart.id}/discount-codes/welcome10`);
    expect(removed.body).toMatchObject({ discount_codes: [], promotions: [], discount_total: 0, total: cart.total });
    const again = await send('DELETE', `/carts/${cart.id}/discount-codes/welcome10`);
    expect(refusal(again)).toEqual([404, 'not_found', 'code']);
  });

  test.each(['NOPE', 'GONE', 'SOON', 'TENEUR'])('%s is refused and changes nothing', async (code) => {
    const cart = await cartWith(10_000);
    expect(refusal(await add(cart, code))).toEqual([422, 'discount_code_invalid', 'code']);
    expect(await readCart(stack, cart.id)).toEqual(cart);
    const refused = await send('POST', '/carts', { discount_codes: ['WELCOME10', code] });
    expect(refusal(refused)).toEqual([422, 'discount_code_invalid', 'discount_codes']);
  });

  test('one that ends while it is in the cart stops counting', async () => {
    const cart = await cartWith(10_000);
    expect((await add(cart, 'NOW')).body.discount_total).toBe(500);
    await stack.owner.query(`update discount_codes set ends_at = now() where code = 'NOW'`);
    expect(await readCart(stack, cart.id)).toMatchObject({ discount_codes: [], discount_total: 0 });
  });

  test('a fixed amount counts in its currency, and never beyond what there is to pay for', async () => {
    const euros = await add(await cartWith(2500, 'eu'), 'TENEUR');
    expect(euros.body).toMatchObject({ discount_total: 1000, total: 1500 });
    const dollars = await add(await cartWith(2500), 'HUGE');
    expect(dollars.body).toMatchObject({ discount_total: 2500, tax_total: 0, total: 0 });
    addsUp(dollars.body);
  });

  test('each takes from what the ones before it left, in the order in which they were added', async () => {
    const cart = await cartWith(10_000);
    await add(cart, 'WELCOME10');
    const { body } = await add(cart, 'A1');
    expect(body.promotions.map((promotion: Json) => [promotion.code, promotion.amount])).toEqual([
      ['WELCOME10', 1000],
      ['A1', 90],
    ]);
    addsUp(body);
  });

  test('five fit on a cart', async () => {
    const cart = await newCart(stack, { discount_codes: ['A1', 'A2', 'A3', 'A4', 'A5'] });
    expect(refusal(await add(cart, 'WELCOME10'))).toEqual([422, 'validation_failed', 'code']);
    expect(await readCart(stack, cart.id)).toEqual(cart);
  });
});

describe('tax', () => {
  const priced = async (input: Json, price: number, quantity: number) => {
    const { id: sku_id } = await createSku(stack, { stock: 99, price });
    const cart = await newCart(stack, { ...input, items: [{ sku_id, quantity }] });
    const { body } = await send('GET', `/carts/${cart.id}/shipping-options`);
    return (await send('PATCH', `/carts/${cart.id}`, { shipping_option_id: body.data[0].id })).body;
  };

  test('comes on top in the US market', async () => {
    const cart = await priced({ shipping_address: ADDRESS }, 1000, 3);
    // 8.875 % of 30.00 is 2.6625, of 5.95 shipping 0.5281.
    expect(cart).toMatchObject({
      tax_inclusive: false,
      subtotal: 3000,
      shipping_total: 595,
      shipping_tax_total: 53,
      tax_total: 266 + 53,
      total: 3000 + 266 + 595 + 53,
    });
    addsUp(cart);
  });

  test.each([
    ['DE', 479, 78],
    ['FR', 500, 82],
    ['FI', 610, 100],
  ])('is in the price in the EU market, at the rate of %s', async (country, tax, shippingTax) => {
    const cart = await priced({ market: 'eu', shipping_address: addressIn(country) }, 1000, 3);
    expect(cart).toMatchObject({
      tax_inclusive: true,
      currency: 'EUR',
      subtotal: 3000,
      shipping_total: 490,
      shipping_tax_total: shippingTax,
      tax_total: tax + shippingTax,
      total: 3490,
    });
    addsUp(cart);
  });

  test("is the market's first country's before there is an address", async () => {
    const cart = await priced({ market: 'eu' }, 1200, 1);
    expect(cart.items[0].tax_total).toBe(200);
    addsUp(cart);
  });

  test('is on what is left after discounts', async () => {
    const cart = await priced({ shipping_address: ADDRESS, discount_codes: ['WELCOME10'] }, 999, 7);
    expect(cart).toMatchObject({ subtotal: 6993, discount_total: 699, tax_total: 559 + 53 });
    addsUp(cart);
  });
});
