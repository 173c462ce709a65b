import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Rest } from '@upstash/redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { installed } from '../observability/programs.ts';
import { register } from '../support/people.ts';
import { freePort, type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { call } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type Replica, spawnReplica } from './replica.ts';
import { startService } from './service.ts';

const ROOT = join(import.meta.dirname, '../..');
const PASSWORD = 'password-of-this-test';
const TOKEN = 'token-of-this-test-0123456789';
const DISABLED: [string, string[]][] = [
  ['FLUSHALL', []],
  ['FLUSHDB', []],
  ['KEYS', ['*']],
  ['CONFIG', ['GET', 'requirepass']],
];

describe.runIf(installed('redis-server'))("Debian's redis-server with deploy/redis.conf", () => {
  const folder = mkdtempSync(join(tmpdir(), 'redis-conf-'));
  let server: RedisServer;
  let endpoint: Replica;
  let direct: Redis;
  const restClient = ({ url }: { url: string }): Rest =>
    new Rest({ url, token: TOKEN, retry: false, enableAutoPipelining: false });
  beforeAll(async () => {
    writeFileSync(join(folder, 'redis-password.conf'), `requirepass ${PASSWORD}\n`, { mode: 0o600 });
    server = await startRedisServer({ config: join(ROOT, 'deploy/redis.conf'), folder });
    const env = { REDIS_URL: server.url, REDIS_PASSWORD: PASSWORD, UPSTASH_REDIS_REST_TOKEN: TOKEN };
    endpoint = await startService('redis', env);
    direct = new Redis(server.url, { password: PASSWORD });
    direct.on('error', () => undefined);
  });
  afterAll(async () => {
    direct.disconnect();
    await endpoint.close();
    await server.close();
    rmSync(folder, { recursive: true });
  });

  test('does not start without the file of its password', async () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    await expect(startRedisServer({ config: join(ROOT, 'deploy/redis.conf'), folder: empty })).rejects.toThrow(
      'did not start',
    );
  });

  test('tells nothing to whoever has no password or another', async () => {
    for (const password of [undefined, 'another']) {
      const stranger = new Redis(server.url, { lazyConnect: true, retryStrategy: null, ...(password && { password }) });
      stranger.on('error', () => undefined);
      await expect(stranger.connect().then(() => stranger.get('k'))).rejects.toThrow(/NOAUTH|WRONGPASS|closed/);
      stranger.disconnect();
    }
  });

  test.each(DISABLED)('has no %s, for its own clients and over REST', async (name, args) => {
    await direct.set('kept', 'yes');
    await expect(direct.call(name, args)).rejects.toThrow('ERR unknown command');
    const reply = await fetch(endpoint.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify([name, ...args]),
    });
    expect([reply.status, await reply.json()]).toEqual([
      400,
      { error: expect.stringMatching(/^ERR (unknown command|Command is not available)/) },
    ]);
    expect(await direct.get('kept')).toBe('yes');
  });

  test('is told a wrong token only', async () => {
    const headers = { authorization: 'Bearer another' };
    const refused = await fetch(endpoint.url, { method: 'POST', headers, body: '["GET","kept"]' });
    expect([refused.status, await refused.json()]).toEqual([401, { error: expect.stringContaining('WRONGPASS') }]);
    expect((await fetch(`${endpoint.url}/health`)).status).toBe(200);
  });

  test('keeps what was written through kill -9', async () => {
    await direct.set('revoked', 'token', 'EX', 900);
    // `appendfsync everysec`: the file has it at once, the disk within a second; a killed process loses neither.
    await server.kill();
    await server.start();
    await vi.waitFor(async () => expect(await direct.get('revoked')).toBe('token'), { timeout: 30_000 });
    await vi.waitFor(async () => expect(await restClient(endpoint).get('revoked')).toBe('token'), { timeout: 30_000 });
  });

  describe('behind the shop', () => {
    let stack: Stack;
    beforeAll(async () => {
      stack = await startStack({
        env: {
          UPSTASH_REDIS_REST_URL: endpoint.url,
          UPSTASH_REDIS_REST_TOKEN: TOKEN,
          RATE_LIMIT_PUBLIC: '5',
          RATE_LIMIT_WINDOW: '3600',
          TRUSTED_IP_HEADER: 'x-real-ip',
          CACHE_TTL: '300',
        },
      });
    });
    afterAll(() => stack.close());
    const from = (address: string) => ({ headers: { 'x-real-ip': address } });

    test('the limiter counts in it', async () => {
      const replies = [];
      for (let i = 0; i < 7; i += 1) replies.push(await call(stack, 'GET', '/markets', undefined, from('192.0.2.1')));
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429, 429]);
      expect((await call(stack, 'GET', '/markets', undefined, from('192.0.2.2'))).status).toBe(200);
    });

    test('the cache answers from it', async () => {
      await call(stack, 'GET', '/categories', undefined, from('192.0.2.3'));
      await vi.waitFor(
        async () => {
          stack.neon.clear();
          expect((await call(stack, 'GET', '/categories', undefined, from('192.0.2.4'))).status).toBe(200);
          expect(stack.neon.exchanges).toEqual([]);
        },
        { timeout: 30_000 },
      );
    });

    test('a session that ended is known in it', async () => {
      const person = await register(stack, {}, from('192.0.2.5'));
      const me = () => call(stack, 'GET', '/customers/me', undefined, { token: person.token, ...from('192.0.2.6') });
      expect((await me()).status).toBe(200);
      await call(stack, 'POST', '/auth/logout', { refresh_token: person.refreshToken }, from('192.0.2.7'));
      stack.neon.clear();
      expect((await me()).status).toBe(401);
      expect(stack.neon.exchanges).toEqual([]);
    });
  });

  test('a Redis that comes late, hangs or leaves is 503 for as long, and no longer', async () => {
    const port = await freePort();
    const env = { REDIS_URL: `127.0.0.1:${port}`, UPSTASH_REDIS_REST_TOKEN: TOKEN };
    const own = await startService('redis', env);
    const rest = restClient(own);
    await expect(rest.incr('n')).rejects.toThrow('could not reach Redis');
    const late = await startRedisServer({ port });
    await vi.waitFor(async () => expect(await rest.incr('n')).toBe(1), { timeout: 30_000, interval: 100 });

    late.pause();
    const askedAt = Date.now();
    await expect(rest.incr('n')).rejects.toThrow('could not reach Redis');
    expect(Date.now() - askedAt).toBeGreaterThan(2_900);
    late.resume();
    // It had been sent and is not sent again: counted once, whatever was answered.
    await vi.waitFor(async () => expect(await rest.get('n')).toBe(2), { timeout: 30_000, interval: 100 });

    own.child.kill('SIGTERM');
    expect(await own.ended).toBe(0);
    await own.close();
    await late.close();
  });
});

describe('what cannot work is said on one line, and ends it', () => {
  test.each([
    ['no token', { REDIS_URL: 'localhost:6379' }, 'UPSTASH_REDIS_REST_TOKEN is missing'],
    ['a token that can be guessed', { UPSTASH_REDIS_REST_TOKEN: 'short' }, 'at least 16 characters'],
    ['no address', { UPSTASH_REDIS_REST_TOKEN: TOKEN }, 'REDIS_URL is missing'],
  ])('%s', async (_what, env, said) => {
    const command = [process.execPath, join(ROOT, 'deploy/services/redis.ts')];
    const refused = spawnReplica({ env, command });
    expect(await refused.ended).toBe(1);
    expect(refused.lines()).toHaveLength(1);
    expect(refused.logs()[0]).toMatchObject({ level: 'fatal', msg: expect.stringContaining(said) });
  });
});
