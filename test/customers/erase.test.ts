import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { call, createSku, type Json, MANUAL, pay, placeOrder, readyCart } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type Known, liveThere, registerKnown, tracesOf } from './fixture.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

const WAIT = { timeout: 30_000, interval: 20 };
const erase = ({ token }: { token: string }) => call(stack, 'DELETE', '/customers/me', undefined, { token });
const rowsOf = async (text: string, ...values: unknown[]): Promise<Json[]> =>
  (await stack.owner.query(text, values)).rows;
const login = ({ email, password }: Known) => call(stack, 'POST', '/auth/login', { email, password });

/** All that has to be stored after its reply. */
async function allStored(keys: readonly string[]): Promise<void> {
  await vi.waitFor(async () => {
    const [row] = await rowsOf('select count(body)::int as n from idempotency_keys where key = any($1)', keys);
    expect(row.n).toBe(keys.length);
  }, WAIT);
}

/** What the other routes leave behind: a provider, a recovery code, a mailed link, failed sign-ins, a guest's order. */
async function liveElsewhere(person: Known): Promise<{ guestOrder: Json; guestCart: string }> {
  const { id, email, address, note, strings } = person;
  const subject = randomUUID();
  strings.push(subject);
  await rowsOf(`insert into oidc_identities (provider, subject, account_id) values ('test', $1, $2)`, subject, id);
  await rowsOf(`insert into recovery_codes (account_id, digest) values ($1, 'digest')`, id);
  await rowsOf('update accounts set email_verified_at = now() where id = $1', id);
  await call(stack, 'POST', '/auth/login', { email, password: 'a wrong one' });
  const guestCart = await call(stack, 'POST', '/carts', {
    email: email.toUpperCase(),
    shipping_address: address,
    note,
  });
  const { id: sku_id } = await createSku(stack, { stock: 9 });
  const cart = await readyCart(stack, [{ sku_id, quantity: 1 }]);
  await call(stack, 'PATCH', `/carts/${cart.id}`, { email, shipping_address: address, note });
  const guestOrder = await placeOrder(stack, cart.id, MANUAL, { key: randomUUID() });
  expect(guestOrder.status, guestOrder.text).toBe(201);
  return { guestOrder: guestOrder.body, guestCart: guestCart.body.id };
}

