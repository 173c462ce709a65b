import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { ADDRESS, call, createSku, MANUAL, ordersOf, pay, placeOrder, readyCart, stockOf } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { awaitStored } from '../support/stored.ts';

const WEBHOOK_SECRET = 'a webhook secret of this file';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterEach(() => {
  stack.provider.setWebhookMode('send');
  stack.payments.clear();
});
afterAll(() => stack.close());

const oneOf = async (stock: number, price?: number) => {
  const sku = await createSku(stack, { stock, ...(price !== undefined && { price }) });
  return { sku, cart: await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]) };
};

describe('refusals leave everything as it was', () => {
  test('expected_total that differs is 409 cart_changed and tells the total', async () => {
    const { sku, cart } = await oneOf(1);
    const refused = await placeOrder(stack, cart.id, pay('tok_ok'), { expected_total: cart.total - 1 });
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'cart_changed', param: 'expected_total', total: cart.total },
    });
    expect(await ordersOf(stack, cart.id)).toEqual([]);
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 1, reserved: 0 });
  });

  test('insufficient_stock names each short line, and no line is reserved', async () => {
    const [plenty, short, none] = [
      await createSku(stack, { stock: 9 }),
      await createSku(stack, { stock: 2 }),
      await createSku(stack, { stock: 0 }),
    ];
    const items = [plenty, short, none].map(({ id }) => ({ sku_id: id, quantity: 3 }));
    const cart = await readyCart(stack, items);
    const refused = await placeOrder(stack, cart.id);
    expect(refused).toMatchObject({ status: 409, body: { code: 'insufficient_stock' } });
    expect(refused.body.errors).toMatchObject([
      { param: 'items[1]', sku_id: short.id, requested: 3, available: 2 },
      { param: 'items[2]', sku_id: none.id, requested: 3, available: 0 },
    ]);
    expect(await stockOf(stack, plenty.id)).toEqual({ on_hand: 9, reserved: 0 });
    expect((await call(stack, 'GET', `/carts/${cart.id}`)).body.status).toBe('open');
  });

  test('stock is taken across locations, in order of priority', async () => {
    const { sku, cart } = await oneOf(0);
    const { rows } = await stack.owner.query('select id from stock_locations order by priority desc limit 1');
    await stack.owner.query('insert into stock_levels (sku_id, location_id, on_hand) values ($1, $2, 1)', [
      sku.id,
      rows[0].id,
    ]);
    expect((await placeOrder(stack, cart.id)).status).toBe(201);
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 0, reserved: 0 });
  });

  test('an incomplete cart is 422 and names everything that is missing', async () => {
    const cart = (await call(stack, 'POST', '/carts', {})).body;
    const refused = await placeOrder(stack, cart.id);
    expect(refused).toMatchObject({ status: 422, body: { code: 'cart_incomplete' } });
    expect(refused.body.errors.map(({ param }: { param: string }) => param)).toEqual([
      'items',
      'email',
      'shipping_address',
      'shipping_option_id',
    ]);
  });

  test('a provider that is not set up, or a market without manual payment, is 422 provider_unavailable', async () => {
    const { cart } = await oneOf(1);
    const stripe = await placeOrder(stack, cart.id, { provider: 'stripe', token: 'pm_1' });
    expect(stripe).toMatchObject({ status: 422, body: { code: 'provider_unavailable', param: 'payment.provider' } });
    await stack.owner.query(`update markets set manual_payments = false where code = 'us'`);
    const manual = await placeOrder(stack, cart.id, MANUAL);
    await stack.owner.query(`update markets set manual_payments = true where code = 'us'`);
    expect(manual).toMatchObject({ status: 422, body: { code: 'provider_unavailable' } });
    expect(await ordersOf(stack, cart.id)).toEqual([]);
  });

  test('a SKU that was archived meanwhile is refused by name', async () => {
    const { sku, cart } = await oneOf(1);
    await stack.owner.query(`update skus set status = 'archived' where id = $1`, [sku.id]);
    const refused = await placeOrder(stack, cart.id);
    expect(refused).toMatchObject({ status: 422, body: { code: 'cart_incomplete', param: 'items[0].sku_id' } });
  });

  test('another body under the same key is 422, before and after the order is placed', async () => {
    const { cart } = await oneOf(1);
    const options = { key: 'reused-key' };
    const placed = await placeOrder(stack, cart.id, pay('tok_ok'), options);
    expect(placed.status).toBe(201);
    const other = await placeOrder(stack, cart.id, MANUAL, options);
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused', param: 'Idempotency-Key' } });
    const replay = await placeOrder(stack, cart.id, pay('tok_ok'), options);
    expect(replay.text).toBe(placed.text);
  });
});

