import type { MiddlewareHandler } from 'hono';
import { cacheKeys, isChanging, readCached, storeReply, type CacheGroup } from '../cache/replies.ts';
import type { AppContext, AppEnv } from './context.ts';

/** The keys of a reply that may be cached, or none where none may. */
export async function replyKeys(c: AppContext, group: CacheGroup | undefined): Promise<string[]> {
  if (group === undefined || c.req.method !== 'GET' || c.get('deps').config.CACHE_TTL === 0) return [];
  if (isChanging(group)) return [];
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

/** Answers from what Redis said of `replyKeys`, or lets the route answer and keeps that. */
export async function throughCache(
  c: AppContext,
  key: string,
  found: readonly (string | null)[],
  next: Parameters<MiddlewareHandler<AppEnv>>[1],
): Promise<Response | void> {
  const [generation = null, stored = null] = found;
  const body = readCached(generation, stored);
  c.get('record').cache = body === null ? 'miss' : 'hit';
  const metric = body === null ? 'ecommerce_cache_misses_total' : 'ecommerce_cache_hits_total';
  c.get('deps').metrics.count(metric, []);
  if (body !== null) return c.body(body, 200, { 'content-type': 'application/json' });
  await next();
  await storeLater(c, key, generation ?? '0');
}