describe('after an erase', () => {
  test('a dump of every table and the log hold nothing of the person, and the orders stay', async () => {
    const person = await registerKnown(stack);
    const lived = await liveThere(stack, person);
    const { guestOrder, guestCart } = await liveElsewhere(person);
    await allStored(lived.keys);
    const before = await tracesOf(stack, person.strings);
    expect(new Set(before.map((trace) => trace.split(':')[0]))).toEqual(
      new Set(
        ['accounts', 'account_tokens', 'customers', 'customer_addresses', 'carts', 'orders', 'oidc_identities'].map(
          (t) => `public.${t}`,
        ),
      ),
    );

    const { status, text } = await erase(person);
    expect([status, text]).toEqual([204, '']);
    expect(await tracesOf(stack, person.strings)).toEqual([]);
    const log = stack.logs().map((line) => JSON.stringify(line));
    expect(log.filter((line) => line.includes('/api/v1/customers/me'))).not.toEqual([]);
    expect(log.filter((line) => person.strings.some((each) => line.includes(each)))).toEqual([]);

    const { confirmed, captured, declined } = lived.orders;
    const orders = await rowsOf(
      `select o.id, o.number, o.status, o.total::int, o.customer_id, o.email, o.note, o.shipping_address,
         (select count(*)::int from order_items i where i.order_id = o.id) as items,
         (select sum(p.amount)::int from payments p where p.order_id = o.id) as paid
       from orders o where id = any($1) order by o.id`,
      [confirmed.id, captured.id, declined, guestOrder.id],
    );
    const kept = (order: Json) => ({ id: order.id, number: order.number, status: order.status, total: order.total });
    expect(orders).toMatchObject([
      kept(confirmed),
      kept(captured),
      { id: declined, status: 'failed' },
      kept(guestOrder),
    ]);
    for (const order of orders) {
      expect(order).toMatchObject({
        customer_id: null,
        email: 'erased@invalid',
        note: null,
        items: 1,
        paid: order.total,
      });
      expect(order.shipping_address).toMatchObject({ country: 'US', region: 'NY', city: 'erased' });
    }
    for (const id of [
      lived.carts.open,
      guestCart,
      ...(await rowsOf('select id from carts where customer_id = $1', person.id)),
    ]) {
      expect((await call(stack, 'GET', `/carts/${id}`)).status).toBe(404);
    }
  });

  test('every token of theirs is refused at once, and nobody can sign in to what is left', async () => {
    const person = await registerKnown(stack);
    const elsewhere = (await login(person)).body;
    expect((await erase(person)).status).toBe(204);
    for (const token of [person.token, elsewhere.access_token]) {
      expect((await call(stack, 'GET', '/customers/me', undefined, { token })).status).toBe(401);
      expect((await erase({ token })).status).toBe(401);
    }
    for (const refresh_token of [person.refreshToken, elsewhere.refresh_token]) {
      expect((await call(stack, 'POST', '/auth/refresh', { refresh_token })).status).toBe(401);
    }
    expect((await login(person)).status).toBe(401);
    const left = { ...person, email: `erased+${person.id}@invalid` };
    expect([401, 422]).toContain((await login(left)).status);
  });

  test('the e-mail address is free for a new account, which knows nothing of the old one', async () => {
    const person = await registerKnown(stack);
    await liveThere(stack, person);
    await erase(person);
    const { email, password } = person;
    const again = await call(stack, 'POST', '/auth/register', { email, password });
    expect(again.status).toBe(201);
    const token = again.body.access_token;
    const { body } = await call(stack, 'GET', '/customers/me/export', undefined, { token });
    expect([body.orders, body.carts, body.addresses]).toEqual([[], [], []]);
  });

  test('the world is told by an event and the audit log, in ids', async () => {
    const person = await registerKnown(stack);
    await erase(person);
    expect(await rowsOf('select type, payload from outbox_events where aggregate_id = $1', person.id)).toEqual([
      { type: 'customer.erased', payload: {} },
    ]);
    expect(
      await rowsOf(
        `select action, actor_kind, actor_id, resource_type, details from audit_log where resource_id = $1`,
        person.id,
      ),
    ).toEqual([
      {
        action: 'customers.erase',
        actor_kind: 'customer',
        actor_id: person.id,
        resource_type: 'customer',
        details: {},
      },
    ]);
  });

  test("a guest's order of the same name is still read with its token, without the person", async () => {
    const person = await registerKnown(stack);
    const { guestOrder } = await liveElsewhere(person);
    await erase(person);
    const headers = { 'x-order-token': guestOrder.guest_token };
    const read = await call(stack, 'GET', `/orders/${guestOrder.id}`, undefined, { headers });
    expect([read.status, read.body.total]).toEqual([200, guestOrder.total]);
    for (const each of person.strings) expect(read.text).not.toContain(each);
  });
});

test('an address that was never proved erases nothing of the guest who gave it', async () => {
  const [victim, thief] = [await registerKnown(stack), await registerKnown(stack)];
  const { id: sku_id } = await createSku(stack, { stock: 9 });
  const cart = await readyCart(stack, [{ sku_id, quantity: 1 }]);
  await call(stack, 'PATCH', `/carts/${cart.id}`, { email: thief.email, shipping_address: victim.address });
  const { id } = (await placeOrder(stack, cart.id, MANUAL)).body;
  await erase(thief);
  const [order] = await rowsOf('select email, shipping_address from orders where id = $1', id);
  expect(order).toMatchObject({ email: thief.email, shipping_address: victim.address });
});