describe('an order in one call', () => {
  test('the cart travels in the request', async () => {
    const sku = await createSku(stack, { stock: 2, price: 2_500 });
    const template = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
    const cart = {
      market: 'us',
      items: [{ sku_id: sku.id, quantity: 2 }],
      email: 'ada@example.test',
      shipping_address: ADDRESS,
      shipping_option_id: template.shipping_option_id,
      discount_codes: ['WELCOME10'],
    };
    const body = { cart, payment: pay('tok_ok') };
    const placed = await call(stack, 'POST', '/orders', body, { key: 'inline' });
    expect(placed).toMatchObject({ status: 201, body: { status: 'confirmed', subtotal: 5_000, discount_total: 500 } });
    const again = await call(stack, 'POST', '/orders', body, { key: 'inline' });
    expect(again.body.id).toBe(placed.body.id);
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 0, reserved: 0 });
  });

  test('a refused one leaves no cart behind, and names the fields where they stand', async () => {
    const sku = await createSku(stack, { stock: 1 });
    const { shipping_option_id } = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
    const whole = { email: 'ada@example.test', shipping_address: ADDRESS, shipping_option_id };
    const line = (quantity: number) => [{ sku_id: sku.id, quantity }];
    const carts = async () => (await stack.owner.query('select count(*)::int from carts')).rows[0].count;
    const before = await carts();
    const refusals: [object, object, number, string][] = [
      [{ cart: { ...whole, items: line(2) } }, pay('tok_ok'), 409, 'insufficient_stock'],
      [{ cart: { items: line(1) } }, pay('tok_ok'), 422, 'cart_incomplete'],
      [{ cart: { ...whole, items: line(1) }, expected_total: 1 }, pay('tok_ok'), 409, 'cart_changed'],
      [{ cart: { ...whole, items: line(1) } }, { provider: 'stripe', token: 'pm_1' }, 422, 'provider_unavailable'],
      [{ cart: { ...whole, items: [{ sku_id: sku.productId, quantity: 1 }] } }, MANUAL, 422, 'sku_unavailable'],
    ];
    for (const [body, payment, status, code] of refusals) {
      const refused = await call(stack, 'POST', '/orders', { ...body, payment });
      expect(refused, code).toMatchObject({ status, body: { code } });
      if (code === 'sku_unavailable') expect(refused.body.param).toBe('cart.items[0].sku_id');
      if (code === 'cart_incomplete') expect(refused.body.param).toBe('cart.email');
      if (code === 'insufficient_stock') expect(refused.body.errors[0].param).toBe('cart.items[0]');
    }
    expect(await carts()).toBe(before);
  });

  test('nothing due asks no provider', async () => {
    const { cart } = await oneOf(1, 0);
    await stack.owner.query('update shipping_options set amount = 0 where id = $1', [cart.shipping_option_id]);
    const before = stack.payments.exchanges.length;
    const placed = await placeOrder(stack, cart.id);
    expect(placed).toMatchObject({ status: 201, body: { status: 'confirmed', total: 0, payment_status: 'captured' } });
    expect(stack.payments.exchanges.length).toBe(before);
    await stack.owner.query('update shipping_options set amount = 595 where id = $1', [cart.shipping_option_id]);
  });

  test.each(['test', 'manual'])('nothing due is taken at once, by hand or not: %s', async (provider) => {
    const { cart } = await oneOf(1, 0);
    await stack.owner.query('update shipping_options set amount = 0 where id = $1', [cart.shipping_option_id]);
    const payment = { provider, ...(provider === 'test' && { token: 'tok_ok' }), capture: 'manual' };
    const placed = await call(stack, 'POST', '/orders', { cart_id: cart.id, payment });
    expect(placed).toMatchObject({ status: 201, body: { status: 'confirmed', total: 0, payment_status: 'captured' } });
    await stack.owner.query('update shipping_options set amount = 595 where id = $1', [cart.shipping_option_id]);
  });

  test('manual capture authorizes only', async () => {
    const { cart } = await oneOf(1);
    const body = { cart_id: cart.id, payment: { ...pay('tok_ok'), capture: 'manual' } };
    const placed = await call(stack, 'POST', '/orders', body);
    expect(placed.body).toMatchObject({
      payment_status: 'authorized',
      payments: [{ captured_amount: 0, amount: cart.total }],
    });
  });
});

