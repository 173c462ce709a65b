import { NeonDbError } from '@neondatabase/serverless';
import pg from 'pg';
import type { Db, Rows } from '../../src/platform/db/db.ts';
import { translate } from '../../src/platform/db/errors.ts';
import { compile, type Sql } from '../../src/platform/db/sql.ts';

const INT8 = 20;
const TIMESTAMPTZ = 1184;

const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') => {
    if (oid === INT8) return Number;
    if (oid === TIMESTAMPTZ) return (text: string) => new Date(text).toISOString();
    return pg.types.getTypeParser(oid, format);
  },
};

/** As the Worker is told of it. */
function asDriverError(error: unknown): Error {
  if (!(error instanceof pg.DatabaseError)) return error instanceof Error ? error : new Error(String(error));
  const { message, code, detail, constraint, table, routine } = error;
  return translate(Object.assign(new NeonDbError(message), { code, detail, constraint, table, routine }));
}

/** The seam of the domains on plain connections: the real SQL without HTTP between, for tests that need thousands of batches. */
export function pgDb(pool: pg.Pool): Db {
  async function run(statements: readonly Sql[]): Promise<unknown[][]> {
    const client = await pool.connect();
    try {
      await client.query('begin');
      const results: unknown[][] = [];
      for (const statement of statements) {
        const { text, values } = compile(statement);
        results.push((await client.query({ text, values, types })).rows);
      }
      await client.query('commit');
      return results;
    } catch (error) {
      await client.query('rollback');
      throw asDriverError(error);
    } finally {
      client.release();
    }
  }
  const rowsOf = async <const Statements extends readonly Sql[]>(...statements: Statements) =>
    (await run(statements)) as Rows<Statements>;
  return {
    ping: async () => void (await run([])),
    read: rowsOf,
    write: rowsOf,
    writeResent: rowsOf,
    commit: async <Row>(statements: readonly Sql[], readBack: Sql<Row>) =>
      ((await run([...statements, readBack])).at(-1)?.[0] as Row | undefined) ?? null,
  };
}
