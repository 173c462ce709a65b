import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { gate } from '../support/order-path.ts';
import type { Json } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    env: { SERVICE_NAME: 'shop', SERVICE_VERSION: '1.2.3', BUILD_TIME: '2026-11-22T09:30:00Z' },
  });
});
const clear = () => [stack.neon, stack.redis].forEach((proxy) => proxy.clear());
beforeEach(clear);
afterEach(clear);
afterAll(() => stack.close());

const get = async (path: string): Promise<[status: number, body: Json]> => {
  const response = await stack.fetch(path);
  return [response.status, await response.json()];
};
const ok = { status: 'ok', latency_ms: expect.any(Number) };
const failing = { status: 'failing', latency_ms: null };
const EXAMINED = ['/health', '/health/ready'];

test('live says that the Worker runs, and asks nobody', async () => {
  for (const proxy of [stack.neon, stack.redis]) proxy.inject(() => true, 'drop_request', 9);
  expect(await get('/health/live')).toEqual([200, { status: 'ok' }]);
  expect([...stack.neon.exchanges, ...stack.redis.exchanges]).toEqual([]);
});

describe.each(EXAMINED)('%s', (path) => {
  test('tells version, parts and their latencies, with one question to each part', async () => {
    expect(await get(path)).toEqual([
      200,
      {
        status: 'ok',
        service: 'shop',
        version: '1.2.3',
        build_time: '2026-11-22T09:30:00Z',
        environment: 'test',
        failing: [],
        checks: { postgres: ok, redis: ok },
      },
    ]);
    expect([stack.neon.exchanges.length, stack.redis.exchanges.length]).toEqual([1, 1]);
  });

  const cuts = [
    ['does not connect', 'drop_request'],
    ['breaks the connection', 'drop_reply'],
    ['answers an error', { respond: { status: 500, body: '{"error":"down","message":"down"}' } }],
    ['answers nonsense', { respond: { status: 200, body: 'oops' } }],
  ] as const;

  test.each(cuts)('is 503 and names Postgres when it %s', async (_name, fault) => {
    stack.neon.inject(() => true, fault, 9);
    expect(await get(path)).toEqual([
      503,
      expect.objectContaining({ status: 'failing', failing: ['postgres'], checks: { postgres: failing, redis: ok } }),
    ]);
  });

  test.each(cuts)('is 503 and names Redis when it %s', async (_name, fault) => {
    stack.redis.inject(() => true, fault, 9);
    expect(await get(path)).toEqual([
      503,
      expect.objectContaining({ status: 'failing', failing: ['redis'], checks: { postgres: ok, redis: failing } }),
    ]);
  });

  test('names both when both are gone, and is well again with them', async () => {
    for (const proxy of [stack.neon, stack.redis]) proxy.inject(() => true, 'drop_request');
    expect(await get(path)).toEqual([503, expect.objectContaining({ failing: ['postgres', 'redis'] })]);
    expect(await get(path)).toEqual([200, expect.objectContaining({ failing: [] })]);
  });

  test('does not hang with a part that hangs', async () => {
    const { opened, open } = gate();
    for (const proxy of [stack.neon, stack.redis]) proxy.inject(() => true, { hold_request: opened });
    // The parts answer only after this reply has come.
    const reply = await get(path);
    open();
    expect(reply).toEqual([
      503,
      expect.objectContaining({
        failing: ['postgres', 'redis'],
        checks: { postgres: failing, redis: failing },
      }),
    ]);
  });
});
