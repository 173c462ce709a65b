import type { createRedis } from './cache/redis.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { Db, RoundTrips } from './db/db.ts';
import type { Ids } from './id.ts';
import type { Metrics } from './telemetry/metrics/buffer.ts';
import type { Logger } from './telemetry/log.ts';

/** What a verb may use; made per request, so that its round trips are counted. */
export interface Deps {
  config: Config;
  clock: Clock;
  ids: Ids;
  log: Logger;
  metrics: Metrics;
  redis: ReturnType<typeof createRedis>;
  db: Db;
  trips: RoundTrips;
  /** Work for after the reply; a failure is logged, never answered. */
  defer: (work: () => Promise<unknown>) => void;
}
