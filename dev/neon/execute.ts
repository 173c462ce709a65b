import type pg from 'pg';
import type { SqlRequest, Statement } from './request.ts';

/** The reply for one statement: every value is Postgres' own text, null stays null. */
export interface StatementResult {
  command: string | null;
  rowCount: number | null;
  fields: pg.FieldDef[];
  rows: unknown[];
  rowAsArray: boolean;
}

// Postgres' text goes out untouched: the client turns it into values by dataTypeID.
const RAW_TEXT = { getTypeParser: () => (text: string) => text };

/**
 * Runs a parsed request on a connection. A batch is one transaction; when a statement fails it is rolled back and the
 * Postgres error thrown. Stops between statements when `gone` aborts.
 */
export async function execute(
  client: pg.ClientBase,
  request: SqlRequest,
  gone: AbortSignal,
): Promise<StatementResult | { results: StatementResult[] }> {
  if (request.kind === 'single') return run(client, request.statement, request.arrayMode);
  await client.query(request.begin);
  try {
    const results: StatementResult[] = [];
    for (const statement of request.statements) {
      gone.throwIfAborted();
      results.push(await run(client, statement, request.arrayMode));
    }
    gone.throwIfAborted();
    await client.query('commit');
    return { results };
  } catch (error) {
    // When the connection itself is lost the rollback has happened already; the first error is the one to report.
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

async function run(client: pg.ClientBase, statement: Statement, arrayMode: boolean): Promise<StatementResult> {
  const query = {
    text: statement.query,
    values: statement.params,
    // The extended protocol also without parameters: it takes exactly one statement, as the hosted endpoint does.
    queryMode: 'extended',
    types: RAW_TEXT,
    ...(arrayMode ? { rowMode: 'array' as const } : {}),
  };
  const result = await client.query(query);
  return {
    command: result.command,
    rowCount: result.rowCount,
    fields: result.fields,
    rows: result.rows,
    rowAsArray: arrayMode,
  };
}
