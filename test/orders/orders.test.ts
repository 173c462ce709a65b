import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, createSku, type Json, MANUAL, pay, placeOrder, readyCart, type Reply } from '../support/shop.ts';
import { type Person, register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
let owner: Person;
let stranger: Person;
let skuId: string;
let staffToken: string;
beforeAll(async () => {
  stack = await startStack();
  [owner, stranger] = await Promise.all([register(stack), register(stack)]);
  skuId = (await createSku(stack, { stock: 1000 })).id;
  const login = { email: 'admin@demo.test', password: 'demo-admin-password' };
  staffToken = (await call(stack, 'POST', '/auth/login', login)).body.access_token;
});
afterAll(() => stack.close());

const ABSENT = '0199a1b2-0000-7000-8000-000000000001';
const VOLATILE = new Set(['date', 'ratelimit-remaining', 'ratelimit-reset', 'traceparent']);

async function buy(token?: string, payment = MANUAL): Promise<Reply> {
  const options = token === undefined ? {} : { token };
  const cart = await readyCart(stack, [{ sku_id: skuId, quantity: 1 }], options);
  return await placeOrder(stack, cart.id, payment, options);
}

const read = (id: string, { token, guestToken }: { token?: string; guestToken?: string } = {}) =>
  call(stack, 'GET', `/orders/${id}`, undefined, {
    ...(token !== undefined && { token }),
    headers: { 'x-request-id': 'same', ...(guestToken !== undefined && { 'x-order-token': guestToken }) },
  });

const visible = ({ status, headers, text }: Reply) => ({
  status,
  text,
  headers: [...headers].filter(([name]) => !VOLATILE.has(name)),
});

const list = async (token: string, query = ''): Promise<Json> => {
  const { status, body, text } = await call(stack, 'GET', `/orders${query}`, undefined, { token });
  if (status !== 200) throw new Error(text);
  return body;
};
const idsOf = (orders: Json[]): string[] => orders.map(({ id }) => id);

describe('an order is read back by its owner', () => {
  test('a customer, exactly as it was answered when it was placed', async () => {
    const placed = await buy(owner.token);
    expect(placed.status).toBe(201);
    expect(placed.body).not.toHaveProperty('guest_token');
    expect((await read(placed.body.id, { token: owner.token })).body).toEqual(placed.body);
  });

  test('a guest who holds its token, signed in or not', async () => {
    const placed = await buy();
    const { id, guest_token: guestToken } = placed.body;
    expect((await read(id, { guestToken })).body).toEqual(placed.body);
    expect((await read(id, { guestToken, token: stranger.token })).body).toEqual(placed.body);
  });

  test('and is not sent again while it is the same', async () => {
    const { body } = await buy(owner.token);
    const first = await read(body.id, { token: owner.token });
    const headers = { 'if-none-match': first.headers.get('etag') ?? '' };
    const again = await call(stack, 'GET', `/orders/${body.id}`, undefined, { token: owner.token, headers });
    expect([again.status, again.text]).toEqual([304, '']);
  });
});

describe('to everybody else it looks like one that never existed', () => {
  test("a customer's: to guests, to other customers, to staff, and with the token of another order", async () => {
    const { id } = (await buy(owner.token)).body;
    const { guest_token: guestToken } = (await buy()).body;
    for (const who of [
      {},
      { guestToken },
      { token: stranger.token },
      { token: stranger.token, guestToken },
      { token: staffToken },
    ]) {
      const refused = await read(id, who);
      expect([refused.status, refused.body.code]).toEqual([404, 'not_found']);
      expect(visible(refused)).toEqual(visible(await read(ABSENT, who)));
    }
  });

  test("a guest's: without its token, with a wrong one, and to every customer", async () => {
    const { id, guest_token: right } = (await buy()).body;
    const { guest_token: other } = (await buy()).body;
    const wrong = [other, '', 'nonsense', right.slice(0, -1), `${right}A`, right.toUpperCase(), 'é'.repeat(22)];
    for (const who of [
      {},
      { token: owner.token },
      { token: staffToken },
      ...wrong.map((guestToken) => ({ guestToken })),
    ]) {
      const refused = await read(id, who);
      expect([refused.status, refused.body.code]).toEqual([404, 'not_found']);
      expect(visible(refused)).toEqual(visible(await read(ABSENT, who)));
    }
  });

  test.each(['nonsense', '1', ABSENT.slice(1)])('%s, which no order is called', async (id) => {
    expect((await read(id, { token: owner.token })).status).toBe(404);
  });
});

describe('the list of orders', () => {
  test('holds the customer’s own, newest first, under both of its names', async () => {
    const mine = await register(stack);
    await buy(owner.token);
    await buy();
    const placed = [];
    for (let i = 0; i < 3; i += 1) placed.unshift((await buy(mine.token)).body);
    const orders = await list(mine.token);
    expect(orders).toEqual({ data: placed, has_more: false, next_cursor: null });
    const { body } = await call(stack, 'GET', '/customers/me/orders', undefined, { token: mine.token });
    expect(body).toEqual(orders);
  });

  test('pages: together every order once, also while one is placed in between', async () => {
    const mine = await register(stack);
    const placed: string[] = [];
    for (let i = 0; i < 5; i += 1) placed.unshift((await buy(mine.token)).body.id);
    const first = await list(mine.token, '?limit=2');
    expect(first.has_more).toBe(true);
    await buy(mine.token);
    const second = await list(mine.token, `?limit=2&cursor=${first.next_cursor}`);
    const third = await list(mine.token, `?limit=2&cursor=${second.next_cursor}`);
    expect(idsOf([...first.data, ...second.data, ...third.data])).toEqual(placed);
    expect([third.has_more, third.next_cursor]).toEqual([false, null]);
  });

  test('leaves out attempts whose payment failed, and shows one that waits for its buyer', async () => {
    const mine = await register(stack);
    const declined = await buy(mine.token, pay('tok_declined'));
    expect([declined.status, declined.body.code]).toEqual([402, 'payment_declined']);
    const waiting = await buy(mine.token, pay('tok_requires_action'));
    const paid = await buy(mine.token, pay('tok_ok'));
    const { data } = await list(mine.token);
    expect(data.map((order: Json) => [order.id, order.status, order.payment_status])).toEqual([
      [paid.body.id, 'confirmed', 'captured'],
      [waiting.body.id, 'pending', 'requires_action'],
    ]);
    expect(data[1].payments[0].next_action.url).toMatch(/^http/);
  });

  test('is empty for a customer who bought nothing', async () => {
    const { token } = await register(stack);
    expect(await list(token)).toEqual({ data: [], has_more: false, next_cursor: null });
  });

  test('refuses a cursor that is not one of ours, a page of no size, and staff', async () => {
    const ask = async (query: string, token: string) => {
      const { status, body } = await call(stack, 'GET', `/orders?${query}`, undefined, { token });
      return [status, body.code, body.param];
    };
    const notAnId = Buffer.from('["x"]').toString('base64url');
    expect(await ask('cursor=%25', owner.token)).toEqual([400, 'malformed_request', 'cursor']);
    expect(await ask(`cursor=${notAnId}`, owner.token)).toEqual([400, 'malformed_request', 'cursor']);
    expect(await ask('limit=0', owner.token)).toEqual([422, 'validation_failed', 'limit']);
    expect(await ask('limit=101', owner.token)).toEqual([422, 'validation_failed', 'limit']);
    expect(await ask('', staffToken)).toEqual([403, 'forbidden', 'Authorization']);
  });
});
