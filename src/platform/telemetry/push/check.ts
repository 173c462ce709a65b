import { Buffer } from 'node:buffer';
import { formatFloat } from '../metrics/float.ts';
import { quote } from '../metrics/go-text.ts';
import type { Kind, Point, PointFamily } from '../metrics/point.ts';

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * What would make the whole exposition invalid, in the words that the Pushgateway uses; empty when nothing does.
 * `families` are those of every group, merged by name; only those in `names` are looked at point by point, the others
 * have been when they came.
 */
export function inconsistencies(families: readonly PointFamily[], names: ReadonlySet<string>): string[] {
  const types = new Map<string, Kind>();
  const faults: string[] = [];
  for (const family of families) {
    const collision = collisionOf(family, types);
    if (collision !== null) {
      faults.push(collision);
      continue;
    }
    types.set(family.name, family.type);
    if (!names.has(family.name)) continue;
    if (!METRIC_NAME.test(family.name)) faults.push(`${quote(family.name)} is not a valid metric name`);
    const seen = new Set<string>();
    for (const point of family.points) {
      const fault = pointFault(family, point, seen);
      if (fault !== null) faults.push(fault);
    }
  }
  return faults;
}

/** A family whose name is one of those that a histogram or summary makes for its parts. */
function collisionOf({ name, type }: PointFamily, types: ReadonlyMap<string, Kind>): string | null {
  for (const suffix of ['_count', '_sum', '_bucket']) {
    if (name.endsWith(suffix)) {
      const base = name.slice(0, -suffix.length);
      const kind = types.get(base);
      if (kind === 'histogram' || (kind === 'summary' && suffix !== '_bucket')) {
        return `collected metric named ${quote(name)} collides with previously collected ${kind} named ${quote(base)}`;
      }
    }
    const isTaken = types.has(`${name}${suffix}`);
    const part = quote(`${name}${suffix}`);
    if (isTaken && type === 'histogram' && suffix === '_bucket') {
      return `collected histogram named ${quote(name)} collides with previously collected metric named ${part}`;
    }
    if (isTaken && suffix !== '_bucket' && (type === 'histogram' || type === 'summary')) {
      return `collected histogram or summary named ${quote(name)} collides with previously collected metric named ${part}`;
    }
  }
  return null;
}

function pointFault({ name, type }: PointFamily, point: Point, seen: Set<string>): string | null {
  const that = () => `collected metric ${quote(name)} { ${describe(point)}}`;
  if (point.kind !== type) return `${that()} is not a ${type.toUpperCase()}`;
  let previous: string | null = null;
  for (const [label] of point.labels) {
    if (label === previous) return `${that()} has two or more labels with the same name: ${label}`;
    if (!LABEL_NAME.test(label) || label.startsWith('__')) {
      return `${that()} has a label with an invalid name: ${label}`;
    }
    if (type === 'summary' && label === 'quantile') return `${that()} must not have an explicit "quantile" label`;
    if (type === 'histogram' && label === 'le') return `${that()} must not have an explicit "le" label`;
    previous = label;
  }
  const key = JSON.stringify(point.labels);
  if (seen.has(key)) return `${that()} was collected before with the same name and label values`;
  seen.add(key);
  return null;
}

/** The point in protobuf's compact text, as the Pushgateway names it. */
function describe(point: Point): string {
  const labels = point.labels.map(([name, value]) => `label:<name:${protoText(name)} value:${protoText(value)} > `);
  return labels.join('') + describeValue(point);
}

function describeValue({ kind, value, steps, sum, count }: Point): string {
  if (kind === null) return '';
  if (kind !== 'histogram' && kind !== 'summary') return `${kind}:<value:${protoNumber(value)} > `;
  const parts = steps.map(([bound, amount]) =>
    kind === 'summary'
      ? `quantile:<quantile:${protoNumber(bound)} value:${protoNumber(amount)} > `
      : `bucket:<cumulative_count:${amount} upper_bound:${protoNumber(bound)} > `,
  );
  return `${kind}:<sample_count:${count} sample_sum:${protoNumber(sum)} ${parts.join('')}> `;
}

function protoNumber(value: number): string {
  if (value === Infinity) return 'inf';
  return value === -Infinity ? '-inf' : Number.isNaN(value) ? 'nan' : formatFloat(value);
}

const NAMED: Record<number, string> = { 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 92: '\\\\' };

function protoText(text: string): string {
  const shown = [...Buffer.from(text)].map((byte) => {
    if (NAMED[byte] !== undefined) return NAMED[byte];
    const isPrintable = byte >= 0x20 && byte < 0x7f;
    return isPrintable ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
  });
  return `"${shown.join('')}"`;
}
