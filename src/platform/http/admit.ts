import { createMiddleware } from 'hono/factory';
import { AppError } from '../errors.ts';
import { askRedis, type RateLimit, type RateLimitState } from '../cache/pipeline.ts';
import { cacheKeys, isChanging, readCached, storeReply, type CacheGroup } from '../cache/replies.ts';
import { subjectOf } from '../auth/actor.ts';
import { operationOf, type Operation } from './operation.ts';
import type { AppContext, AppEnv } from './context.ts';

/** What the contract says of the route that will answer; undefined for a path that has none. */
function operationAhead(c: AppContext): Operation | undefined {
  for (const { handler } of c.req.matchedRoutes) {
    const described = operationOf(handler);
    if (described) return described;
  }
  return undefined;
}

function limitsOf(c: AppContext): RateLimit[] {
  const { config } = c.get('deps');
  if (!config.RATE_LIMIT_ENABLED) return [];
  const actor = c.get('actor');
  const isGuest = actor.kind === 'guest';
  return [
    {
      name: isGuest ? 'public' : 'authenticated',
      subject: subjectOf(actor),
      requestsMax: isGuest ? config.RATE_LIMIT_PUBLIC : config.RATE_LIMIT_AUTHENTICATED,
      windowS: config.RATE_LIMIT_WINDOW,
    },
  ];
}

/** Headers say how the nearest limit stands; a limit that is used up refuses the request. */
function applyLimits(c: AppContext, states: readonly RateLimitState[]): void {
  const { clock, metrics } = c.get('deps');
  const nearest = states.toSorted((a, b) => Number(a.allowed) - Number(b.allowed) || a.remaining - b.remaining)[0];
  if (!nearest) return;
  const resetS = Math.max(1, Math.ceil((nearest.resetAtMs - clock.now().getTime()) / 1000));
  c.header('RateLimit-Limit', String(nearest.limit));
  c.header('RateLimit-Remaining', String(nearest.remaining));
  c.header('RateLimit-Reset', String(resetS));
  c.get('record').limiter = nearest.allowed ? 'allowed' : 'limited';
  if (nearest.allowed) return;
  metrics.count('ecommerce_rate_limited_total', [nearest.name]);
  throw new AppError('rate_limited', `Try again in ${resetS} s.`, { retryAfterS: resetS });
}

/** The keys of a reply that may be cached, or null where none may. */
async function cachedReplyKeys(c: AppContext, group: CacheGroup | undefined): Promise<[string, string] | null> {
  if (group === undefined || c.req.method !== 'GET' || c.get('deps').config.CACHE_TTL === 0) return null;
  if (isChanging(group)) return null;
  const url = new URL(c.req.url);
  return await cacheKeys(group, url.pathname + url.search);
}

/** Stored after the reply is sent, under the generation that was read before the reply was made. */
async function storeLater(c: AppContext, key: string, generation: string): Promise<void> {
  const deps = c.get('deps');
  if (c.res.status !== 200) return;
  const body = await c.res.clone().text();
  deps.defer(() => storeReply(deps, key, { generation, body }));
}

/**
 * Everything a request asks of Redis, in one round trip: how it stands against its limits and, of a read that may be
 * cached, the reply. Without Redis requests go on: a cache must not take the shop down. The log line says so.
 */
export const admit = createMiddleware<AppEnv>(async (c, next) => {
  const { redis, trips, metrics } = c.get('deps');
  const record = c.get('record');
  const limits = limitsOf(c);
  if (limits.length === 0) record.limiter = 'off';
  const keys = await cachedReplyKeys(c, operationAhead(c)?.cache);
  const answer = await askRedis(redis, { limits, keys: keys ?? [] }, trips);
  if (!answer) {
    record.limiter = 'unreachable';
    metrics.count('ecommerce_rate_limiter_unreachable_total', []);
    return await next();
  }
  applyLimits(c, answer.limits);
  if (!keys) return await next();
  const [generation = null, stored = null] = answer.values;
  const body = readCached(generation, stored);
  record.cache = body === null ? 'miss' : 'hit';
  metrics.count(body === null ? 'ecommerce_cache_misses_total' : 'ecommerce_cache_hits_total', []);
  if (body !== null) return c.body(body, 200, { 'content-type': 'application/json' });
  await next();
  await storeLater(c, keys[1], generation ?? '0');
});