describe('a payment that waits for its buyer', () => {
  test('3DS: 201 pending with the next action; the webhook confirms it', async () => {
    const { sku, cart } = await oneOf(1);
    const waiting = await placeOrder(stack, cart.id, pay('tok_requires_action'), { key: '3ds' });
    expect(waiting).toMatchObject({ status: 201, body: { status: 'pending', payment_status: 'requires_action' } });
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 1, reserved: 1 });

    await fetch(waiting.body.payments[0].next_action.url, {
      method: 'POST',
      body: new URLSearchParams({ outcome: 'success' }),
    });
    await stack.provider.flushWebhooks();
    expect(await ordersOf(stack, cart.id)).toEqual([{ id: waiting.body.id, status: 'confirmed' }]);
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 0, reserved: 0 });
    await awaitStored(stack, '3ds');
    const replay = await placeOrder(stack, cart.id, pay('tok_requires_action'), { key: '3ds' });
    expect(replay.text).toBe(waiting.text);
  });

  test('3DS failed: the stock goes back and the cart opens again', async () => {
    const { sku, cart } = await oneOf(1);
    const waiting = await placeOrder(stack, cart.id, pay('tok_requires_action'));
    await fetch(waiting.body.payments[0].next_action.url, {
      method: 'POST',
      body: new URLSearchParams({ outcome: 'failure' }),
    });
    await stack.provider.flushWebhooks();
    expect(await ordersOf(stack, cart.id)).toEqual([{ id: waiting.body.id, status: 'failed' }]);
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 1, reserved: 0 });
    expect((await placeOrder(stack, cart.id)).status).toBe(201);
  });

  test('a buyer who never comes back: after an hour the tick gives the payment up and the stock back', async () => {
    const { sku, cart } = await oneOf(1);
    const waiting = await placeOrder(stack, cart.id, pay('tok_requires_action'));
    await stack.worker.scheduled({ cron: '* * * * *' });
    expect(await ordersOf(stack, cart.id)).toMatchObject([{ status: 'pending' }]);
    await stack.owner.query(`update orders set created_at = now() - interval '61 minutes' where id = $1`, [
      waiting.body.id,
    ]);
    await stack.worker.scheduled({ cron: '* * * * *' });
    expect(await ordersOf(stack, cart.id)).toMatchObject([{ status: 'failed' }]);
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 1, reserved: 0 });
  });

  test('webhooks: doubled ones change nothing more, a wrong or old signature is refused', async () => {
    stack.provider.setWebhookMode('duplicate');
    const { sku, cart } = await oneOf(3);
    expect((await placeOrder(stack, cart.id)).status).toBe(201);
    await stack.provider.flushWebhooks();
    expect(await stockOf(stack, sku.id)).toEqual({ on_hand: 2, reserved: 0 });
    const event = JSON.stringify(stack.provider.events().at(-1));
    const now = Math.floor(Date.now() / 1000);
    const sign = (secret: string, at: number) =>
      `t=${at},v1=${createHmac('sha256', secret).update(`${at}.${event}`).digest('hex')}`;
    for (const signature of [sign(WEBHOOK_SECRET, now), sign(WEBHOOK_SECRET, now - 3_600), 'garbage', '']) {
      const refused = await stack.fetch('/api/v1/webhooks/payments/test', {
        method: 'POST',
        body: event,
        headers: { 'content-type': 'application/json', 'test-signature': signature },
      });
      expect(refused.status).toBe(401);
    }
  });
});
