import { randomUUID } from 'node:crypto';
import RedisMock from 'ioredis-mock';
import commandInfo from 'ioredis-mock/data/command-info.json' with { type: 'json' };
import { toRedisValue } from './backend.ts';
import type { Backend, Command, Outcome } from './backend.ts';
import { readScriptResult, SCRIPT_HOST, WRONG_TYPE } from './embedded-script.ts';

type EmulatedCommand = (...args: string[]) => Promise<unknown>;

// Redis counts the name as an argument; a negative arity is a minimum.
const ARITY = new Map(Object.values(commandInfo).map((info) => [String(info[0]).toUpperCase(), Number(info[1])]));

/** Redis in this process's memory. Every command runs in the call that starts it, so commands never interleave. */
export function createEmbeddedRedis(): Backend {
  // Emulated instances share their data by host: a name of its own keeps two endpoints apart.
  const redis = new RedisMock({ host: randomUUID() });

  const start = (command: Command): Promise<Outcome> => {
    const [name, ...args] = command;
    const problem = invalid(command);
    if (problem !== undefined) return Promise.resolve({ error: problem });
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
      const problem = commands.map(invalid).find((found) => found !== undefined);
      if (problem !== undefined) return { discarded: `EXECABORT Transaction discarded because of: ${problem}` };
      return Promise.all(commands.map(start));
    },
    async close() {
      redis.disconnect();
    },
  };
}

function invalid([name, ...args]: Command): string | undefined {
  const arity = ARITY.get(name);
  if (arity === undefined) {
    const beginning = args.map((arg) => `'${arg}' `).join('');
    return `ERR unknown command '${name}', with args beginning with: ${beginning}`;
  }
  const count = args.length + 1;
  if (arity < 0 ? count < -arity : count !== arity) {
    return `ERR wrong number of arguments for '${name.toLowerCase()}' command`;
  }
  return undefined;
}

async function settle(name: string, reply: Promise<unknown>): Promise<Outcome> {
  try {
    return { result: toRedisValue(await reply) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (message.startsWith('Unsupported command')) {
      return { error: `ERR '${name}' is not part of the embedded Redis; a real one (REDIS_URL) has it` };
    }
    if (message.includes('does not contain a')) return { error: WRONG_TYPE };
    return { error: /^[A-Z]{2,} /.test(message) ? message : `ERR ${message}` };
  }
}
