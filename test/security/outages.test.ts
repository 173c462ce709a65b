import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { call, type CallOptions, type Reply } from '../support/shop.ts';
import { register } from '../support/people.ts';
import { createApiKey, createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';

const METRICS_TOKEN = 'metrics-0123456789-abcdefghijklmnop';
const LOGIN_MAX = 3;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    env: {
      METRICS_TOKEN,
      METRICS_FLUSH_SECONDS: '1',
      RATE_LIMIT_LOGIN: String(LOGIN_MAX),
      REDIS_TIMEOUT_MS: '300',
      TRUSTED_IP_HEADER: 'x-real-ip',
    },
  });
});
beforeEach(() => {
  stack.neon.clear();
  stack.redis.clear();
});
afterAll(() => stack.close());

const newAddress = () => `2001:db8:${randomBytes(2).toString('hex')}:${randomBytes(2).toString('hex')}::1`;
const elsewhere = (): CallOptions => ({ headers: { 'x-real-ip': newAddress() } });
const silenceRedis = () => stack.redis.inject(() => true, 'drop_request', Number.MAX_SAFE_INTEGER);
const logout = (refresh_token: string) => call(stack, 'POST', '/auth/logout', { refresh_token });
const statusOf = ({ status }: Reply) => status;

async function expectRefused(token: string): Promise<void> {
  for (const [method, path, body] of [
    ['GET', '/customers/me', undefined],
    ['PATCH', '/customers/me', { first_name: 'Somebody' }],
    ['POST', '/carts', {}],
  ] as const) {
    expect([path, (await call(stack, method, path, body, { token })).status]).toEqual([path, 401]);
  }
}

describe('a session that ended', () => {
  test('is counted once, however often the clockwork tells Redis of it', async () => {
    const counted = async () => {
      const reply = await stack.fetch('/metrics', { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
      return Number(/^ecommerce_sessions_revoked_total (\d+)/m.exec(await reply.text())?.[1] ?? 0);
    };
    for (const ended of [1, 2]) {
      await logout((await register(stack, {}, elsewhere())).refreshToken);
      await vi.waitFor(async () => expect(await counted()).toBe(ended), { timeout: 30_000, interval: 100 });
      for (let minute = 0; minute < 2; minute += 1) await stack.worker.scheduled({ cron: '* * * * *' });
    }
  });

  test('while Redis was away is refused as soon as Redis is back', async () => {
    const person = await register(stack, {}, elsewhere());
    silenceRedis();
    expect((await logout(person.refreshToken)).status).toBe(204);
    await expectRefused(person.token);
    stack.redis.clear();
    await expectRefused(person.token);
  });

  test('by a batch whose reply was lost is refused as well', async () => {
    const person = await register(stack, {}, elsewhere());
    stack.neon.inject(({ requestBody }) => requestBody.includes('update sessions set revoked_at'), 'drop_reply');
    expect((await logout(person.refreshToken)).status).toBe(204);
    await expectRefused(person.token);
  });
});

test('what a change of staff leaves for later is done, also when the change ended their own session', async () => {
  const owner = await createStaff(stack, 'owner');
  const options = { token: owner.token, key: randomBytes(12).toString('hex'), headers: { 'if-match': '*' } };
  const change = () => call(stack, 'PATCH', `/admin/users/${owner.id}`, { role_ids: [] }, options);
  expect((await change()).status).toBe(200);
  expect((await change()).status).toBe(401);
  await vi.waitFor(
    async () => {
      const { rows } = await stack.owner.query('select status from idempotency_keys where key = $1', [options.key]);
      expect(rows).toEqual([{ status: 200 }]);
    },
    { timeout: 30_000 },
  );
});

describe('made-up API keys', () => {
  const show = (token: string, address: string) =>
    call(stack, 'GET', '/markets', undefined, { token, headers: { 'x-real-ip': address } });
  const makeUp = () => `sk_${randomBytes(32).toString('base64url')}`;

  test('of one address cost the database a few looks a minute, and no more', async () => {
    const [address, statuses] = [newAddress(), new Map<number, number>()];
    const known = await createApiKey(stack, ['orders:read']);
    expect((await show(known.key, address)).status).toBe(200);
    // After the reply Redis gets the key, and Postgres is told that it was used.
    await vi.waitFor(
      () => {
        expect(stack.redis.exchanges.some(({ requestBody }) => /set/i.test(requestBody))).toBe(true);
        expect(stack.neon.exchanges.some(({ requestBody }) => requestBody.includes('set last_used_at'))).toBe(true);
      },
      { timeout: 30_000 },
    );
    stack.neon.clear();
    for (let shown = 0; shown < 30; shown += 1) {
      const { status } = await show(makeUp(), address);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect([...statuses]).toEqual([
      [401, 20],
      [429, 10],
    ]);
    expect(stack.neon.exchanges).toHaveLength(20);
    expect((await show(makeUp(), newAddress())).status).toBe(401);
    expect((await show(known.key, address)).status).toBe(200);
  });
});

test('a read with a limit of its own is held to it without Redis', async () => {
  silenceRedis();
  const headers = { 'x-real-ip': newAddress() };
  const ask = (path: string) => call(stack, 'GET', path, undefined, { headers });
  const callbacks = await Promise.all(Array.from({ length: LOGIN_MAX + 2 }, () => ask('/auth/oidc/none/callback')));
  expect(callbacks.map(statusOf).toSorted((a, b) => a - b)).toEqual([404, 404, 404, 429, 429]);
  expect((await ask('/markets')).status).toBe(200);
});
