import { setTimeout as wait } from 'node:timers/promises';
import { Command as RedisCommand, Redis, ReplyError } from 'ioredis';
import { BackendUnavailable, toRedisValue } from './backend.ts';
import type { Backend, Command, Outcome } from './backend.ts';

export interface RedisLimits {
  password?: string;
  db?: number;
  /** Between the first byte written and the last one read; without it a command waits for ever. */
  commandTimeoutMs?: number;
  /** Times that a command which cannot be sent waits for the connection, 8 ms at first and then twice as long each. */
  maxRetries?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
const [RETRY_MIN_MS, RETRY_MAX_MS] = [8, 512];

/** Commands on a real Redis over one shared connection. Rejects when it cannot be reached at the start. */
export async function connectRedis(url: string, log: (line: string) => void): Promise<Backend> {
  const { redis, backend } = createClient(url, log, {});
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    throw new BackendUnavailable('could not reach the Redis of redisUrl', { cause: error });
  }
  return backend;
}

/** The same for a Redis that may come later: until it is there, commands answer BackendUnavailable. */
export function awaitRedis(url: string, log: (line: string) => void, limits: RedisLimits): Backend {
  const { redis, backend } = createClient(url, log, limits);
  // Told through the event, and tried again by itself.
  redis.connect().catch(() => undefined);
  return backend;
}

function createClient(
  url: string,
  log: (line: string) => void,
  limits: RedisLimits,
): { redis: Redis; backend: Backend } {
  const { password, db, commandTimeoutMs, maxRetries = 0 } = limits;
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...(password !== undefined && { password }),
    ...(db !== undefined && { db }),
    ...(commandTimeoutMs !== undefined && { commandTimeout: commandTimeoutMs }),
    // What was in flight when the connection broke may have run: only the caller can know whether to send it again.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
  });
  redis.on('error', (error) => log(`Redis: ${error.message}`));

  // What was in flight when the connection broke the client forgets, and would leave unsettled for ever.
  const inFlight = new Set<(reason: Error) => void>();
  redis.on('close', () => {
    for (const fail of inFlight) fail(new Error('the connection broke'));
  });

  // Bytes in, bytes out: the plain command methods would turn some replies into objects.
  const send = ([name, ...args]: Command): Promise<unknown> =>
    new Promise((resolve, reject) => {
      inFlight.add(reject);
      const sent = redis.sendCommand(new RedisCommand(name, args, { replyEncoding: null }));
      Promise.resolve(sent)
        .then(resolve, reject)
        .finally(() => inFlight.delete(reject));
    });

  // Only what was never sent is tried again: a command that was may have run, and would count a buyer twice.
  const untilReady = async (): Promise<void> => {
    for (let attempt = 0; attempt < maxRetries && redis.status !== 'ready'; attempt += 1) {
      await wait(Math.min(RETRY_MIN_MS * 2 ** attempt, RETRY_MAX_MS));
    }
  };

  const backend: Backend = {
    async run(command) {
      if (redis.status !== 'ready') await untilReady();
      return settle(send(command));
    },
    async transaction(commands) {
      if (redis.status !== 'ready') await untilReady();
      // Written in one go to one connection, so nothing gets between MULTI and EXEC.
      const sent = [send(['MULTI']), ...commands.map(send), send(['EXEC'])];
      const [exec] = (await Promise.allSettled(sent)).slice(-1);
      if (exec === undefined) throw new Error('unreachable: EXEC is always sent');
      if (exec.status === 'rejected') {
        if (exec.reason instanceof ReplyError) return { discarded: messageOf(exec.reason) };
        throw new BackendUnavailable('Redis was lost', { cause: exec.reason });
      }
      return Array.isArray(exec.value) ? exec.value.map(outcomeOf) : { discarded: 'EXECABORT Transaction discarded' };
    },
    async close() {
      redis.disconnect();
    },
  };
  return { redis, backend };
}

async function settle(reply: Promise<unknown>): Promise<Outcome> {
  try {
    return { result: toRedisValue(await reply) };
  } catch (error) {
    if (error instanceof ReplyError) return { error: messageOf(error) };
    throw new BackendUnavailable('Redis was lost', { cause: error });
  }
}

function outcomeOf(value: unknown): Outcome {
  return value instanceof Error ? { error: value.message } : { result: toRedisValue(value) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
