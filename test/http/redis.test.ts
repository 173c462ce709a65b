import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Fault } from '../support/fault-proxy.ts';
import { gate } from '../support/order-path.ts';
import { call, createSku, type Json, MANUAL, placeOrder, readyCart, type Reply } from '../support/shop.ts';
import { type Person, register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
let person: Person;
let skuId: string;
beforeAll(async () => {
  stack = await startStack({ env: { REDIS_TIMEOUT_MS: '500' } });
  person = await register(stack);
  skuId = (await createSku(stack, { stock: 1000 })).id;
});
beforeEach(() => stack.redis.clear());
afterAll(() => stack.close());

/** The line of the request that was answered, which is written after the reply. */
async function lineOf(reply: Reply): Promise<Json> {
  const id = reply.headers.get('x-request-id');
  return await vi.waitFor(
    () => {
      const line = stack.logs().find(({ request_id, route }) => request_id === id && route !== undefined);
      expect(line).toBeDefined();
      return line;
    },
    { timeout: 30_000, interval: 20 },
  );
}

/** A read, a write, a sign-in and an order. */
const requests: [name: string, status: number, send: () => Promise<Reply>][] = [
  ['a read', 200, () => call(stack, 'GET', '/products?limit=1')],
  ['a read by a customer', 200, () => call(stack, 'GET', '/orders', undefined, { token: person.token })],
  ['a new cart', 201, () => call(stack, 'POST', '/carts', {})],
  ['a sign-in', 200, () => call(stack, 'POST', '/auth/login', { email: person.email, password: person.password })],
  [
    'an order',
    201,
    async () => placeOrder(stack, (await readyCart(stack, [{ sku_id: skuId, quantity: 1 }])).id, MANUAL),
  ],
];

describe.each(requests)('%s', (_name, status, send) => {
  test('takes one Redis round trip', async () => {
    const reply = await send();
    expect(reply.status).toBe(status);
    const line = await lineOf(reply);
    expect(line).toMatchObject({ limiter: 'allowed', redis_round_trips: 1 });
  });

  const outages: [name: string, fault: Fault][] = [
    ['does not connect', 'drop_request'],
    ['breaks the connection', 'drop_reply'],
    ['answers an error', { respond: { status: 500, body: '{"error":"ERR down"}' } }],
    ['refuses our token', { respond: { status: 401, body: '{"error":"WRONGPASS"}' } }],
    ['answers nonsense', { respond: { status: 200, body: '<html>' } }],
  ];
  test.each(outages)('goes on when Redis %s', async (_outage, fault) => {
    stack.redis.inject(() => true, fault, 20);
    const reply = await send();
    expect(reply.status).toBe(status);
    expect(reply.headers.has('ratelimit-limit')).toBe(false);
    expect(await lineOf(reply)).toMatchObject({ limiter: 'unreachable', status });
  });

  test('goes on when Redis hangs', async () => {
    const { opened, open } = gate();
    stack.redis.inject(() => true, { hold_request: opened }, 20);
    // Redis answers only after this reply has come.
    const reply = await send();
    open();
    expect(reply.status).toBe(status);
    expect(await lineOf(reply)).toMatchObject({ limiter: 'unreachable' });
  });
});

test('counted at the proxy, ten requests are ten Redis round trips', async () => {
  await call(stack, 'GET', '/markets');
  stack.redis.clear();
  for (let i = 0; i < 10; i += 1) await call(stack, 'GET', '/markets');
  expect(stack.redis.exchanges).toHaveLength(10);
});

test('limits are back with Redis', async () => {
  stack.redis.inject(() => true, 'drop_request');
  expect((await call(stack, 'GET', '/markets')).headers.has('ratelimit-limit')).toBe(false);
  expect((await call(stack, 'GET', '/markets')).headers.get('ratelimit-limit')).toBe('100000');
});
