import { createDb, createDriver, type Db } from './platform/db/db.ts';
import { createIds, type Ids } from './platform/id.ts';
import { createLogger, type Logger } from './platform/telemetry/log.ts';
import { createRedis } from './platform/cache/redis.ts';
import { parseConfig, type Config } from './platform/config.ts';
import { systemClock, type Clock } from './platform/clock.ts';
import { createProviders, type Providers } from './domains/payments/index.ts';
import { createSink, type EventSink } from './domains/events/index.ts';
import type { RequestRecord } from './platform/telemetry/record.ts';

/** What lives as long as the isolate. */
export interface Runtime {
  config: Config;
  clock: Clock;
  ids: Ids;
  log: Logger;
  redis: ReturnType<typeof createRedis>;
  driver: ReturnType<typeof createDriver>;
}

/** What a verb may use; made per request, so that its round trips are counted. */
export interface Deps {
  config: Config;
  clock: Clock;
  ids: Ids;
  log: Logger;
  redis: ReturnType<typeof createRedis>;
  db: Db;
  payments: Providers;
  events: EventSink;
  /** Runs after the reply; a failure is logged, never answered. */
  defer(work: Promise<unknown>): void;
}

/** Throws ConfigError naming every faulty binding. */
export function createRuntime(env: object): Runtime {
  const config = parseConfig(env);
  const clock = systemClock;
  return {
    config,
    clock,
    ids: createIds(clock),
    log: createLogger(config, () => clock.now()),
    redis: createRedis(config),
    driver: createDriver(config),
  };
}

export function createDeps(runtime: Runtime, record: RequestRecord, waitUntil: (work: Promise<unknown>) => void): Deps {
  const { config, clock, ids, log, redis, driver } = runtime;
  return {
    config,
    clock,
    ids,
    log,
    redis,
    db: createDb(driver, record.trips, config.DATABASE_TIMEOUT_MS),
    payments: createProviders(config, clock, record.trips),
    events: createSink(config, clock, log),
    defer(work) {
      waitUntil(
        work.catch((error: unknown) => {
          log.log('error', 'deferred work failed', { cause: String(error), request_id: record.requestId });
        }),
      );
    },
  };
}
