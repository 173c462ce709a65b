import { randomUUID } from 'node:crypto';
import RedisMock from 'ioredis-mock';
import { toRedisValue } from './backend.ts';
import type { Backend, Command, Outcome } from './backend.ts';
import { malformed, notEmbedded, type Peek, toEmulated } from './embedded-guard.ts';
import { readScriptResult, SCRIPT_HOST, WRONG_TYPE } from './embedded-script.ts';

type EmulatedCommand = (...args: string[]) => Promise<unknown>;

/** Redis in this process's memory. Every command runs in the call that starts it, so commands never interleave. */
export function createEmbeddedRedis(): Backend {
  // Emulated instances share their data by host: a name of its own keeps two endpoints apart.
  const redis = new RedisMock({ host: randomUUID() });

  const [values, expiries] = [storeOf(redis, 'data'), storeOf(redis, 'expires')];
  const peek: Peek = { value: values, expiresAt: (key) => Number(expiries(key) ?? Number.NaN) || undefined };

  const start = (command: Command): Promise<Outcome> => {
    const problem = malformed(command);
    if (problem !== undefined) return Promise.resolve({ error: problem });
    const emulated = toEmulated(command, peek);
    if ('error' in emulated) return Promise.resolve(emulated);
    const [name, ...args] = emulated;
    if (name === 'EVAL' || name === 'EVAL_RO') return evaluate(args);
    return settle(name, method(name)(...args));
  };

  const evaluate = async ([text = '', keyCount = '', ...args]: string[]): Promise<Outcome> => {
    const count = Number(keyCount);
    if (!Number.isInteger(count)) return { error: 'ERR value is not an integer or out of range' };
    if (count < 0) return { error: "ERR Number of keys can't be negative" };
    if (count > args.length) return { error: "ERR Number of keys can't be greater than number of args" };
    const outcome = await settle('EVAL', method('EVAL')(SCRIPT_HOST, keyCount, ...args, text));
    return 'error' in outcome ? outcome : readScriptResult(outcome.result);
  };

  const method = (name: string): EmulatedCommand => {
    const found: unknown = Reflect.get(redis, name.toLowerCase());
    if (typeof found !== 'function') return () => Promise.reject(new Error('Unsupported command'));
    return async (...args) => Reflect.apply(found, redis, args) as unknown;
  };

  return {
    run: start,
    async transaction(commands) {
      const problem = commands.map(malformed).find((found) => found !== undefined);
      if (problem !== undefined) return { discarded: `EXECABORT Transaction discarded because of: ${problem}` };
      return Promise.all(commands.map(start));
    },
    async close() {
      redis.disconnect();
    },
  };
}

async function settle(name: string, reply: Promise<unknown>): Promise<Outcome> {
  try {
    return { result: toRedisValue(await reply) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (message.startsWith('Unsupported command')) {
      return { error: notEmbedded(name) };
    }
    if (message.includes('does not contain a')) return { error: WRONG_TYPE };
    return { error: /^[A-Z]{2,} /.test(message) ? message : `ERR ${message}` };
  }
}

/** Reads what the emulation keeps without a promise between: a command must be checked and run in one go. */
function storeOf(redis: object, part: 'data' | 'expires'): (key: string) => unknown {
  const store: unknown = Reflect.get(redis, part);
  if (typeof store !== 'object' || store === null) throw new Error(`ioredis-mock keeps no ${part}`);
  const [has, get]: unknown[] = [Reflect.get(store, 'has'), Reflect.get(store, 'get')];
  if (typeof has !== 'function' || typeof get !== 'function') throw new Error(`ioredis-mock hides its ${part}`);
  return (key) => (Reflect.apply(has, store, [key]) === true ? Reflect.apply(get, store, [key]) : undefined);
}
