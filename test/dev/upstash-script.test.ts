import { createHash } from 'node:crypto';
import { Ratelimit } from '@upstash/ratelimit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, isAbsent, startUpstashFixture, type UpstashFixture } from './upstash-fixture.ts';

const SHEBANG = '#!lua flags=allow-key-locking\n';
const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');

describe.each(BACKENDS)('%s', (backend) => {
  describe.skipIf(isAbsent(backend))('scripts', () => {
    let fixture: UpstashFixture;
    beforeAll(async () => {
      fixture = await startUpstashFixture(backend);
    });
    beforeEach(async () => {
      await fixture.redis.flushdb();
      await fixture.redis.scriptFlush();
    });
    afterAll(() => fixture.close());

    test('a script gets its keys and arguments and answers by the rules of Redis', async () => {
      const { redis } = fixture;
      expect(await redis.eval('return {KEYS[1], ARGV[1], ARGV[2], #KEYS, #ARGV}', ['ключ'], ['é "q" \\', ''])).toEqual([
        'ключ',
        'é "q" \\',
        '',
        1,
        2,
      ]);
      expect(await redis.eval('return {1, 2.9, -2.9, true, false, "x", {3, {4}}}', [], [])).toEqual([
        1,
        2,
        -2,
        1,
        null,
        'x',
        [3, [4]],
      ]);
      expect(await redis.eval('return {1, nil, 3}', [], [])).toEqual([1]);
      expect(await redis.eval('return {}', [], [])).toEqual([]);
      expect(await redis.eval('return nil', [], [])).toBeNull();
      expect(await redis.eval('return false', [], [])).toBeNull();
      expect(await redis.eval('return {ok = "FINE"}', [], [])).toBe('FINE');
      expect(await redis.eval('return redis.status_reply("OK")', [], [])).toBe('OK');
    });

    test('redis.call gives Lua what Redis gives it', async () => {
      const { redis } = fixture;
      await redis.hset('h', { a: '1', b: '2' });
      expect(
        await redis.eval(
          'local v = redis.call("HMGET", KEYS[1], "a", "none", "b") return {type(v), #v, v[1], v[2] == false, v[3]}',
          ['h'],
          [],
        ),
      ).toEqual(['table', 3, 1, 1, 2]);
      expect(await redis.eval('return redis.call("HGETALL", KEYS[1])', ['h'], [])).toEqual(['a', 1, 'b', 2]);
      expect(await redis.eval('return redis.call("GET", KEYS[1]) == false', ['none'], [])).toBe(1);
      expect(await redis.eval('return "n" .. redis.call("INCRBY", KEYS[1], 41)', ['n'], [])).toBe('n41');
      expect(
        await redis.eval('redis.call("SET", KEYS[1], 5) return type(redis.call("GET", KEYS[1]))', ['five'], []),
      ).toBe('string');
      expect(
        await redis.eval(
          'redis.call("SET", KEYS[1], "v", "PX", ARGV[1]) return redis.call("PTTL", KEYS[1]) > 0',
          ['t'],
          [5000],
        ),
      ).toBe(1);
      expect(
        await redis.eval(
          'local n = 0 for i, v in ipairs(redis.call("LRANGE", KEYS[1], 0, -1)) do n = n + v end return n',
          ['none'],
          [],
        ),
      ).toBe(0);
      expect(await redis.eval('return tonumber(redis.call("TIME")[1]) > 1700000000', [], [])).toBe(1);
    });

    test('errors of a script reach the caller with the text of Redis', async () => {
      const { redis } = fixture;
      await redis.set('s', 'x');
      await expect(redis.eval('return redis.call("LPUSH", KEYS[1], "a")', ['s'], [])).rejects.toThrow(
        'WRONGTYPE Operation against a key',
      );
      await expect(redis.eval('return redis.error_reply("MINE went wrong")', [], [])).rejects.toThrow(
        'MINE went wrong',
      );
      await expect(redis.eval('return redis.call("NOPE")', [], [])).rejects.toThrow(
        'ERR Unknown Redis command called from script',
      );
      await expect(redis.eval('retrun 1', [], [])).rejects.toThrow(/ERR Error compiling script.*user_script:1:/);
      await expect(redis.eval('local x = nil\nreturn x.y', [], [])).rejects.toThrow('user_script:2:');
      const caught = 'local r = redis.pcall("LPUSH", KEYS[1], "a") if r.err then return "caught" end return "missed"';
      expect(await redis.eval(caught, ['s'], [])).toBe('caught');
    });

    test('the shebang that only Upstash knows is taken, and the digest is that of the text with it', async () => {
      const { redis } = fixture;
      const script = `${SHEBANG}return {KEYS[1], ARGV[1]}`;
      await expect(redis.evalsha(sha1(script), ['k'], ['a'])).rejects.toThrow('NOSCRIPT');
      expect(await redis.eval(script, ['k'], ['a'])).toEqual(['k', 'a']);
      expect(await redis.evalsha(sha1(script), ['k'], ['b'])).toEqual(['k', 'b']);
      expect(await redis.evalsha(sha1(script).toUpperCase(), ['k'], ['c'])).toEqual(['k', 'c']);
    });

    test('scripts can be loaded, asked for and flushed', async () => {
      const { redis } = fixture;
      const script = `${SHEBANG}return 7`;
      expect(await redis.scriptLoad(script)).toBe(sha1(script));
      expect(await redis.scriptExists(sha1(script), 'f'.repeat(40))).toEqual([1, 0]);
      expect(await redis.evalsha(sha1(script), [], [])).toBe(7);
      expect(await redis.scriptFlush()).toBe('OK');
      expect(await redis.scriptExists(sha1(script))).toEqual([0]);
      await expect(redis.evalsha(sha1(script), [], [])).rejects.toThrow(
        'NOSCRIPT No matching script. Please use EVAL.',
      );
    });

    test("the client's own fallback from EVALSHA to EVAL works, and one pipeline mixes scripts and commands", async () => {
      const { redis } = fixture;
      const script = redis.createScript<number>(`${SHEBANG}return redis.call("INCRBY", KEYS[1], ARGV[1])`);
      expect([await script.exec(['n'], ['2']), await script.exec(['n'], ['3'])]).toEqual([2, 5]);
      const sha = await redis.scriptLoad(`${SHEBANG}return redis.call("INCR", KEYS[1])`);
      expect(await redis.pipeline().evalsha(sha, ['n'], []).get('n').eval('return ARGV[1]', [], ['x']).exec()).toEqual([
        6,
        6,
        'x',
      ]);
      expect(await redis.multi().incr('n').evalsha(sha, ['n'], []).exec()).toEqual([7, 8]);
    });

    test('a script runs alone: no update is lost between its read and its write', async () => {
      const { redis } = fixture;
      const script = 'local n = tonumber(redis.call("GET", KEYS[1]) or "0") redis.call("SET", KEYS[1], n + 1) return n';
      await Promise.all(Array.from({ length: 50 }, () => redis.eval(script, ['n'], [])));
      expect(await redis.get('n')).toBe(50);
    });

    const LIMIT = 7;
    describe.each([
      ['fixed window', () => Ratelimit.fixedWindow(LIMIT, '60 s')],
      ['sliding window', () => Ratelimit.slidingWindow(LIMIT, '60 s')],
      ['token bucket', () => Ratelimit.tokenBucket(LIMIT, '60 s', LIMIT)],
    ] as const)('the rate limiter with a %s', (_name, limiter) => {
      test('lets exactly as many through as it says, at once and for each identifier', async () => {
        await startOfMinute();
        const limit = new Ratelimit({ redis: fixture.redis, limiter: limiter(), prefix: 'rl', ephemeralCache: false });
        const ask = async (identifier: string): Promise<number> => {
          const answers = await Promise.all(Array.from({ length: 30 }, () => limit.limit(identifier)));
          return answers.filter(({ success }) => success).length;
        };
        expect([await ask('a'), await ask('a'), await ask('b')]).toEqual([LIMIT, 0, LIMIT]);
        const { remaining } = await limit.getRemaining('a');
        expect(remaining).toBe(0);
        await limit.resetUsedTokens('a');
        expect((await limit.limit('a')).remaining).toBe(LIMIT - 1);
      });
    });

    test('a window ends', async () => {
      const limit = new Ratelimit({
        redis: fixture.redis,
        limiter: Ratelimit.fixedWindow(1, '400 ms'),
        ephemeralCache: false,
      });
      const { success, reset } = await limit.limit('me');
      expect(success).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, reset - Date.now()) + 20));
      expect((await limit.limit('me')).success).toBe(true);
    });
  });
});

/** Windows are cut by the wall clock: a test that counts within one must not run across its edge. */
async function startOfMinute(): Promise<void> {
  const left = 60_000 - (Date.now() % 60_000);
  if (left < 5_000) await new Promise((resolve) => setTimeout(resolve, left + 50));
}
