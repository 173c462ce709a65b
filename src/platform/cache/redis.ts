import { Redis } from '@upstash/redis/cloudflare';
import type { Config } from '../config.ts';

/** One attempt, bounded: a slow cache must never be slower than the answer it would save. */
export function createRedis(config: Config): Redis {
  return new Redis({
    url: config.UPSTASH_REDIS_REST_URL,
    token: config.UPSTASH_REDIS_REST_TOKEN,
    retry: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    automaticDeserialization: false,
    signal: () => AbortSignal.timeout(config.REDIS_TIMEOUT_MS),
  });
}
