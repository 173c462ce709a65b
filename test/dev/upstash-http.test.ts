import { Redis } from 'ioredis';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { startUpstashEndpoint } from '../../dev/upstash/server.ts';
import { client, isAbsent, post, send, startUpstashFixture, TOKEN, type UpstashFixture } from './upstash-fixture.ts';
import { startRedisServer } from '../support/redis-server.ts';

let fixture: UpstashFixture | undefined;
afterEach(async () => {
  await fixture?.close();
  fixture = undefined;
});
const start = async (options: object = {}): Promise<UpstashFixture> =>
  (fixture = await startUpstashFixture('embedded', options));
const answer = async (reply: Response): Promise<unknown> => [reply.status, await reply.json()];

/** Sends that Redis a script without an end, and resolves once it runs; `ended` when it has been answered. */
async function runForever(url: string, endpoint: UpstashFixture['endpoint']): Promise<{ ended: Promise<Response> }> {
  const probe = new Redis(url, { retryStrategy: null });
  try {
    // So soon it says that it is busy, which a slow one does not.
    await probe.config('SET', 'lua-time-limit', 20);
    const ended = post(endpoint, '/', ['EVAL', 'while true do end', '0']);
    await vi.waitFor(() => expect(probe.ping()).rejects.toThrow('BUSY'), { timeout: 30_000 });
    return { ended };
  } finally {
    probe.disconnect();
  }
}

test('a wrong or missing token is 401 in the shape of Upstash, and nothing is run', async () => {
  const { endpoint, redis } = await start();
  const refused = [401, { error: 'WRONGPASS invalid or missing auth token' }];
  for (const authorization of ['Bearer wrong', 'Bearer ', `Basic ${TOKEN}`, TOKEN, `Bearer ${TOKEN}x`]) {
    expect(await answer(await post(endpoint, '/', ['SET', 'k', 'v'], { Authorization: authorization }))).toEqual(
      refused,
    );
  }
  expect(await answer(await fetch(`${endpoint.url}/set/k/v`))).toEqual(refused);
  expect(await answer(await fetch(`${endpoint.url}/set/k/v?_token=wrong`))).toEqual(refused);
  await expect(client(endpoint, { token: 'wrong' }).get('k')).rejects.toThrow('WRONGPASS');
  expect(await redis.get('k')).toBeNull();
});

test('a body that holds no command is 400', async () => {
  const { endpoint } = await start();
  for (const [path, body] of [
    ['/', '{'],
    ['/', '{}'],
    ['/', '[]'],
    ['/', '[""]'],
    ['/', '["SET","k",null]'],
    ['/', '["SET","k",{"a":1}]'],
    ['/pipeline', '[]'],
    ['/pipeline', '["GET","k"]'],
    ['/pipeline', '{"a":1}'],
    ['/multi-exec', '[[]]'],
  ] as const) {
    const reply = await send(endpoint, path, { method: 'POST', body });
    expect([path, body, await answer(reply)]).toEqual([path, body, [400, { error: expect.stringMatching(/^ERR /) }]]);
  }
  expect(await answer(await send(endpoint, '/get/%zz'))).toEqual([
    400,
    { error: 'ERR bad percent-encoding in the path' },
  ]);
  expect(await answer(await send(endpoint, '/get/k', { method: 'DELETE' }))).toEqual([
    405,
    { error: 'ERR method not allowed' },
  ]);
});

test('numbers and booleans in a command are their text', async () => {
  const { endpoint, redis } = await start();
  await post(endpoint, '/', ['HSET', 'h', 'n', 15, 'b', true]);
  expect(await redis.hgetall('h')).toEqual({ n: 15, b: true });
});

test('what the embedded Redis would answer wrongly it refuses, and says what has it', async () => {
  const { endpoint } = await start();
  for (const command of ['COPY a b', 'ZCOUNT z 0 1', 'ZRANGE z 0 1 byscore', 'ZADD z INCR 1 a', 'EXPIRE k 1 NX']) {
    const refused = [400, { error: expect.stringMatching(/^ERR .* is not part of the embedded Redis; a real one/) }];
    expect(await answer(await post(endpoint, '/', command.split(' ')))).toEqual(refused);
  }
});

