import type { Db, Rows } from './db.ts';
import type { Sql } from './sql.ts';

/** The same database behind statements that may abort: each batch begins with them, at no further round trip. */
export function guarded(db: Db, guards: readonly Sql[]): Db {
  const behind = (rows: unknown[][]) => rows.slice(guards.length);
  /* oxlint-disable typescript/no-unsafe-type-assertion -- the rows of the guards are cut off, the rest is as it was */
  return {
    ping: () => db.ping(),
    read: async <const Statements extends readonly Sql[]>(...statements: Statements) =>
      behind(await db.read(...guards, ...statements)) as Rows<Statements>,
    write: async <const Statements extends readonly Sql[]>(...statements: Statements) =>
      behind(await db.write(...guards, ...statements)) as Rows<Statements>,
    commit: (statements, readBack, options) => db.commit([...guards, ...statements], readBack, options),
    writeResent: async <const Statements extends readonly Sql[]>(...statements: Statements) =>
      behind(await db.writeResent(...guards, ...statements)) as Rows<Statements>,
  };
  /* oxlint-enable typescript/no-unsafe-type-assertion */
}
