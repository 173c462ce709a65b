import type { CounterName, HistogramName, MetricName } from '../../src/platform/telemetry/names.ts';

/** One line or bar of a panel. */
export interface Query {
  expr: string;
  legend: string;
}

export interface Panel {
  title: string;
  description: string;
  /** Grafana's name of the unit. */
  unit: string;
  /** Columns of 24. */
  width: 4 | 6 | 8 | 12 | 24;
  kind?: 'lines' | 'number' | 'bars';
  /** Value from which it is shown as bad, or under which with `below`. */
  bad?: { from: number } | { below: number };
  queries: readonly Query[];
}

export interface Dashboard {
  /** Also the name of its file and the end of its uid. */
  name: string;
  title: string;
  description: string;
  /** Time range at first sight, such as now-6h. */
  from: string;
  rows: readonly { title: string; panels: readonly Panel[] }[];
}

type Counted = CounterName | `${HistogramName}_${'bucket' | 'sum' | 'count'}`;

/** A series of the jobs that the reader chose; matchers such as `status=~"5.."`. */
export function series(name: MetricName | Counted, ...matchers: string[]): string {
  return `${name}{${['job=~"$job"', ...matchers].join(', ')}}`;
}

/** Increase a second, over a window that Grafana keeps at four scrapes or more. */
export function rate(name: Counted, ...matchers: string[]): string {
  return `rate(${series(name, ...matchers)}[$__rate_interval])`;
}

/** The rates' sum, 0 where the series has not been born yet. */
export function total(name: Counted, ...matchers: string[]): string {
  return `(sum(${rate(name, ...matchers)}) or vector(0))`;
}

export function totalBy(label: string, name: Counted, ...matchers: string[]): string {
  return `sum by (${label}) (${rate(name, ...matchers)})`;
}

export function quantile(share: number, name: HistogramName, ...by: string[]): string {
  return `histogram_quantile(${share}, sum by (${['le', ...by].join(', ')}) (${rate(`${name}_bucket`)}))`;
}
