import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { RowStorage } from '../../src/platform/telemetry/row-storage.ts';

/** What a Durable Object's SqlStorage does, on Node's SQLite: blobs come back as ArrayBuffers. */
export function openSql(): RowStorage {
  const database = new DatabaseSync(':memory:');
  return {
    exec(query, ...bindings) {
      const given = bindings.map((value): SQLInputValue =>
        value instanceof ArrayBuffer ? new Uint8Array(value) : value,
      );
      const rows = database.prepare(query).all(...given);
      return {
        toArray: () =>
          rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]))),
      };
    },
  };
}

function plain(value: unknown): ArrayBuffer | string | number | null {
  if (value instanceof Uint8Array) return new Uint8Array(value).buffer;
  return typeof value === 'string' || typeof value === 'number' ? value : null;
}
