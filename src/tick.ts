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

/** Where the tick leaves its gauges. */
interface Gauges {
  setGauges(values: Record<string, number>): unknown;
}

/** What a tick needs of a cron's context or an alarm's. */
type Execution = Pick<ExecutionContext, 'waitUntil' | 'passThroughOnException'>;

/** The clockwork, once a minute: idempotent, and harmless when two of them overlap. */
async function tick(deps: Deps, gauges: Gauges): Promise<void> {
  const settled = await settleUnattended(deps);
  const requests = await settleOpenRequests(deps);
  const webhooks = await applyStoredWebhooks(deps);
  const delivered = await drainOutbox(deps);
  const [, freed] = await deps.db.writeResent(becauseOf('hold_expired'), releaseAllOverdue);
  if (freed.length > 0) stockChanged(deps);
  await republishRevocations(deps);
  const [[sampled]] = await deps.db.read(gaugeRow);
  await gauges.setGauges({
    ...sampled,
    ecommerce_tick_last_success_timestamp_seconds: unixSeconds(deps.clock),
  });
  // Last: what is only tidying must not keep anything else from being done.
  const removed = await removeOldRows(deps);
  deps.log.log('info', 'tick', {
    orders_settled: settled,
    payment_requests_settled: requests,
    webhooks_applied: webhooks,
    events_delivered: delivered,
    rows_removed: removed,
    db_round_trips: deps.trips.db,
  });
}

/**
 * A tick as the cron runs it: a trace of its own, always sampled since it is one a minute, whose ids are in each of its
 * log lines. Rejects when the tick fails, for the platform to count it.
 */
export async function runTick(runtime: Runtime, env: object, execution: Execution): Promise<void> {
  const record = startRecord(runtime.ids.uuid(), undefined);
  const log = runtime.log.child(() => traceOf(record));
  const later: (() => Promise<unknown>)[] = [];
  const deps = { ...createDeps(runtime, record.trips, later), log };
  const faults: unknown[] = [];
  const work = async (spanId: string | null) => {
    record.spanId = spanId ?? record.spanId;
    try {
      await tick(deps, aggregatorOf(env));
    } catch (error) {
      faults.push(error);
      log.log('error', 'tick failed', { cause: describeCause(error) });
    }
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
