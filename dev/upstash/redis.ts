import { Command as RedisCommand, Redis, ReplyError } from 'ioredis';
import { BackendUnavailable, toRedisValue } from './backend.ts';
import type { Backend, Command, Outcome } from './backend.ts';

const CONNECT_TIMEOUT_MS = 5_000;

/** Commands on a real Redis over one shared connection. Rejects when it cannot be reached at the start. */
export async function connectRedis(url: string, log: (line: string) => void): Promise<Backend> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // What was in flight when the connection broke may have run: only the caller can know whether to send it again.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
  });
  redis.on('error', (error) => log(`Redis: ${error.message}`));
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    throw new BackendUnavailable('could not reach the Redis of redisUrl', { cause: error });
  }

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

  return {
    run: (command) => settle(send(command)),
    async transaction(commands) {
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
