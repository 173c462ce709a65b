import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { BACKENDS, client, isAbsent, post, send, startUpstashFixture, type UpstashFixture } from './upstash-fixture.ts';

describe.each(BACKENDS)('%s', (backend) => {
  describe.skipIf(isAbsent(backend))('behind the endpoint', () => {
    let fixture: UpstashFixture;
    beforeAll(async () => {
      fixture = await startUpstashFixture(backend);
    });
    beforeEach(async () => {
      await fixture.redis.flushdb();
    });
    afterAll(() => fixture.close());

    test('strings, numbers and documents come back as what they were', async () => {
      const { redis } = fixture;
      const values = ['', 'plain', 'naïve 🛒 "q" \\ \r\n\t\0', 'OK', 'null', 'x'.repeat(200_000)];
      for (const value of values) {
        expect(await redis.set('key', value)).toBe('OK');
        expect(await client(fixture.endpoint, { automaticDeserialization: false }).get('key')).toBe(value);
      }
      await redis.set('document', { a: [1, { b: null }], c: 'é' });
      expect(await redis.get('document')).toEqual({ a: [1, { b: null }], c: 'é' });
      await redis.set('number', 41);
      expect([await redis.incr('number'), await redis.get('number'), await redis.get('absent')]).toEqual([
        42,
        42,
        null,
      ]);
    });

    test('the options of SET and the clock of a key hold', async () => {
      const { redis } = fixture;
      expect(await redis.set('k', 'a', { nx: true, ex: 100 })).toBe('OK');
      expect(await redis.set('k', 'b', { nx: true })).toBeNull();
      expect(await redis.ttl('k')).toBeGreaterThan(95);
      expect(await redis.set('k', 'c', { xx: true, get: true })).toBe('a');
      expect([await redis.ttl('k'), await redis.ttl('absent')]).toEqual([-1, -2]);
      expect(await redis.set('k', 'd', { get: true, ex: 100 })).toBe('c');
      expect(await redis.set('k', 'e', { keepTtl: true })).toBe('OK');
      expect([await redis.get('k'), await redis.ttl('k')]).toEqual(['e', expect.closeTo(100, -1)]);
      await redis.set('long', 'x', { px: 100_000 });
      expect(await redis.exists('long', 'k')).toBe(2);
      await redis.set('short', 'x', { px: 60 });
      await vi.waitFor(async () => expect(await redis.get('short')).toBeNull(), { timeout: 30_000 });
      expect(await redis.exists('short', 'long', 'k')).toBe(2);
      expect([await redis.expire('k', 50), await redis.persist('k'), await redis.del('k', 'absent')]).toEqual([
        1, 1, 1,
      ]);
    });

    test('hashes, sets, sorted sets and lists answer in the shape that the client reads', async () => {
      const { redis } = fixture;
      expect(await redis.hset('h', { a: 1, b: 'zwei', c: { d: 3 } })).toBe(3);
      expect(await redis.hgetall('h')).toEqual({ a: 1, b: 'zwei', c: { d: 3 } });
      expect(await redis.hgetall('absent')).toBeNull();
      expect(await redis.hmget('h', 'a', 'absent', 'b')).toEqual({ a: 1, absent: null, b: 'zwei' });
      expect([await redis.hincrby('h', 'a', 5), await redis.hdel('h', 'b', 'absent')]).toEqual([6, 1]);
      expect([await redis.sadd('s', 'x', 'y'), await redis.sismember('s', 'x'), await redis.srem('s', 'x')]).toEqual([
        2, 1, 1,
      ]);
      expect(await redis.smembers('s')).toEqual(['y']);
      await redis.zadd('z', { score: 2, member: 'two' }, { score: 1.5, member: 'one' });
      expect(await redis.zrange('z', 0, -1, { withScores: true })).toEqual(['one', 1.5, 'two', 2]);
      expect([await redis.zscore('z', 'one'), await redis.zincrby('z', 1, 'two')]).toEqual([1.5, 3]);
      expect([await redis.rpush('l', 'a', 'b', 'c'), await redis.lpop('l')]).toEqual([3, 'a']);
      expect(await redis.lrange('l', 0, -1)).toEqual(['b', 'c']);
      expect(await redis.mset({ m1: 'a', m2: 'b' })).toBe('OK');
      expect(await redis.mget('m1', 'absent', 'm2')).toEqual(['a', null, 'b']);
      expect((await redis.scan(0, { match: 'm*', count: 1000 }))[1].toSorted()).toEqual(['m1', 'm2']);
      expect([await redis.ping(), await redis.echo('é'), await redis.type('z'), await redis.dbsize()]).toEqual([
        'PONG',
        'é',
        'zset',
        6,
      ]);
    });

    test('a pipeline answers every command, errors among results', async () => {
      const { redis } = fixture;
      await redis.lpush('list', 'x');
      const outcomes = await redis
        .pipeline()
        .set('a', 'eins')
        .incr('a')
        .get('a')
        .lpush('a', 'x')
        .hgetall('absent')
        .exec({ keepErrors: true });
      expect(outcomes.map(({ result, error }) => [result, error])).toEqual([
        ['OK', undefined],
        [undefined, 'ERR value is not an integer or out of range'],
        ['eins', undefined],
        [undefined, 'WRONGTYPE Operation against a key holding the wrong kind of value'],
        [null, undefined],
      ]);
      await expect(redis.pipeline().get('list2').incr('a').exec()).rejects.toThrow(
        'Command 2 [ incr ] failed: ERR value is not an integer',
      );
    });

    test('a client that pipelines by itself gets each caller its own answer', async () => {
      const auto = client(fixture.endpoint, { enableAutoPipelining: true });
      const keys = Array.from({ length: 50 }, (_, i) => `auto:${i}`);
      await Promise.all(keys.map((key) => auto.set(key, `value of ${key}`)));
      expect(await Promise.all(keys.map((key) => auto.get(key)))).toEqual(keys.map((key) => `value of ${key}`));
      const [good, bad] = await Promise.allSettled([auto.incr('auto:new'), auto.incr('auto:1')]);
      expect([good, bad.status]).toEqual([{ status: 'fulfilled', value: 1 }, 'rejected']);
    });

    test('a transaction runs as one, also among others, and goes on after a command that fails', async () => {
      const { redis } = fixture;
      await redis.set('word', 'x');
      const outcomes = await redis.multi().incr('n').incr('word').incr('n').exec({ keepErrors: true });
      expect(outcomes.map(({ result, error }) => result ?? error)).toEqual([
        1,
        'ERR value is not an integer or out of range',
        2,
      ]);
      const pairs = await Promise.all(
        Array.from({ length: 50 }, () => redis.multi().incr('left').incr('right').exec<[number, number]>()),
      );
      expect(pairs.every(([left, right]) => left === right)).toBe(true);
      expect(await redis.get('left')).toBe(50);
    });

    test('a transaction with a command that cannot be run is discarded as a whole', async () => {
      const commands = [
        ['SET', 'kept', 'no'],
        ['GET', 'too', 'many'],
      ];
      const reply = await post(fixture.endpoint, '/multi-exec', commands);
      expect([reply.status, await reply.json()]).toEqual([400, { error: expect.stringMatching(/^EXECABORT /) }]);
      const refused = await post(fixture.endpoint, '/multi-exec', [
        ['SET', 'kept', 'no'],
        ['WATCH', 'x'],
      ]);
      expect([refused.status, await refused.json()]).toEqual([400, { error: expect.stringMatching(/^EXECABORT /) }]);
      expect(await fixture.redis.get('kept')).toBeNull();
    });

    test('an error of Redis is 400 with its text', async () => {
      const errorOf = async (command: unknown[]): Promise<unknown> => {
        const reply = await post(fixture.endpoint, '/', command);
        return [reply.status, ((await reply.json()) as { error: string }).error];
      };
      await fixture.redis.set('s', 'x');
      expect(await errorOf(['LPUSH', 's', 'a'])).toEqual([
        400,
        'WRONGTYPE Operation against a key holding the wrong kind of value',
      ]);
      for (const command of [
        'INCR s',
        'SET k v EX 0',
        'SET k v NX XX',
        'SET k v FOO',
        'HGET s f',
        'EXPIRE s x',
        'HINCRBY h f x',
      ]) {
        expect(await errorOf(command.split(' '))).toEqual([400, expect.stringMatching(/^(ERR|WRONGTYPE) /)]);
      }
      expect(await fixture.redis.exists('k', 'h')).toBe(0);
      expect(await errorOf(['GET'])).toEqual([400, "ERR wrong number of arguments for 'get' command"]);
      expect(await errorOf(['NOPE', 'a'])).toEqual([
        400,
        expect.stringMatching(/^ERR unknown command 'NOPE', with args beginning with: 'a'/),
      ]);
      expect(await errorOf(['BLPOP', 's', '0'])).toEqual([400, "ERR Command is not available: 'BLPOP'"]);
    });

    test('in base64 every string is encoded but a bare OK, in plain none', async () => {
      await fixture.redis.hset('h', { ключ: 'é', ok: 'OK' });
      const hash = ['HMGET', 'h', 'ключ', 'ok', 'absent'];
      const commands = [['SET', 'k', 'v'], ['GET', 'k'], hash, ['INCR', 'n'], ['PING']];
      const encoded = await post(fixture.endpoint, '/pipeline', commands, { 'Upstash-Encoding': 'base64' });
      expect(await encoded.json()).toEqual(
        ['OK', 'dg==', ['w6k=', 'T0s=', null], 1, 'UE9ORw=='].map((result) => ({ result })),
      );
      const plain = await post(fixture.endpoint, '/pipeline', commands);
      expect(await plain.json()).toEqual(['OK', 'v', ['é', 'OK', null], 2, 'PONG'].map((result) => ({ result })));
    });

    test('a command can be a path, with its last argument in the body or in the query', async () => {
      const { endpoint } = fixture;
      const result = async (reply: Response): Promise<unknown> => ((await reply.json()) as { result: unknown }).result;
      expect(await result(await send(endpoint, '/set/a%2Fb/na%C3%AFve?EX=100&NX'))).toBe('OK');
      expect(await result(await send(endpoint, '/get/a%2Fb'))).toBe('naïve');
      expect(await result(await send(endpoint, '/set/body?EX=100', { method: 'POST', body: '{"a": 1}' }))).toBe('OK');
      expect(await result(await send(endpoint, '/ttl/body'))).toBe(100);
      expect(await fixture.redis.get('body')).toEqual({ a: 1 });
      expect(await result(await fetch(`${endpoint.url}/get/body?_token=${endpoint.token}`))).toBe('{"a": 1}');
    });
  });
});
