import type { Deps } from '../deps.ts';
import { base64url } from '../id.ts';

/** What is cached together and thrown away together: one counter in Redis, which every stored reply names. */
export type CacheGroup = string;

/** A reply of 200, kept as text beside the generation of its group that was read before it was made. */
export interface CachedReply {
  generation: string;
  body: string;
}

const BODY_CHARS_MAX = 256 * 1024;

const generationKey = (group: CacheGroup) => `cache:${group}:generation`;

/** The two keys to read: the group's generation, and the reply to this very path and query. */
export async function cacheKeys(group: CacheGroup, pathAndQuery: string): Promise<[string, string]> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(pathAndQuery));
  return [generationKey(group), `cache:${group}:${base64url(new Uint8Array(digest))}`];
}

/** The stored body, unless something of its group has changed since it was made. */
export function readCached(generation: string | null, stored: string | null): string | null {
  if (stored === null) return null;
  const cut = stored.indexOf('\n');
  return stored.slice(0, cut) === (generation ?? '0') ? stored.slice(cut + 1) : null;
}

/** CACHE_TTL bounds how long a change that was never announced can go unseen. */
export async function storeReply({ redis, config, metrics }: Deps, key: string, reply: CachedReply): Promise<void> {
  if (reply.body.length > BODY_CHARS_MAX) return;
  metrics.count('ecommerce_redis_round_trips_total', []);
  await redis.set(key, `${reply.generation}\n${reply.body}`, { ex: config.CACHE_TTL });
}

/** Changes of this isolate that Redis has not heard of yet: until then its own reads go past the cache. */
const announcing = new Map<CacheGroup, number>();

export function isChanging(group: CacheGroup): boolean {
  return (announcing.get(group) ?? 0) > 0;
}

/**
 * Call it after a change is committed: what is cached of the group is stale from now on, for this isolate at once and for
 * the others as soon as Redis knows, a moment after the reply. Without Redis the replies live out their seconds.
 */
export function invalidate({ redis, defer, config, metrics }: Deps, group: CacheGroup): void {
  if (config.CACHE_TTL === 0) return;
  announcing.set(group, (announcing.get(group) ?? 0) + 1);
  defer(async () => {
    metrics.count('ecommerce_redis_round_trips_total', []);
    try {
      await redis.incr(generationKey(group));
    } finally {
      announcing.set(group, (announcing.get(group) ?? 1) - 1);
    }
  });
}
