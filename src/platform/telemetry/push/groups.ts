import type { Family } from '../metrics/family.ts';
import { toFamily, type Point, type PointFamily } from '../metrics/point.ts';
import type { RowStorage } from '../row-storage.ts';
import { inconsistencies } from './check.ts';
import type { GroupLabels } from './key.ts';

/** The product's own metrics come from its own counting alone. */
const RESERVED = /^ecommerce_/;
const GROUPS_MAX = 500;
const POINTS_MAX = 5_000;
/** Of all groups, as they are exposed: an object that cannot answer a scrape counts for nobody. */
const EXPOSED_CHARS_MAX = 8_000_000;
/** Below the 2 MB that one row of the object's SQLite may hold. */
const ROW_BYTES_MAX = 1_500_000;
const PUSHED = 'push_time_seconds';
const FAILED = 'push_failure_time_seconds';

/** `reset` replaces the group (PUT), `merge` replaces families of the same name (POST), `remove` forgets it (DELETE). */
export interface Push {
  mode: 'reset' | 'merge' | 'remove';
  labels: GroupLabels;
  families: PointFamily[];
}

interface Group {
  labels: GroupLabels;
  /** Seconds since the epoch; 0 means never. */
  pushedAtS: number;
  failedAtS: number;
  families: PointFamily[];
}

/** Pushed metrics by group, kept in the object's SQLite as one row a group. Times are milliseconds since the epoch. */
export class PushGroups {
  readonly #sql: RowStorage;
  readonly #groups = new Map<string, Group>();

  constructor(sql: RowStorage) {
    this.#sql = sql;
    sql.exec('create table if not exists push_groups (name text primary key, body text not null) without rowid');
    for (const { name, body } of sql.exec('select name, body from push_groups').toArray()) {
      if (typeof name === 'string' && typeof body === 'string') this.#groups.set(name, JSON.parse(body, reviveNumber));
    }
  }

  /** Null when it was taken in; otherwise what is wrong with it, for the caller. A refused push leaves its time. */
  push({ mode, labels, families }: Push, atMs: number): string | null {
    if (mode === 'remove') {
      this.delete(labels);
      return null;
    }
    return mode === 'reset' ? this.put(labels, families, atMs) : this.add(labels, families, atMs);
  }

  /** Replaces everything in the group. */
  put(labels: GroupLabels, families: readonly PointFamily[], atMs: number): string | null {
    return this.#store(labels, families, atMs, []);
  }

  /** Replaces the families of the same name, and keeps the others. */
  add(labels: GroupLabels, families: readonly PointFamily[], atMs: number): string | null {
    return this.#store(labels, families, atMs, this.#groups.get(keyOf(labels))?.families ?? []);
  }