test('names of JavaScript and of the emulation are no commands', async () => {
  const { endpoint } = await start();
  for (const name of [
    'constructor',
    'disconnect',
    'on',
    'customCommand',
    'defineCommand',
    'data',
    '__proto__',
    'multi',
  ]) {
    const reply = await post(endpoint, '/', [name, 'a', 'b']);
    expect([reply.status, ((await reply.json()) as { error: string }).error]).toEqual([
      400,
      expect.stringMatching(/^ERR /),
    ]);
  }
  expect((await post(endpoint, '/', ['PING'])).status).toBe(200);
});

test('a body above the limit is 413, and the next command works', async () => {
  const { endpoint, redis } = await start({ bodyLimitBytes: 1000 });
  const body = (bytes: number): string[] => ['SET', 'k', 'x'.repeat(bytes - JSON.stringify(['SET', 'k', '']).length)];
  expect((await post(endpoint, '/', body(1000))).status).toBe(200);
  expect(await answer(await post(endpoint, '/', body(1001)))).toEqual([
    413,
    { error: expect.stringContaining('1000 bytes') },
  ]);
  await expect(redis.set('k', 'x'.repeat(3_000_000))).rejects.toThrow('ERR request is too large');
  expect(await redis.ping()).toBe('PONG');
});

test('two endpoints share nothing', async () => {
  const { redis } = await start();
  const other = await startUpstashFixture('embedded');
  await redis.set('k', 'mine');
  expect(await other.redis.get('k')).toBeNull();
  await other.close();
});

describe.skipIf(isAbsent('redis-server'))('a real Redis', () => {
  test('is shared by the endpoints in front of it', async () => {
    const server = await startRedisServer();
    const [one, two] = await Promise.all(
      [0, 1].map(() => startUpstashEndpoint({ token: TOKEN, redisUrl: server.url })),
    );
    if (one === undefined || two === undefined) throw new Error('two endpoints were started');
    await client(one).set('k', 'shared');
    expect(await client(two).get('k')).toBe('shared');
    await Promise.all([one.close(), two.close()]);
    await server.close();
  });

  test('that goes away is 503 until it is back, and no command is sent twice', async () => {
    const server = await startRedisServer();
    const endpoint = await startUpstashEndpoint({ token: TOKEN, redisUrl: server.url });
    expect(await client(endpoint).incr('n')).toBe(1);
    await server.close();
    const outage = [503, { error: 'ERR could not reach Redis' }];
    expect(await answer(await post(endpoint, '/', ['INCR', 'n']))).toEqual(outage);
    expect(
      await answer(
        await post(endpoint, '/pipeline', [
          ['INCR', 'n'],
          ['GET', 'n'],
        ]),
      ),
    ).toEqual(outage);
    expect(await answer(await post(endpoint, '/multi-exec', [['INCR', 'n']]))).toEqual(outage);
    await endpoint.close();
  });

  test('that dies while it works answers 503, also when it is back at once', async () => {
    const server = await startRedisServer();
    const endpoint = await startUpstashEndpoint({ token: TOKEN, redisUrl: server.url });
    const { ended } = await runForever(server.url, endpoint);
    await server.kill();
    await server.start();
    expect(await answer(await ended)).toEqual([503, { error: 'ERR could not reach Redis' }]);
    await vi.waitFor(async () => expect(await client(endpoint).incr('n')).toBe(1), { timeout: 30_000, interval: 50 });
    await endpoint.close();
    await server.close();
  });
});

test('a Redis that cannot be reached at the start is said at once', async () => {
  await expect(startUpstashEndpoint({ token: TOKEN, redisUrl: 'redis://127.0.0.1:1' })).rejects.toThrow(
    'could not reach the Redis',
  );
});
