import { currencyExponent } from '../../money.ts';
import type { Clock } from '../../clock.ts';
import type { DbObserver } from '../../db/db.ts';
import type { Ids } from '../../id.ts';
import type { Family } from './family.ts';
import type { Push } from '../push/groups.ts';
import type { RemoteWriteReport } from '../remote-write/writer.ts';
import { MetricsBuffer, type Metrics } from './buffer.ts';
import { Flusher, type Aggregator } from './flush.ts';

const OBJECT_NAME = 'metrics';

/** What an isolate counts with, and how it sends what it counted. */
export interface IsolateMetrics {
  metrics: Metrics;
  observeDb: DbObserver;
  /** Deferred work that sends the counts, for the one request per interval that has to run it; else null. */
  flushLater(env: object): (() => Promise<void>) | null;
}

/** The aggregator as the Worker sees it, over RPC. */
export interface MetricsStub extends Aggregator {
  setGauges(values: Record<string, number>): Promise<void>;
  families(): Promise<Family[]>;
  push(push: Push): Promise<string | null>;
  pushNow(): Promise<RemoteWriteReport | null>;
}

interface Namespace {
  getByName(name: string): MetricsStub;
}

/** The one aggregator that every isolate sends to. */
export function aggregatorOf(env: object): MetricsStub {
  if (!('METRICS' in env)) throw new Error('the Durable Object binding METRICS is missing');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the binding of wrangler.toml, checked to be there
  return (env.METRICS as Namespace).getByName(OBJECT_NAME);
}

export function createIsolateMetrics(clock: Clock, ids: Ids, flushSeconds: number): IsolateMetrics {
  const nowMs = () => clock.now().getTime();
  const metrics = new MetricsBuffer(nowMs, currencyExponent);
  let inFlight = 0;
  const flusher = new Flusher(metrics, {
    source: ids.capability(),
    intervalMs: flushSeconds * 1000,
    nowMs,
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    inFlight: () => inFlight,
  });
  return {
    metrics,
    observeDb: (kind) => {
      const startedAtMs = nowMs();
      inFlight += 1;
      return (failure) => {
        inFlight -= 1;
        metrics.count('ecommerce_database_round_trips_total', []);
        metrics.observe('ecommerce_database_query_duration_seconds', (nowMs() - startedAtMs) * 1000, [kind]);
        if (failure !== null) metrics.count('ecommerce_database_errors_total', [failure]);
      };
    },
    flushLater(env) {
      // A stub of its own for every try: one that has failed may go on failing after the object is back.
      const aggregator: Aggregator = { ingest: (batch) => aggregatorOf(env).ingest(batch) };
      return flusher.claim() ? () => flusher.flushLater(aggregator) : null;
    },
  };
}