test("an erase leaves everybody else's rows as they are", async () => {
  const [person, other] = [await registerKnown(stack), await registerKnown(stack)];
  await Promise.all([liveThere(stack, person), liveThere(stack, other)]);
  const held = async () => (await call(stack, 'GET', '/customers/me/export', undefined, { token: other.token })).body;
  const { exported_at: _before, ...before } = await held();
  await erase(person);
  expect(await held()).toMatchObject(before);
});

test('while a payment is in doubt it is refused, naming the order; once it is settled it is done', async () => {
  const person = await registerKnown(stack);
  const { id: sku_id } = await createSku(stack, { stock: 9 });
  const cart = await readyCart(stack, [{ sku_id, quantity: 1 }], { token: person.token });
  const waiting = await placeOrder(stack, cart.id, pay('tok_requires_action'), { token: person.token });
  expect(waiting.body.status).toBe('pending');
  const refused = await erase(person);
  expect([refused.status, refused.body.code, refused.body.errors]).toMatchObject([
    409,
    'conflict',
    [{ code: 'pending', order_id: waiting.body.id }],
  ]);
  expect((await call(stack, 'GET', '/customers/me', undefined, { token: person.token })).status).toBe(200);
  await rowsOf(`update orders set status = 'canceled' where id = $1`, waiting.body.id);
  expect((await erase(person)).status).toBe(204);
  expect(await tracesOf(stack, person.strings)).toEqual([]);
  const [payment] = await rowsOf('select token, next_action from payments where order_id = $1', waiting.body.id);
  expect(payment).toEqual({ token: null, next_action: null });
});

test('what the person does at the very same moment leaves nothing behind either', async () => {
  for (let round = 0; round < 3; round += 1) {
    const person = await registerKnown(stack);
    const { token, address, email, note } = person;
    const { id: sku_id } = await createSku(stack, { stock: 100 });
    const ready = await readyCart(stack, [{ sku_id, quantity: 1 }], { token });
    await call(stack, 'PATCH', `/carts/${ready.id}`, { email, shipping_address: address, note }, { token });
    const cart = { market: 'us', items: [{ sku_id, quantity: 1 }], email, shipping_address: address, note };
    // Not through the contract: a race may meet a constraint, which is 409 on every route.
    const send = (method: string, path: string, body?: unknown) =>
      fetch(`${stack.url}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'idempotency-key': randomUUID(),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
    const shipping_option_id = ready.shipping_option_id;
    const replies = await Promise.all([
      send('POST', '/customers/me/addresses', address),
      send('POST', '/carts', cart),
      send('PATCH', `/carts/${ready.id}`, { note }),
      send('POST', '/orders', { cart: { ...cart, shipping_option_id }, payment: MANUAL }),
      send('DELETE', '/customers/me'),
      send('POST', '/orders', { cart_id: ready.id, payment: MANUAL }),
      send('PATCH', '/customers/me', { phone: address['phone'] }),
      send('POST', '/carts', cart),
    ]);
    for (const reply of replies) expect(reply.status, await reply.text()).toBeLessThan(500);
    expect(replies[4]?.status).toBe(204);
    expect(await tracesOf(stack, person.strings)).toEqual([]);
  }
});

describe('the network', () => {
  test('a lost reply is answered by sending the batch again, which erases once', async () => {
    const person = await registerKnown(stack);
    const { fired } = stack.neon.inject(({ requestBody }) => requestBody.includes('customers.erase'), 'drop_reply');
    const { status } = await erase(person);
    await fired;
    expect(status).toBe(204);
    expect((await call(stack, 'GET', '/customers/me', undefined, { token: person.token })).status).toBe(401);
    const [row] = await rowsOf('select count(*)::int as n from audit_log where resource_id = $1', person.id);
    expect(row.n).toBe(1);
  });

  test('without Redis the tokens are refused as well', async () => {
    const person = await registerKnown(stack);
    stack.redis.inject(() => true, 'drop_request', 1000);
    expect((await erase(person)).status).toBe(204);
    const refused = await call(stack, 'POST', '/customers/me/addresses', person.address, { token: person.token });
    stack.redis.clear();
    expect(refused.status).toBe(401);
  });
});