  delete(labels: GroupLabels): void {
    const key = keyOf(labels);
    if (this.#groups.delete(key)) this.#sql.exec('delete from push_groups where name = ?', key);
  }

  /** Of all groups, sorted by name; `push_time_seconds` and `push_failure_time_seconds` say when each was changed. */
  families(): Family[] {
    const groups = [...this.#groups.values()];
    const times: PointFamily[] = [
      timesOf(
        groups,
        PUSHED,
        'Unix time of the last push to this group that was taken in.',
        (group) => group.pushedAtS,
      ),
      timesOf(groups, FAILED, 'Unix time of the last push to this group that was refused.', (group) => group.failedAtS),
    ];
    return sorted([...mergeByName(groups.flatMap(({ families }) => families)), ...times]).map(toFamily);
  }

  #store(
    labels: GroupLabels,
    pushed: readonly PointFamily[],
    atMs: number,
    before: readonly PointFamily[],
  ): string | null {
    const key = keyOf(labels);
    const known = this.#groups.get(key);
    const fresh = pushed
      .filter(({ name }) => name !== PUSHED && name !== FAILED)
      .map((family) => ({ ...family, points: family.points.map((point) => labelled(point, labels)) }));
    const names = new Set(fresh.map(({ name }) => name));
    const families = [...before.filter(({ name }) => !names.has(name)), ...fresh];
    const fault = this.#fault(key, fresh, families, names);
    const group = known ?? { labels, pushedAtS: 0, failedAtS: 0, families: [] };
    const next = fault === null ? { ...group, families, pushedAtS: atMs / 1000 } : { ...group, failedAtS: atMs / 1000 };
    const body = JSON.stringify(next, keepNumber);
    if (new TextEncoder().encode(body).byteLength > ROW_BYTES_MAX) return `a group may hold ${ROW_BYTES_MAX} bytes`;
    if (known === undefined && this.#groups.size >= GROUPS_MAX) return `there may be ${GROUPS_MAX} groups`;
    this.#sql.exec('insert or replace into push_groups (name, body) values (?, ?)', key, body);
    this.#groups.set(key, next);
    return fault;
  }

  #fault(
    key: string,
    fresh: readonly PointFamily[],
    families: readonly PointFamily[],
    names: Set<string>,
  ): string | null {
    if (fresh.some(({ points }) => points.some((point) => point.timestampMs !== undefined))) {
      return 'pushed metrics must not have timestamps';
    }
    const reserved = fresh.find(({ name }) => RESERVED.test(name));
    if (reserved) return `${reserved.name} is counted by the shop itself`;
    const others = [...this.#groups].flatMap(([name, group]) => (name === key ? [] : group.families));
    const kept = [...others, ...families];
    if (sumOf(kept, () => 1) > POINTS_MAX) return `there may be ${POINTS_MAX} metrics in all groups together`;
    if (sumOf(kept, exposedChars) > EXPOSED_CHARS_MAX) {
      return `all groups together may fill ${EXPOSED_CHARS_MAX} characters of the exposition`;
    }
    // What the push does not name was checked when it came: of it only name and type matter.
    const all = kept.map((family) => (names.has(family.name) ? family : { ...family, points: [] }));
    const faults = inconsistencies(sorted(mergeByName(all)), names);
    if (faults.length < 2) return faults[0] ?? null;
    return `${faults.length} error(s) occurred:\n${faults.map((fault) => `* ${fault}`).join('\n')}`;
  }
}

function sumOf(families: readonly PointFamily[], of: (point: Point, family: PointFamily) => number): number {
  return families.reduce((sum, family) => sum + family.points.reduce((part, point) => part + of(point, family), 0), 0);
}

/** About what a point takes: its name and labels stand on each line, one for every step and three more. */
function exposedChars({ labels, steps }: Point, { name }: PointFamily): number {
  const line = labels.reduce((sum, [label, value]) => sum + label.length + value.length + 4, name.length + 24);
  return line * (steps.length + 3);
}

function keyOf(labels: GroupLabels): string {
  return JSON.stringify(Object.entries(labels).toSorted(byFirst));
}

function byFirst([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The group's labels win over the point's own; `instance` is always there, so that a scrape does not add its own. */
function labelled(point: Point, group: GroupLabels): Point {
  const own = point.labels.filter(([name]) => !Object.hasOwn(group, name));
  const hasInstance = [...own, ...Object.entries(group)].some(([name]) => name === 'instance');
  const instance: Point['labels'] = hasInstance ? [] : [['instance', '']];
  return { ...point, labels: [...own, ...Object.entries(group), ...instance].toSorted(byFirst) };
}

function timesOf(groups: readonly Group[], name: string, help: string, at: (group: Group) => number): PointFamily {
  const points = groups.map((group) =>
    labelled({ labels: [], kind: 'gauge', value: at(group), steps: [], sum: 0, count: 0 }, group.labels),
  );
  return { name, help, type: 'gauge', points };
}

/** Type and help of the first; a later group of another type is an inconsistency that the check finds. */
function mergeByName(families: readonly PointFamily[]): PointFamily[] {
  const merged = new Map<string, PointFamily>();
  for (const family of families) {
    const known = merged.get(family.name);
    if (known) known.points.push(...family.points);
    else merged.set(family.name, { ...family, points: [...family.points] });
  }
  return [...merged.values()];
}

function sorted(families: readonly PointFamily[]): PointFamily[] {
  const byLabels = (a: Point, b: Point) => byFirst([JSON.stringify(a.labels), 0], [JSON.stringify(b.labels), 0]);
  return families
    .toSorted((a, b) => byFirst([a.name, 0], [b.name, 0]))
    .map((family) => ({ ...family, points: family.points.toSorted(byLabels) }));
}

/** JSON has no NaN and no infinity: they are written as an object that no family holds otherwise. */
function keepNumber(_key: string, value: unknown): unknown {
  return typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
    ? { number: Object.is(value, -0) ? '-0' : String(value) }
    : value;
}

function reviveNumber(_key: string, value: unknown): unknown {
  const isKept = typeof value === 'object' && value !== null && 'number' in value && Object.keys(value).length === 1;
  return isKept ? Number(value.number) : value;
}
