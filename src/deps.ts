import { createDb, createDriver } from './platform/db/db.ts';
import { createGate, type Gate } from './platform/db/gate.ts';
import { createIsolateMetrics, type IsolateMetrics } from './platform/telemetry/metrics/isolate.ts';
import { createIds } from './platform/id.ts';
import { createLogger } from './platform/telemetry/log.ts';
import { createTracing, type Tracing } from './platform/telemetry/trace/tracing.ts';
import { inThisTrace } from './platform/telemetry/trace/span.ts';
import { createRedis } from './platform/cache/redis.ts';
import { describeCause } from './platform/http/problem.ts';
import { parseConfig } from './platform/config.ts';
import { systemClock } from './platform/clock.ts';
import type { Deps } from './platform/deps.ts';
import type { RoundTrips } from './platform/db/db.ts';

/** What lives as long as the isolate. */
export type Runtime = Omit<Deps, 'db' | 'trips' | 'defer'> & {
  driver: ReturnType<typeof createDriver>;
  gate: Gate;
  isolate: IsolateMetrics;
  tracing: Tracing | null;
};

/** Throws ConfigError naming every faulty binding. */
export function createRuntime(env: object): Runtime {
  const config = parseConfig(env);
  const clock = systemClock;
  const ids = createIds(clock);
  const log = createLogger(config, () => clock.now());
  const isolate = createIsolateMetrics(clock, ids, config.METRICS_FLUSH_SECONDS);
  return {
    config,
    clock,
    ids,
    isolate,
    metrics: isolate.metrics,
    log,
    tracing: createTracing({ config, clock, log, metrics: isolate.metrics }),
    redis: createRedis(config),
    driver: createDriver(config),
    gate: createGate(config.DATABASE_MAX_OPEN_CONNS, clock),
  };
}

/** What lives as long as one request or one tick; work that is deferred is left in `later`. */
export function createDeps(
  { driver, gate, isolate, tracing: _tracing, ...shared }: Runtime,
  trips: RoundTrips,
  later: (() => Promise<unknown>)[],
): Deps {
  return {
    ...shared,
    trips,
    db: createDb(driver, trips, {
      timeoutMs: shared.config.DATABASE_TIMEOUT_MS,
      observe: isolate.observeDb,
      gate,
    }),
    defer: (work) => later.push(inThisTrace(work)),
  };
}

/** Starts what was deferred; resolves when all of it has ended, and never rejects. */
export async function runLater({ log }: Runtime, later: readonly (() => Promise<unknown>)[]): Promise<void> {
  const ends = await Promise.allSettled(later.map((work) => work()));
  for (const end of ends) {
    if (end.status === 'rejected') log.log('error', 'deferred work failed', { cause: describeCause(end.reason) });
  }
}
