import {
  METRICS,
  type CounterName,
  type HistogramName,
  type LabelValues,
  type MetricDefinition,
  type MetricName,
} from '../names.ts';

/** What handlers count with: Map additions, no I/O. */
export interface Metrics {
  count<Name extends CounterName>(name: Name, labels: LabelValues<Name>, by?: number): void;
  /** `value` in the metric's integer unit: whole microseconds, or minor units. */
  observe<Name extends HistogramName>(name: Name, value: number, labels: LabelValues<Name>): void;
}

/** Non-cumulative counts per bucket, the last one beyond every bound; the sum in the metric's integer unit. */
export interface HistogramDelta {
  counts: number[];
  sum: number;
}

export interface Delta {
  counters: Record<string, number>;
  histograms: Record<string, HistogramDelta>;
  /** Observations that met the cap on series. */
  dropped: number;
  /** Milliseconds since the epoch of the oldest observation. */
  sinceMs: number;
}

/** One isolate's frozen observations: resent as it is, under the same number, until it is taken in. */
export interface FlushBatch extends Delta {
  source: string;
  seq: number;
  /** Database batches under way in the isolate when it was frozen. */
  inFlight: number;
}

/** A series is its name and label values; the separator cannot stand in either. */
const SEPARATOR = '\u001f';
/** Per isolate between two flushes; the closed label sets stay far below. */
const SERIES_MAX = 2_000;

export function seriesKey(name: MetricName, labels: readonly string[]): string {
  return labels.length === 0 ? name : [name, ...labels].join(SEPARATOR);
}

export function parseSeriesKey(key: string): { name: string; labels: string[] } {
  const [name = '', ...labels] = key.split(SEPARATOR);
  return { name, labels };
}

/** How many of the integer unit make one of the exposed unit. */
export function unitScale(
  { unit }: MetricDefinition,
  labels: readonly string[],
  exponentOf: (currency: string) => number,
): number {
  if (unit === 'microseconds') return 1_000_000;
  if (unit === 'minor_units') return 10 ** exponentOf(labels[0] ?? '');
  return 1;
}

function empty(): Omit<Delta, 'sinceMs'> {
  return { counters: {}, histograms: {}, dropped: 0 };
}

export class MetricsBuffer implements Metrics {
  private readonly exponentOf: (currency: string) => number;
  private readonly nowMs: () => number;
  private delta: Omit<Delta, 'sinceMs'> = empty();
  /** Null until something is observed: an isolate may be idle for hours between two flushes. */
  private sinceMs: number | null = null;

  constructor(nowMs: () => number, exponentOf: (currency: string) => number) {
    this.nowMs = nowMs;
    this.exponentOf = exponentOf;
  }

  count<Name extends CounterName>(name: Name, labels: LabelValues<Name>, by = 1): void {
    const key = seriesKey(name, labels);
    if (this.admits(this.delta.counters, key)) this.delta.counters[key] = (this.delta.counters[key] ?? 0) + by;
  }

  observe<Name extends HistogramName>(name: Name, value: number, labels: LabelValues<Name>): void {
    const values: readonly string[] = labels;
    const key = seriesKey(name, values);
    if (!this.admits(this.delta.histograms, key)) return;
    const { buckets } = METRICS[name];
    const entry = (this.delta.histograms[key] ??= {
      counts: Array.from({ length: buckets.length + 1 }, () => 0),
      sum: 0,
    });
    const scale = unitScale(METRICS[name], values, this.exponentOf);
    const index = buckets.findIndex((bound) => value <= bound * scale);
    const bucket = index === -1 ? buckets.length : index;
    entry.counts[bucket] = (entry.counts[bucket] ?? 0) + 1;
    entry.sum += Math.round(value);
  }

  /** Hands over what was observed and starts anew; null when there is nothing. */
  take(): Delta | null {
    if (this.sinceMs === null) return null;
    const taken = { ...this.delta, sinceMs: this.sinceMs };
    this.delta = empty();
    this.sinceMs = null;
    return taken;
  }

  private admits(series: Record<string, unknown>, key: string): boolean {
    if (key in series) return true;
    this.sinceMs ??= this.nowMs();
    if (Object.keys(this.delta.counters).length + Object.keys(this.delta.histograms).length < SERIES_MAX) return true;
    this.delta.dropped += 1;
    return false;
  }
}
