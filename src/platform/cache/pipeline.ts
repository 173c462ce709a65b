import { Ratelimit } from '@upstash/ratelimit';
import type { Redis } from '@upstash/redis/cloudflare';
import type { RoundTrips } from '../db/db.ts';
import { NO_SPAN, startSpan, type Span } from '../telemetry/trace/span.ts';

export interface RateLimit {
  /** What is limited, such as `public`; part of the key. */
  name: string;
  /** Who is limited: a client address or an account. */
  subject: string;
  requestsMax: number;
  windowS: number;
}

export interface RateLimitState {
  name: string;
  allowed: boolean;
  limit: number;
  remaining: number;
  windowS: number;
  /** Milliseconds since the epoch. */
  resetAtMs: number;
}

/** What one request wants to know of Redis: how it stands against its limits, and the texts under some keys. */
export interface Question {
  limits: readonly RateLimit[];
  keys: readonly string[];
}

export interface Answer {
  /** In the order of the question. A subject known to be blocked is the only entry, and no key was read. */
  limits: RateLimitState[];
  values: (string | null)[];
}

/** Subjects already over their limit, kept per isolate: a flood costs not even the Redis round trip. */
const blocked = new Map<string, number>();
const BLOCKED_MAX = 10_000;

interface CommandReply {
  result?: unknown;
  error?: string | undefined;
}

/** The commands of one request, sent as one pipeline; the library would send a call of its own per command. */
class Pipeline {
  readonly sent = Promise.withResolvers<CommandReply[]>();
  span: Span = NO_SPAN;
  private readonly pipeline;
  private readonly redis: Redis;
  private readonly trips: RoundTrips;

  constructor(redis: Redis, trips: RoundTrips) {
    this.redis = redis;
    this.trips = trips;
    this.pipeline = redis.pipeline();
    // Whoever waits for it learns of a failure; nobody may be waiting.
    this.sent.promise.catch(() => undefined);
  }

  get length(): number {
    return this.pipeline.length();
  }

  async get(key: string): Promise<string | null> {
    const at = this.length;
    this.pipeline.get(key);
    const result = resultOf((await this.sent.promise)[at]);
    return typeof result === 'string' ? result : null;
  }

  async evalsha(hash: string, keys: string[], args: unknown[]): Promise<unknown> {
    const at = this.length;
    this.pipeline.evalsha(hash, keys, args.map(String));
    return resultOf((await this.sent.promise)[at]);
  }

  /** Redis does not know the script yet: once per restart of Redis it is sent in full. */
  async eval(script: string, keys: string[], args: unknown[]): Promise<unknown> {
    this.trips.redis += 1;
    this.span.event('resend', { reason: 'NOSCRIPT' });
    return await this.redis.eval(script, keys, args.map(String));
  }

  send(): void {
    this.trips.redis += 1;
    this.span = startSpan('PIPELINE', { 'db.operation.name': 'PIPELINE' }, 'redis');
    this.span.set({ 'db.operation.batch.size': this.length });
    this.pipeline.exec({ keepErrors: true }).then(this.sent.resolve, this.sent.reject);
  }
}

/** Raises what the pipeline kept as an error, so that the library sees NOSCRIPT and sends the script itself. */
function resultOf(reply: CommandReply | undefined): unknown {
  if (reply?.error) throw new Error(reply.error);
  return reply?.result;
}

/** A fixed window that is counted through `pipeline`. */
async function count(pipeline: Pipeline, limit: RateLimit): Promise<RateLimitState> {
  const limiter = new Ratelimit({
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a fixed window calls evalsha and eval, nothing else
    redis: pipeline as unknown as Redis,
    limiter: Ratelimit.fixedWindow(limit.requestsMax, `${limit.windowS} s`),
    prefix: `rl:${limit.name}`,
    ephemeralCache: blocked,
    analytics: false,
    timeout: 0,
  });
  const { success, limit: max, remaining, reset } = await limiter.limit(limit.subject);
  return {
    name: limit.name,
    allowed: success,
    limit: max,
    remaining: Math.max(0, remaining),
    windowS: limit.windowS,
    resetAtMs: reset,
  };
}

/**
 * One exchange with Redis, whatever is asked. Null when Redis does not answer in time: the caller decides what goes on
 * without it.
 */
export async function askRedis(redis: Redis, question: Question, trips: RoundTrips): Promise<Answer | null> {
  if (blocked.size > BLOCKED_MAX) blocked.clear();
  const pipeline = new Pipeline(redis, trips);
  try {
    const states: Promise<RateLimitState>[] = [];
    for (const limit of question.limits) {
      const before = pipeline.length;
      const state = count(pipeline, limit);
      // Nothing was asked of Redis: this isolate knows that the subject is over its limit.
      if (pipeline.length === before) return { limits: [await state], values: [] };
      states.push(state);
    }
    const values = question.keys.map((key) => pipeline.get(key));
    if (pipeline.length === 0) return { limits: [], values: [] };
    pipeline.send();
    return { limits: await Promise.all(states), values: await Promise.all(values) };
  } catch (error) {
    pipeline.span.fail(error instanceof Error ? error.name : 'unknown');
    return null;
  } finally {
    pipeline.span.end();
  }
}
