import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { unpayable } from '../../src/domains/payments/providers/stripe-units.ts';
import { CURRENCIES, currencyExponent } from '../../src/platform/money.ts';
import { ADDRESS, call, createSku, ordersOf, placeOrder, readyCart, type Json } from '../support/shop.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { chargeOf, ledgerOf, paymentsAs, type Payment } from './fixture.ts';

/** As Stripe's page of currencies has them: how many digits an amount of each is sent with, two where it is not named. */
const DIGITS = new Map<string, number>([
  ...'BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' ').map((code) => [code, 0] as const),
  ...'BHD JOD KWD OMR TND'.split(' ').map((code) => [code, 3] as const),
  // Without any digits by now, and sent with two for the sake of those who always did.
  ...'ISK UGX'.split(' ').map((code) => [code, 2] as const),
]);
const sentWith = (currency: string) => DIGITS.get(currency) ?? 2;

describe('a minor unit of ours is one of Stripe, or the currency is refused', () => {
  test.each(CURRENCIES)('%s', (currency) => {
    const isSame = currencyExponent(currency) === sentWith(currency);
    expect(unpayable(1_000, currency)).toBe(isSame ? null : 'currency');
    if (!isSame) return;
    const isLastFree = sentWith(currency) < 3;
    expect(unpayable(1_001, currency)).toBe(isLastFree ? null : 'amount');
  });

  test('each of those that Stripe names is one of ours', () => {
    for (const currency of DIGITS.keys()) expect(CURRENCIES).toContain(currency);
  });
});

describe('through the door', () => {
  let stack: Stack;
  let token: string;
  let shop: ReturnType<typeof paymentsAs>;
  beforeAll(async () => {
    stack = await startStack({ stripe: true });
    stack.provider.setWebhookMode('hold');
    ({ token } = await createStaff(stack, 'owner'));
    shop = paymentsAs(stack, token);
    await stack.owner.query('update tax_rates set rate_ppm = 0');
    await stack.owner.query('update shipping_options set amount = 500');
  });
  afterEach(() => stack.payments.clear());
  afterAll(() => stack.close());

  const VISA = { provider: 'stripe', token: 'pm_card_visa' };

  async function skuOf(currency: string, price: number): Promise<string> {
    const { id } = await createSku(stack, { stock: 5 });
    await stack.owner.query(`update markets set currency = $1 where code = 'us'`, [currency]);
    await stack.owner.query('insert into prices (sku_id, currency, amount) values ($1, $2, $3)', [id, currency, price]);
    return id;
  }
  const cartOf = async (currency: string, price: number): Promise<Json> =>
    readyCart(stack, [{ sku_id: await skuOf(currency, price), quantity: 1 }]);

  async function bought(cart: Json, method: typeof VISA): Promise<{ payment: Payment; items: Json[] }> {
    const placed = await placeOrder(stack, cart.id, method);
    expect(placed.status, placed.text).toBe(201);
    const [{ id }] = placed.body.payments;
    const { rows } = await stack.owner.query('select provider_reference from payments where id = $1', [id]);
    const payment = { id, orderId: placed.body.id, total: cart.total, reference: rows[0].provider_reference };
    return { payment, items: placed.body.items };
  }

  test('a total of KWD that does not end in 0 is refused before anything is written or asked', async () => {
    const cart = await cartOf('KWD', 1_005);
    const refused = await placeOrder(stack, cart.id, VISA);
    expect(refused).toMatchObject({ status: 422, body: { code: 'validation_failed', param: 'total', total: 1_505 } });
    expect(await ordersOf(stack, cart.id)).toEqual([]);
    expect(stack.payments.exchanges).toEqual([]);
    const shipping_option_id = cart.shipping_option?.id ?? cart.shipping_option_id;
    const items = [{ sku_id: cart.items[0].sku_id, quantity: 1 }];
    const inline = { market: 'us', items, email: 'ada@example.test', shipping_address: ADDRESS, shipping_option_id };
    const named = await call(stack, 'POST', '/orders', { cart: inline, payment: VISA });
    expect(named).toMatchObject({ status: 422, body: { code: 'validation_failed', param: 'cart.total' } });
    expect((await placeOrder(stack, cart.id, { provider: 'test', token: 'tok_ok' })).status).toBe(201);
  });

  test('nor does it give up what the buyer was paying with', async () => {
    const cart = await cartOf('KWD', 1_005);
    const waits = await placeOrder(stack, cart.id, { provider: 'test', token: 'tok_requires_action' });
    expect(waits.body).toMatchObject({ status: 'pending' });
    expect((await placeOrder(stack, cart.id, VISA)).status).toBe(422);
    expect(await ordersOf(stack, cart.id)).toMatchObject([{ id: waits.body.id, status: 'pending' }]);
  });

  test('captures and refunds of KWD, too; one that ends in 0 goes through', async () => {
    const cart = await cartOf('KWD', 1_000);
    const { payment } = await bought(cart, { ...VISA, capture: 'manual' } as typeof VISA);
    const refused = { status: 422, body: { code: 'validation_failed', param: 'amount' } };
    expect(await shop.ask('capture', payment, { amount: 1_005 })).toMatchObject(refused);
    expect(await ledgerOf(stack, payment)).toHaveLength(2);
    expect((await shop.ask('capture', payment, { amount: 1_010 })).status).toBe(200);
    expect(await shop.ask('refund', payment, { amount: 15 })).toMatchObject(refused);
    expect((await shop.ask('refund', payment, { amount: 20 })).status).toBe(200);
    expect(chargeOf(stack, payment)).toMatchObject({ currency: 'kwd', captured: 1_010, refunded: 20 });
  });

  test('a line of KWD is canceled by whole tens, and the rest goes back with the order', async () => {
    const [one, other] = [await skuOf('KWD', 1_005), await skuOf('KWD', 1_005)];
    const cart = await readyCart(stack, [
      { sku_id: one, quantity: 1 },
      { sku_id: other, quantity: 1 },
    ]);
    const { payment, items } = await bought(cart, VISA);
    const cancel = (body: Json) => call(stack, 'POST', `/admin/orders/${payment.orderId}/cancel`, body, { token });
    const line = await cancel({ reason: 'other', items: [{ item_id: items[0].id, quantity: 1 }] });
    expect(line.status, line.text).toBe(200);
    expect(chargeOf(stack, payment)).toMatchObject({ captured: 2_510, refunded: 1_000 });
    const rest = await cancel({ reason: 'other' });
    expect(rest.status, rest.text).toBe(200);
    expect(chargeOf(stack, payment)).toMatchObject({ captured: 2_510, refunded: 2_510 });
  });

  test.each(['MGA', 'UGX'])('%s is refused before anything is written or asked', async (currency) => {
    const cart = await cartOf(currency, 50_000);
    const refused = await placeOrder(stack, cart.id, VISA);
    expect(refused).toMatchObject({ status: 422, body: { code: 'provider_unavailable', param: 'payment.provider' } });
    expect(await ordersOf(stack, cart.id)).toEqual([]);
    expect(stack.payments.exchanges).toEqual([]);
  });
});
