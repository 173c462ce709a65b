import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { installed } from '../observability/programs.ts';
import { type Isolates, startIsolates } from '../support/isolates.ts';
import { register } from '../support/people.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { call, type CallOptions, type Json, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

const WINDOW_S = 3600;
/** No test takes longer, so none runs from one window into the next. */
const MARGIN_S = 120;
const PUBLIC_MAX = 20;
const AUTHENTICATED_MAX = 24;
const ROUTE_MAX = 3;
const METRICS_TOKEN = 'metrics-0123456789-abcdefghijklmnop';

const newAddress = () => `2001:db8:${randomBytes(2).toString('hex')}:${randomBytes(2).toString('hex')}::1`;
const passes = (replies: readonly Reply[]) => replies.filter(({ status }) => status !== 429);
const blocks = (replies: readonly Reply[]) => replies.filter(({ status }) => status === 429);
const header = (reply: Reply, name: string) => Number(reply.headers.get(name));

describe.runIf(installed('redis-server'))('four isolates on a real Redis', () => {
  let redis: RedisServer;
  let stack: Stack;
  let isolates: Isolates;
  beforeAll(async () => {
    redis = await startRedisServer();
    stack = await startStack({
      redisUrl: redis.url,
      env: {
        RATE_LIMIT_PUBLIC: String(PUBLIC_MAX),
        RATE_LIMIT_AUTHENTICATED: String(AUTHENTICATED_MAX),
        RATE_LIMIT_LOGIN: String(ROUTE_MAX),
        RATE_LIMIT_REGISTER: String(ROUTE_MAX),
        RATE_LIMIT_RESET: String(ROUTE_MAX),
        RATE_LIMIT_ORDER: String(ROUTE_MAX),
        RATE_LIMIT_WINDOW: String(WINDOW_S),
        TRUSTED_IP_HEADER: 'x-real-ip',
        METRICS_TOKEN,
        METRICS_FLUSH_SECONDS: '1',
      },
    });
    isolates = await startIsolates(stack);
    // What an isolate does once, it does now.
    await Promise.all(isolates.stacks.map((each) => ask(each, newAddress())));
  });
  beforeEach(async () => {
    const isEarly = () => (Date.now() / 1000) % WINDOW_S < WINDOW_S - MARGIN_S;
    await vi.waitUntil(isEarly, { timeout: (MARGIN_S + 5) * 1000, interval: 500 });
    stack.neon.clear();
  });
  afterAll(async () => {
    await isolates.close();
    await stack.close();
    await redis.close();
  });

  const ask = (on: Stack, address: string, options: CallOptions = {}) =>
    call(on, 'GET', '/markets', undefined, { ...options, headers: { 'x-real-ip': address, ...options.headers } });
  const post = (on: Stack, address: string, path: string, body: Json) =>
    call(on, 'POST', path, body, { headers: { 'x-real-ip': address } });
  /** `count` requests at once, dealt out to the isolates in turn. */
  const deal = <T>(count: number, send: (on: Stack, at: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, (_each, at) => send(isolates.stacks[at % 4] ?? stack, at)));

  describe('of more requests at once than the limit allows', () => {
    test('exactly as many pass, from one address', async () => {
      const address = newAddress();
      const replies = await deal(PUBLIC_MAX + 12, (on) => ask(on, address));
      expect([passes(replies).length, blocks(replies).length]).toEqual([PUBLIC_MAX, 12]);
      expect(stack.neon.exchanges).toHaveLength(PUBLIC_MAX);
      const remaining = passes(replies).map((reply) => header(reply, 'ratelimit-remaining'));
      expect(remaining.toSorted((a, b) => a - b)).toEqual(Array.from({ length: PUBLIC_MAX }, (_each, at) => at));
      for (const reply of replies) {
        expect(header(reply, 'ratelimit-limit')).toBe(PUBLIC_MAX);
        expect(reply.headers.get('ratelimit-policy')).toBe(`${PUBLIC_MAX};w=${WINDOW_S};name="public"`);
        expect(header(reply, 'ratelimit-reset')).toBeGreaterThan(0);
        expect(header(reply, 'ratelimit-reset')).toBeLessThanOrEqual(WINDOW_S);
      }
      for (const reply of blocks(replies)) {
        expect(reply.body).toMatchObject({ status: 429, code: 'rate_limited' });
        expect(header(reply, 'ratelimit-remaining')).toBe(0);
        expect(reply.headers.get('retry-after')).toBe(reply.headers.get('ratelimit-reset'));
      }
    });

    test('exactly as many pass, by one customer from many addresses', async () => {
      const { token } = await register(stack, {}, { headers: { 'x-real-ip': newAddress() } });
      stack.neon.clear();
      const replies = await deal(AUTHENTICATED_MAX + 8, (on) => ask(on, newAddress(), { token }));
      expect([passes(replies).length, blocks(replies).length]).toEqual([AUTHENTICATED_MAX, 8]);
      expect(stack.neon.exchanges).toHaveLength(AUTHENTICATED_MAX);
    });

    test('a header that anybody can write buys none', async () => {
      const address = newAddress();
      const spoofed = ['cf-connecting-ip', 'x-forwarded-for', 'x-client-ip', 'true-client-ip', 'forwarded', 'via'];
      const replies = await deal(PUBLIC_MAX + 12, (on, at) =>
        ask(on, address, { headers: { [spoofed[at % spoofed.length] ?? '']: newAddress() } }),
      );
      expect([passes(replies).length, blocks(replies).length]).toEqual([PUBLIC_MAX, 12]);
    });

    const routes: [name: string, path: string, body: () => Json][] = [
      ['login', '/auth/login', () => ({ email: `${randomBytes(4).toString('hex')}@example.test`, password: 'wrong' })],
      [
        'register',
        '/auth/register',
        () => ({ email: `${randomBytes(4).toString('hex')}@example.test`, password: randomBytes(12).toString('hex') }),
      ],
      ['reset', '/auth/password/forgot', () => ({ email: `${randomBytes(4).toString('hex')}@example.test` })],
      ['order', '/orders', () => ({ cart_id: 'A'.repeat(22), payment: { provider: 'manual' } })],
    ];
    test.each(routes)('only a few pass on a route with the limit %s', async (name, path, body) => {
      const address = newAddress();
      const replies = await deal(ROUTE_MAX + 5, (on) => post(on, address, path, body()));
      expect([passes(replies).length, blocks(replies).length]).toEqual([ROUTE_MAX, 5]);
      for (const reply of passes(replies)) expect([200, 201, 202, 204, 401, 404]).toContain(reply.status);
      for (const reply of replies) {
        expect(header(reply, 'ratelimit-limit')).toBe(ROUTE_MAX);
        expect(reply.headers.get('ratelimit-policy')).toContain(`${ROUTE_MAX};w=${WINDOW_S};name="${name}"`);
      }
      stack.neon.clear();
      for (const on of isolates.stacks) expect((await post(on, address, path, body())).status).toBe(429);
      expect(stack.neon.exchanges).toEqual([]);
      // The rest of the shop is still open to them.
      expect((await ask(stack, address)).status).toBe(200);
    });
  });

  describe('a Redis that dies under load', () => {
    const REQUESTS = 300;
    const AT_ONCE = 12;

    /** A third before, a third without and a third after Redis; every request from another address. */
    async function load(): Promise<{ kind: 'read' | 'write'; status: number }[]> {
      const results: { kind: 'read' | 'write'; status: number }[] = [];
      const numbers = Array.from({ length: REQUESTS }, (_each, at) => at).values();
      const client = async (): Promise<void> => {
        for (const at of numbers) {
          if (at === REQUESTS / 3) await redis.kill();
          if (at === (REQUESTS * 2) / 3) await redis.start();
          const on = isolates.stacks[at % 4] ?? stack;
          const kind = at % 3 === 0 ? 'write' : 'read';
          const { status } = await (kind === 'read' ? ask(on, newAddress()) : post(on, newAddress(), '/carts', {}));
          results.push({ kind, status });
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, client));
      return results;
    }
    const isLimitedAgain = () =>
      vi.waitFor(
        async () => {
          const replies = await Promise.all(isolates.stacks.map((on) => ask(on, newAddress())));
          for (const reply of replies) expect(header(reply, 'ratelimit-limit')).toBe(PUBLIC_MAX);
        },
        { timeout: 60_000, interval: 100 },
      );

    test('makes no request fail, and limits are back with it', async () => {
      const results = await load();
      expect(results).toHaveLength(REQUESTS);
      expect(results.filter(({ kind, status }) => status !== (kind === 'read' ? 200 : 201))).toEqual([]);
      await isLimitedAgain();
      const address = newAddress();
      const replies = await deal(PUBLIC_MAX + 4, (on) => ask(on, address));
      expect([passes(replies).length, blocks(replies).length]).toEqual([PUBLIC_MAX, 4]);
    });

    test('leaves reads unlimited and holds writes to the count of each isolate, which log and metrics say', async () => {
      const [first, second] = [isolates.stacks[0] ?? stack, isolates.stacks[1] ?? stack];
      await redis.kill();
      const address = newAddress();
      const reads = await Promise.all(Array.from({ length: PUBLIC_MAX + 5 }, () => ask(first, address)));
      expect(new Set(reads.map(({ status }) => status))).toEqual(new Set([200]));
      const writes = await Promise.all(
        Array.from({ length: PUBLIC_MAX + 5 }, () => post(first, address, '/carts', {})),
      );
      expect([passes(writes).length, blocks(writes).length]).toEqual([PUBLIC_MAX, 5]);
      expect(new Set(passes(writes).map(({ status }) => status))).toEqual(new Set([201]));
      for (const reply of blocks(writes)) expect(header(reply, 'retry-after')).toBeGreaterThan(0);
      expect((await post(second, address, '/carts', {})).status).toBe(201);

      const ids = new Set(reads.map(({ headers }) => headers.get('x-request-id')));
      const lines = await vi.waitFor(
        () => {
          const own = stack.logs().filter(({ request_id }) => ids.has(String(request_id)));
          expect(own).toHaveLength(reads.length);
          return own;
        },
        { timeout: 30_000, interval: 50 },
      );
      for (const line of lines) expect(line).toMatchObject({ limiter: 'unreachable', status: 200 });
      await vi.waitFor(async () => expect(await unreachable()).toBeGreaterThanOrEqual(reads.length + writes.length), {
        timeout: 30_000,
        interval: 200,
      });
      await redis.start();
      await isLimitedAgain();
    });

    async function unreachable(): Promise<number> {
      const reply = await stack.fetch('/metrics', { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
      const counted = /^ecommerce_rate_limiter_unreachable_total (\d+)/m.exec(await reply.text());
      return Number(counted?.[1] ?? 0);
    }

    test('takes what it knew of revoked tokens with it, and they are refused all the same', async () => {
      const from = { headers: { 'x-real-ip': newAddress() } };
      const person = await register(stack, {}, from);
      const tokenOn = (on: Stack) => ({ token: person.token, headers: { 'x-real-ip': newAddress() }, on });
      expect((await ask(stack, newAddress(), { token: person.token })).status).toBe(200);
      expect((await post(stack, newAddress(), '/auth/logout', { refresh_token: person.refreshToken })).status).toBe(
        204,
      );
      await redis.kill();
      for (const on of isolates.stacks) {
        const { token, headers } = tokenOn(on);
        for (const [method, path, body] of [
          ['POST', '/carts', {}],
          ['GET', '/customers/me', undefined],
          ['GET', '/orders', undefined],
        ] as const) {
          const refused = await call(on, method, path, body, { token, headers });
          expect([refused.status, refused.body.code]).toEqual([401, 'unauthenticated']);
        }
      }
      await redis.start();
      await isLimitedAgain();
    });
  });
});
