import type { Family, Sample } from './family.ts';
import { formatFloat } from './float.ts';

export type Kind = Family['type'];

/**
 * One labelled metric of a family, a histogram with all its buckets in one: the model of the protobuf exposition
 * (io.prometheus.client.Metric), which the Pushgateway's rules are about.
 */
export interface Point {
  /** As they came: order and repeats are kept until they are checked. */
  labels: [name: string, value: string][];
  /** What it was sent as; null when it holds no value. */
  kind: Kind | null;
  /** Of a counter, gauge or untyped metric. */
  value: number;
  /** Of a histogram (bound, cumulative count) or a summary (quantile, value). */
  steps: [bound: number, value: number][];
  sum: number;
  count: number;
  timestampMs?: number;
}

export interface PointFamily {
  name: string;
  help: string;
  type: Kind;
  points: Point[];
}

export function emptyPoint(kind: Kind | null = null): Point {
  return { labels: [], kind, value: 0, steps: [], sum: 0, count: 0 };
}

/** Histograms get their `+Inf` bucket; of steps with the same bound the first counts, as Prometheus would take it. */
function samplesOf(name: string, type: Kind, point: Point): Sample[] {
  const labels = Object.fromEntries(point.labels);
  const time = point.timestampMs === undefined ? {} : { timestampMs: point.timestampMs };
  if (type !== 'histogram' && type !== 'summary') return [{ name, labels, value: point.value, ...time }];
  const steps = new Map<string, number>();
  for (const [bound, value] of point.steps) {
    const shown = formatFloat(bound);
    if (!steps.has(shown)) steps.set(shown, value);
  }
  if (type === 'histogram' && !steps.has('+Inf')) steps.set('+Inf', point.count);
  const [label, suffix] = type === 'histogram' ? ['le', '_bucket'] : ['quantile', ''];
  return [
    ...[...steps].map(([shown, value]) => ({
      name: `${name}${suffix}`,
      labels: { ...labels, [label]: shown },
      value,
      ...time,
    })),
    { name: `${name}_sum`, labels, value: point.sum, ...time },
    { name: `${name}_count`, labels, value: point.count, ...time },
  ];
}

export function toFamily({ name, help, type, points }: PointFamily): Family {
  return { name, help, type, samples: points.flatMap((point) => samplesOf(name, type, point)) };
}
