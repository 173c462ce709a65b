import { AlreadyApplied } from './errors.ts';
import type { Db, Rows } from './db.ts';
import type { Sql } from './sql.ts';

/**
 * The same database behind statements that may abort: batches begin with them, at no further round trip, until one has
 * passed. What that one began is then finished, after the reply too, even if it was to end what it was let in by.
 */
export function guarded(db: Db, all: readonly Sql[]): Db {
  let guards = all;
  async function behind(send: (guards: readonly Sql[]) => Promise<unknown[][]>): Promise<unknown[][]> {
    const { length } = guards;
    const rows = await send(guards);
    guards = [];
    return rows.slice(length);
  }
  /* oxlint-disable typescript/no-unsafe-type-assertion -- the rows of the guards are cut off, the rest is as it was */
  return {
    ping: () => db.ping(),
    read: async <const Statements extends readonly Sql[]>(...statements: Statements) =>
      (await behind((first) => db.read(...first, ...statements))) as Rows<Statements>,
    write: async <const Statements extends readonly Sql[]>(...statements: Statements) =>
      (await behind((first) => db.write(...first, ...statements))) as Rows<Statements>,
    commit: async (statements, readBack, options) => {
      try {
        const row = await db.commit([...guards, ...statements], readBack, options);
        guards = [];
        return row;
      } catch (error) {
        // It passed them when it was applied.
        if (error instanceof AlreadyApplied) guards = [];
        throw error;
      }
    },
    writeResent: async <const Statements extends readonly Sql[]>(...statements: Statements) =>
      (await behind((first) => db.writeResent(...first, ...statements))) as Rows<Statements>,
  };
  /* oxlint-enable typescript/no-unsafe-type-assertion */
}
