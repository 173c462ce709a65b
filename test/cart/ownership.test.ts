import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, createSku, type Json, type Reply } from '../support/shop.ts';
import { type Person, register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type Change, filledCart, newCart, readCart, refusal } from './fixture.ts';

let stack: Stack;
let owner: Person;
let stranger: Person;
let staffToken: string;
beforeAll(async () => {
  stack = await startStack();
  [owner, stranger] = await Promise.all([register(stack), register(stack)]);
  const login = { email: 'admin@demo.test', password: 'demo-admin-password' };
  staffToken = (await call(stack, 'POST', '/auth/login', login)).body.access_token;
});
afterAll(() => stack.close());

/** Of 128 random bits none was ever given out as this. */
const NEVER = 'AAAAAAAAAAAAAAAAAAAAAA';
const VOLATILE = new Set(['date', 'ratelimit-remaining', 'ratelimit-reset', 'traceparent']);

type Route = Omit<Change, 'other'>;

const send = ({ method, path, body }: Route, token?: string) =>
  call(stack, method, path, body, { ...(token !== undefined && { token }), headers: { 'x-request-id': 'same' } });

/** All that a caller can see of a reply, but for what differs in any two replies. */
function visible({ status, headers, text }: Reply): Json {
  return { status, text, headers: [...headers].filter(([name]) => !VOLATILE.has(name)) };
}

/** Reading, and every change, of one cart. */
async function everyRoute(cart: Json): Promise<Route[]> {
  const { changes } = await filledCart(stack);
  const item = cart.items[0].id;
  const onCart = changes.map(({ path, ...change }) => ({
    ...change,
    path: path.replace(/\/carts\/[^/]+/, `/carts/${cart.id}`).replace(/items\/.+/, `items/${item}`),
  }));
  return [
    { name: 'read', method: 'GET', path: `/carts/${cart.id}` },
    { name: 'read its shipping options', method: 'GET', path: `/carts/${cart.id}/shipping-options` },
    ...onCart,
  ];
}

async function looksAbsent(cart: Json, tokens: (string | undefined)[]): Promise<void> {
  for (const route of await everyRoute(cart)) {
    const absent = { ...route, path: route.path.replace(cart.id, NEVER) };
    for (const token of tokens) {
      const refused = await send(route, token);
      expect([refused.status, refused.body.code]).toEqual([404, 'not_found']);
      expect(visible(refused)).toEqual(visible(await send(absent, token)));
    }
  }
}

describe('a cart that its caller may not see looks like one that never existed, on every route', () => {
  test("a customer's, to a guest, to another customer and to staff", async () => {
    const { cart } = await filledCart(stack, { token: owner.token });
    await looksAbsent(cart, [undefined, stranger.token, staffToken]);
    expect(await readCart(stack, cart.id, { token: owner.token })).toEqual(cart);
  });

  test('one that has expired, to everybody', async () => {
    const { cart } = await filledCart(stack);
    await stack.owner.query(`update carts set expires_at = now() - interval '1 second' where id = $1`, [cart.id]);
    await looksAbsent(cart, [undefined, owner.token]);
    await stack.owner.query(`update carts set expires_at = now() + interval '1 day' where id = $1`, [cart.id]);
    expect(await readCart(stack, cart.id)).toMatchObject({ version: 1, note: 'first' });
  });

  test("an order for a customer's cart", async () => {
    const { cart } = await filledCart(stack, { token: owner.token });
    for (const token of [undefined, stranger.token]) {
      const place = (cart_id: string) =>
        send({ name: '', method: 'POST', path: '/orders', body: { cart_id, payment: { provider: 'manual' } } }, token);
      const refused = await place(cart.id);
      expect(refusal(refused)).toEqual([404, 'not_found', 'cart_id']);
      expect(visible(refused)).toEqual(visible(await place(NEVER)));
    }
  });

  test.each(['short', 'A'.repeat(23), '0199a1b2-0000-7000-8000-000000000001', `${'A'.repeat(21)}*`])(
    'an id that cannot be one: %s',
    async (id) => {
      expect((await call(stack, 'GET', `/carts/${id}`)).status).toBe(404);
    },
  );
});

describe('a guest cart', () => {
  test('that a customer used looks absent to everybody else, on every route', async () => {
    const { cart } = await filledCart(stack);
    const adopted = await readCart(stack, cart.id, { token: owner.token });
    await looksAbsent(cart, [undefined, stranger.token, staffToken]);
    expect(await readCart(stack, cart.id, { token: owner.token })).toEqual(adopted);
  });

  test('read by staff stays open to whoever holds its id', async () => {
    const { cart } = await filledCart(stack);
    expect(await readCart(stack, cart.id, { token: staffToken })).toEqual(cart);
    expect(await readCart(stack, cart.id)).toEqual(cart);
  });

  test('changed by staff belongs to nobody all the same', async () => {
    const { cart } = await filledCart(stack);
    const changed = await call(stack, 'PATCH', `/carts/${cart.id}`, { note: 'checked' }, { token: staffToken });
    expect(await readCart(stack, cart.id)).toEqual(changed.body);
  });

  test('refused a change does not become theirs', async () => {
    const { cart } = await filledCart(stack);
    const refused = await call(
      stack,
      'POST',
      `/carts/${cart.id}/discount-codes`,
      { code: 'NOPE' },
      { token: owner.token },
    );
    expect(refused.status).toBe(422);
    expect(await readCart(stack, cart.id)).toEqual(cart);
  });

  test('of two customers that change it at once, one has it', async () => {
    const { cart } = await filledCart(stack);
    const replies = await Promise.all(
      [owner, stranger, owner, stranger].map(({ token }, i) =>
        call(stack, 'PATCH', `/carts/${cart.id}`, { note: `${i}` }, { token }),
      ),
    );
    const statuses = replies.map(({ status }) => status);
    const hasIt = statuses[0] === 200 ? [200, 404, 200, 404] : [404, 200, 404, 200];
    expect(statuses).toEqual(hasIt);
  });
});

test("a customer's cart is theirs from the start, on every route", async () => {
  const { id: sku_id } = await createSku(stack, { stock: 5 });
  const { id } = await newCart(stack, {}, { token: owner.token });
  const added = await call(stack, 'POST', `/carts/${id}/items`, { sku_id, quantity: 1 }, { token: owner.token });
  expect(added.body.items).toHaveLength(1);
  expect((await call(stack, 'GET', `/carts/${id}`)).status).toBe(404);
});
