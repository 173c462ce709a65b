import { Ratelimit } from '@upstash/ratelimit';
import type { Redis } from '@upstash/redis/cloudflare';
import type { RoundTrips } from './db/db.ts';
import { NO_SPAN, startSpan } from './telemetry/trace/span.ts';

export interface RateLimit {
  /** What is limited, such as `public`; part of the key. */
  name: string;
  /** Who is limited: a client address or an account. */
  subject: string;
  requestsMax: number;
  windowS: number;
}

export interface RateLimitState {
  allowed: boolean;
  limit: number;
  remaining: number;
  /** Milliseconds since the epoch. */
  resetAtMs: number;
}

/** Subjects already over their limit, kept per isolate: a flood costs not even the Redis round trip. */
const blocked = new Map<string, number>();
const BLOCKED_MAX = 10_000;

/**
 * Fixed window, counted in Redis through one explicit pipeline (the library would send a call of its own per command).
 * Answers null when Redis does not answer in time: the caller decides what goes on without it.
 */
export async function checkRateLimit(
  redis: Redis,
  limit: RateLimit,
  trips: RoundTrips,
): Promise<RateLimitState | null> {
  if (blocked.size > BLOCKED_MAX) blocked.clear();
  const pipeline = redis.pipeline();
  let span = NO_SPAN;
  const sent = Promise.withResolvers<ScriptReply[]>();
  const piped = {
    evalsha: async (hash: string, keys: string[], args: unknown[]) => {
      pipeline.evalsha(hash, keys, args.map(String));
      return scriptReply((await sent.promise)[0]);
    },
    eval: async (script: string, keys: string[], args: unknown[]) => {
      trips.redis += 1;
      span.event('resend', { reason: 'NOSCRIPT' });
      return await redis.eval(script, keys, args.map(String));
    },
  };
  const limiter = new Ratelimit({
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a fixed window calls these two and nothing else
    redis: piped as unknown as Redis,
    limiter: Ratelimit.fixedWindow(limit.requestsMax, `${limit.windowS} s`),
    prefix: `rl:${limit.name}`,
    ephemeralCache: blocked,
    analytics: false,
    timeout: 0,
  });
  try {
    const answer = limiter.limit(limit.subject);
    if (pipeline.length() > 0) {
      trips.redis += 1;
      span = startSpan('PIPELINE', { 'db.operation.name': 'PIPELINE' }, 'redis');
      span.set({ 'db.operation.batch.size': pipeline.length() });
      pipeline.exec({ keepErrors: true }).then(sent.resolve, sent.reject);
    }
    const { success, limit: max, remaining, reset } = await answer;
    return { allowed: success, limit: max, remaining, resetAtMs: reset };
  } catch (error) {
    span.fail(error instanceof Error ? error.name : 'unknown');
    return null;
  } finally {
    span.end();
  }
}

interface ScriptReply {
  result?: unknown;
  error?: string | undefined;
}

/** Raises what the pipeline kept as an error, so that the library sees NOSCRIPT and sends the script itself. */
function scriptReply(reply: ScriptReply | undefined): unknown {
  if (reply?.error) throw new Error(reply.error);
  return reply?.result;
}
