import { createDeps, runLater, type Runtime } from './deps.ts';
import { drainOutbox } from './domains/events/index.ts';
import { gaugeRow } from './gauges/queries.ts';
import { settleOpenRequests } from './domains/payments/index.ts';
import { republishRevocations } from './domains/identity/index.ts';
import { removeOldRows } from './retention.ts';
import { applyStoredWebhooks, settleUnattended } from './domains/checkout/index.ts';
import { aggregatorOf } from './platform/telemetry/metrics/isolate.ts';
import { describeCause } from './platform/http/problem.ts';
import { flushSpans, traceOf } from './observe.ts';
import { redact } from './platform/telemetry/redact.ts';
import { becauseOf, releaseAllOverdue, stockChanged } from './domains/inventory/index.ts';
import { startRecord } from './platform/telemetry/record.ts';
import { toTaskSpan } from './platform/telemetry/trace/root.ts';
import { unixSeconds } from './platform/clock.ts';
import type { Deps } from './platform/deps.ts';
import type { TickStep } from './platform/telemetry/log.ts';

/** Where the tick leaves its gauges. */
interface Gauges {
  setGauges(values: Record<string, number>): unknown;
}

/** What a tick needs of a cron's context or an alarm's. */
type Execution = Pick<ExecutionContext, 'waitUntil' | 'passThroughOnException'>;

/** The clockwork, once a minute: idempotent, and harmless when two of them overlap. Answers the faults of its steps. */
async function tick(deps: Deps, gauges: Gauges): Promise<unknown[]> {
  const faults: unknown[] = [];
  // A step that fails is told at once and keeps no other from being done.
  const done = async <Result>(step: TickStep, work: () => Promise<Result>): Promise<Result | null> => {
    try {
      return await work();
    } catch (error) {
      faults.push(error);
      deps.log.log('error', 'tick failed', { step, cause: describeCause(error) });
      return null;
    }
  };
  const fields = {
    orders_settled: await done('orders', () => settleUnattended(deps)),
    payment_requests_settled: await done('payment_requests', () => settleOpenRequests(deps)),
    webhooks_applied: await done('webhooks', () => applyStoredWebhooks(deps)),
    events_delivered: await done('events', () => drainOutbox(deps)),
    reservations_released: await done('reservations', () => releaseReservations(deps)),
  };
  await done('revocations', () => republishRevocations(deps));
  await done('gauges', () => sampleGauges(deps, gauges, faults.length === 0));
  // Last: what is only tidying must not keep anything else from being done.
  const removed = await done('clean_up', () => removeOldRows(deps));
  if (faults.length > 0) return faults;
  deps.log.log('info', 'tick', { ...fields, rows_removed: removed, db_round_trips: deps.trips.db });
  return faults;
}

/** Answers how many reservations were let go. */
async function releaseReservations(deps: Deps): Promise<number> {
  const [, freed] = await deps.db.writeResent(becauseOf('hold_expired'), releaseAllOverdue);
  if (freed.length > 0) stockChanged(deps);
  return freed.reduce((sum, { reservations }) => sum + reservations, 0);
}

async function sampleGauges(deps: Deps, gauges: Gauges, isSuccess: boolean): Promise<void> {
  const [[sampled]] = await deps.db.read(gaugeRow);
  const success = { ecommerce_tick_last_success_timestamp_seconds: unixSeconds(deps.clock) };
  await gauges.setGauges({ ...sampled, ...(isSuccess && success) });
}

/**
 * A tick as the cron runs it: a trace of its own, always sampled since it is one a minute, whose ids are in each of its
 * log lines. Rejects with the first fault when a step of it fails, for the platform to count it.
 */
export async function runTick(runtime: Runtime, env: object, execution: Execution): Promise<void> {
  const record = startRecord(runtime.ids.uuid(), undefined);
  const log = runtime.log.child(() => traceOf(record));
  const later: (() => Promise<unknown>)[] = [];
  const deps = { ...createDeps(runtime, record.trips, later), log };
  const faults: unknown[] = [];
  const work = async (spanId: string | null) => {
    record.spanId = spanId ?? record.spanId;
    faults.push(...(await tick(deps, aggregatorOf(env))));
  };
  const startedAtMs = runtime.clock.now().getTime();
  if (runtime.tracing) await runtime.tracing.run(record, execution, work);
  else await work(null);
  const times = { startedAtMs, endedAtMs: runtime.clock.now().getTime() };
  const [fault] = faults;
  const attributes = {
    'error.type': fault === undefined ? null : redact(fault instanceof Error ? fault.name : 'unknown'),
  };
  runtime.tracing?.add(toTaskSpan('tick', { ...record, ...times }, attributes));
  const flush = runtime.isolate.flushLater(env);
  if (flush) execution.waitUntil(runLater(runtime, [flush]));
  execution.waitUntil(runLater(runtime, later).then(() => flushSpans(runtime)));
  if (faults.length > 0) throw fault;
}
