import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { call, type CallOptions, type Reply } from '../support/shop.ts';
import { register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';

const WINDOW_S = 3600;
const PUBLIC_MAX = 5;
const AUTHENTICATED_MAX = 8;
/** No test takes longer, so none runs from one window into the next. */
const MARGIN_S = 60;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    env: {
      RATE_LIMIT_PUBLIC: String(PUBLIC_MAX),
      RATE_LIMIT_AUTHENTICATED: String(AUTHENTICATED_MAX),
      RATE_LIMIT_WINDOW: String(WINDOW_S),
      TRUSTED_IP_HEADER: 'x-real-ip',
    },
  });
});
beforeEach(async () => {
  const isEarly = () => (Date.now() / 1000) % WINDOW_S < WINDOW_S - MARGIN_S;
  await vi.waitUntil(isEarly, { timeout: (MARGIN_S + 5) * 1000, interval: 500 });
  stack.neon.clear();
  stack.redis.clear();
});
afterAll(() => stack.close());

const group = () => randomInt(65_536).toString(16);
const newAddress = () => `2001:db8:${group()}:${group()}::1`;
const from = (address: string, options: CallOptions = {}) =>
  call(stack, 'GET', '/markets', undefined, { ...options, headers: { 'x-real-ip': address, ...options.headers } });
const split = (replies: Reply[]) => ({
  passed: replies.filter(({ status }) => status === 200),
  blocked: replies.filter(({ status }) => status === 429),
});
const header = (reply: Reply, name: string) => Number(reply.headers.get(name));

describe('of twelve requests at once from one address', () => {
  test('exactly as many pass as the limit allows, and each is told where it stands', async () => {
    const address = newAddress();
    const { passed, blocked } = split(await Promise.all(Array.from({ length: 12 }, () => from(address))));
    expect([passed.length, blocked.length]).toEqual([5, 7]);
    const remaining = passed.map((reply) => header(reply, 'ratelimit-remaining'));
    expect(remaining.toSorted((a, b) => b - a)).toEqual([4, 3, 2, 1, 0]);
    for (const reply of [...passed, ...blocked]) {
      expect(header(reply, 'ratelimit-limit')).toBe(PUBLIC_MAX);
      expect(reply.headers.get('ratelimit-policy')).toBe(`${PUBLIC_MAX};w=${WINDOW_S};name="public"`);
      expect(header(reply, 'ratelimit-reset')).toBeGreaterThan(0);
      expect(header(reply, 'ratelimit-reset')).toBeLessThanOrEqual(WINDOW_S);
    }
    for (const reply of blocked) {
      expect(reply.body).toMatchObject({ status: 429, code: 'rate_limited' });
      expect(reply.headers.get('retry-after')).toBe(reply.headers.get('ratelimit-reset'));
      expect(header(reply, 'ratelimit-remaining')).toBe(0);
    }
  });

  test('what is blocked costs no look at the database, and soon none at Redis', async () => {
    const address = newAddress();
    for (let i = 0; i < PUBLIC_MAX; i += 1) expect((await from(address)).status).toBe(200);
    expect((await from(address)).status).toBe(429);
    expect(stack.neon.exchanges).toHaveLength(PUBLIC_MAX);
    stack.redis.clear();
    for (let i = 0; i < 5; i += 1) expect((await from(address)).status).toBe(429);
    expect([stack.neon.exchanges.length, stack.redis.exchanges.length]).toEqual([PUBLIC_MAX, 0]);
  });
});

describe('who is limited', () => {
  const exhaust = async (address: string) => {
    for (let i = 0; i <= PUBLIC_MAX; i += 1) await from(address);
    expect((await from(address)).status).toBe(429);
  };

  test('is each address for itself', async () => {
    await exhaust(newAddress());
    expect((await from(newAddress())).status).toBe(200);
  });

  test('is each network of a subscriber, not each of its 2^64 addresses', async () => {
    const network = `2001:db8:${group()}:${group()}`;
    await exhaust(`${network}::1`);
    expect((await from(`${network}:ffff:ffff:ffff:ffff`)).status).toBe(429);
    expect((await from(`${network.toUpperCase()}:0:0:0:2`)).status).toBe(429);
  });

  test('is an IPv4 address however it is written', async () => {
    const address = `203.0.113.${randomInt(256)}`;
    await exhaust(address);
    expect((await from(`::ffff:${address}`)).status).toBe(429);
  });

  test('is told by the trusted header alone: others, which anybody can write, are not read', async () => {
    const address = newAddress();
    await exhaust(address);
    for (const name of ['cf-connecting-ip', 'x-forwarded-for', 'true-client-ip', 'forwarded']) {
      expect((await from(address, { headers: { [name]: newAddress() } })).status).toBe(429);
    }
  });

  test('of those whose header is no address they share one limit', async () => {
    for (let i = 0; i <= PUBLIC_MAX; i += 1) await from(`made-up-${i}`);
    expect((await from('made-up-again')).status).toBe(429);
  });

  test('is a signed-in customer by account, with a limit of its own, whatever the address', async () => {
    const { token } = await register(stack, {}, { headers: { 'x-real-ip': newAddress() } });
    const replies = await Promise.all(Array.from({ length: 12 }, () => from(newAddress(), { token })));
    const { passed, blocked } = split(replies);
    expect([passed.length, blocked.length]).toEqual([AUTHENTICATED_MAX, 4]);
    expect(header(replies[0]!, 'ratelimit-limit')).toBe(AUTHENTICATED_MAX);
  });

  test('is nobody who asks for the health', async () => {
    for (let i = 0; i < 12; i += 1) expect((await stack.fetch('/health/live')).status).toBe(200);
    const ready = await stack.fetch('/health/ready');
    expect([ready.status, ready.headers.has('ratelimit-limit')]).toEqual([200, false]);
  });
});
