import type { RowStorage } from '../row-storage.ts';
import type { SeriesLabels } from './encode.ts';

/** Prometheus's default lookback: after it a query no longer shows a series, marked or not. */
const LOOKBACK_MS = 5 * 60_000;
/** Below the 2 MB that one row may hold. */
const ROW_BYTES_MAX = 1_900_000;

/** What the receiver may still show once a snapshot is frozen. */
interface Remembered {
  /** In the snapshot. */
  live: SeriesLabels[];
  /** No longer in it, and since when (milliseconds since the epoch): marked as stale by it. */
  gone: [labels: SeriesLabels, sinceMs: number][];
}

/** What a snapshot has to mark as stale, and the row that remembers it. */
export interface Vanished {
  stale: SeriesLabels[];
  row: string;
}

/**
 * The series that were written last, as one row of JSON: those that the next snapshot lacks are marked as stale, with
 * the labels that they were written with, until the receiver has taken the marker.
 */
export class SentSeries {
  readonly #sql: RowStorage;

  constructor(sql: RowStorage) {
    this.#sql = sql;
    sql.exec(
      'create table if not exists remote_write_series (id integer primary key check (id = 1), body text not null)',
    );
  }

  /** Compares and writes nothing. Series beyond the row's size are not remembered: they fade out after the lookback. */
  compare(current: readonly SeriesLabels[], atMs: number): Vanished {
    const { live, gone } = this.#load();
    const known = new Set(current.map((labels) => JSON.stringify(labels)));
    const ended = [...gone, ...live.map((labels): [SeriesLabels, number] => [labels, atMs])].filter(
      ([labels, sinceMs]) => atMs - sinceMs < LOOKBACK_MS && !known.has(JSON.stringify(labels)),
    );
    return { stale: ended.map(([labels]) => labels), row: rowOf({ live: [...current], gone: ended }) };
  }

  /** Together with the frozen snapshot. Mostly the series are the same as before, and nothing is written. */
  save({ row }: Vanished): void {
    if (row !== this.#row()) this.#write(row);
  }

  /** The receiver has the snapshot, so also its markers. */
  taken(): void {
    const { live, gone } = this.#load();
    if (gone.length > 0) this.#write(JSON.stringify({ live, gone: [] }));
  }

  #load(): Remembered {
    const row = this.#row();
    return row === null ? { live: [], gone: [] } : JSON.parse(row);
  }

  #row(): string | null {
    const [row] = this.#sql.exec('select body from remote_write_series').toArray();
    return typeof row?.['body'] === 'string' ? row['body'] : null;
  }

  #write(row: string): void {
    this.#sql.exec('insert or replace into remote_write_series (id, body) values (1, ?)', row);
  }
}

function rowOf(remembered: Remembered): string {
  const row = JSON.stringify(remembered);
  if (new TextEncoder().encode(row).byteLength <= ROW_BYTES_MAX) return row;
  const { live, gone } = remembered;
  return rowOf({ live: live.slice(0, live.length >> 1), gone: gone.slice(0, gone.length >> 1) });
}
