import { KNOWN_LABELS, METRICS, type MetricName } from '../names.ts';
import { parseSeriesKey, seriesKey, unitScale, type Delta, type HistogramDelta } from './buffer.ts';
import type { Family, Sample } from './family.ts';

/** Everything counted so far, as it is kept: integers only. */
export interface Totals {
  counters: Record<string, number>;
  histograms: Record<string, HistogramDelta>;
  gauges: Record<string, number>;
  /** The last batch taken in from each source, and when (milliseconds since the epoch). */
  sources: Record<string, { seq: number; atMs: number; inFlight: number }>;
}

/** Label sets are closed, so a shop stays far below; a mistake must not fill the object. */
const SERIES_MAX = 5_000;

export function emptyTotals(): Totals {
  return { counters: {}, histograms: {}, gauges: {}, sources: {} };
}

/** Adds a delta; answers how many series the cap kept out. */
export function addDelta(totals: Totals, delta: Pick<Delta, 'counters' | 'histograms'>): number {
  let dropped = 0;
  let size = Object.keys(totals.counters).length + Object.keys(totals.histograms).length;
  const admits = (isKnown: boolean) => {
    if (isKnown) return true;
    if (size >= SERIES_MAX) {
      dropped += 1;
      return false;
    }
    size += 1;
    return true;
  };
  for (const [key, by] of Object.entries(delta.counters)) {
    if (admits(key in totals.counters)) totals.counters[key] = (totals.counters[key] ?? 0) + by;
  }
  for (const [key, { counts, sum }] of Object.entries(delta.histograms)) {
    if (!admits(key in totals.histograms)) continue;
    const known = (totals.histograms[key] ??= { counts: counts.map(() => 0), sum: 0 });
    known.sum += sum;
    known.counts = known.counts.map((count, index) => count + (counts[index] ?? 0));
  }
  return dropped;
}

function labelsOf(name: MetricName, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(METRICS[name].labels.map((label, index) => [label, values[index] ?? '']));
}

function histogramSamples(
  name: MetricName,
  key: string,
  entry: HistogramDelta,
  exponentOf: (currency: string) => number,
): Sample[] {
  const { labels: values } = parseSeriesKey(key);
  const labels = labelsOf(name, values);
  const definition = METRICS[name];
  const bounds = 'buckets' in definition ? definition.buckets : [];
  let cumulative = 0;
  const buckets = entry.counts.map((count, index): Sample => {
    cumulative += count;
    const bound = bounds[index];
    return {
      name: `${name}_bucket`,
      labels: { ...labels, le: bound === undefined ? '+Inf' : String(bound) },
      value: cumulative,
    };
  });
  return [
    ...buckets,
    { name: `${name}_sum`, labels, value: entry.sum / unitScale(definition, values, exponentOf) },
    { name: `${name}_count`, labels, value: cumulative },
  ];
}

/** A counter that has not counted yet is 0, not absent, wherever its labels are known: a rate must see its first count. */
function zeroes(name: MetricName): Record<string, number> {
  const known: Partial<Record<string, readonly string[]>> = KNOWN_LABELS;
  const values = METRICS[name].labels.length === 0 ? [[]] : (known[name] ?? []).map((value) => [value]);
  return Object.fromEntries(values.map((labels) => [seriesKey(name, labels), 0]));
}

function samplesOf(totals: Totals, name: MetricName, exponentOf: (currency: string) => number): Sample[] {
  const { kind } = METRICS[name];
  const isMine = (key: string) => parseSeriesKey(key).name === name;
  if (kind === 'histogram') {
    return Object.entries(totals.histograms).flatMap(([key, entry]) =>
      isMine(key) ? histogramSamples(name, key, entry, exponentOf) : [],
    );
  }
  const values = kind === 'counter' ? { ...zeroes(name), ...totals.counters } : totals.gauges;
  return Object.entries(values).flatMap(([key, value]): Sample[] =>
    isMine(key) ? [{ name, labels: labelsOf(name, parseSeriesKey(key).labels), value }] : [],
  );
}

/** Every metric of the table in its order; `exponentOf` a currency's decimal places. */
export function toFamilies(totals: Totals, exponentOf: (currency: string) => number): Family[] {
  return Object.entries(METRICS).map(([name, { kind, help }]) => ({
    name,
    help,
    type: kind,
    samples: isMetricName(name) ? samplesOf(totals, name, exponentOf) : [],
  }));
}

function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name);
}

const ALIVE_MS = 5 * 60_000;

/** What only the aggregator knows of the isolates; `atMs` is now. */
export function runtimeGauges({ sources }: Totals, flushLagMs: number, atMs: number): Record<string, number> {
  const alive = Object.values(sources).filter((source) => atMs - source.atMs < ALIVE_MS);
  return {
    [seriesKey('ecommerce_runtime_isolates', [])]: alive.length,
    [seriesKey('ecommerce_runtime_flush_lag_seconds', [])]: flushLagMs / 1000,
    [seriesKey('ecommerce_database_statements_in_flight', [])]: alive.reduce((sum, { inFlight }) => sum + inFlight, 0),
  };
}
