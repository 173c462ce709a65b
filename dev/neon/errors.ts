import pg from 'pg';
import { BodyTooLarge } from '../http-endpoint.ts';
import type { Reply } from '../http-endpoint.ts';
import { RequestError } from './request.ts';

const ERROR_FIELDS = [
  'severity',
  'code',
  'detail',
  'hint',
  'position',
  'internalPosition',
  'internalQuery',
  'where',
  'schema',
  'table',
  'column',
  'dataType',
  'constraint',
  'file',
  'line',
  'routine',
] as const;

/** Errors as the client expects them: Postgres' own are 400 with every field, a database that cannot be reached is 503. */
export function errorReply(error: unknown, log: (line: string) => void): Reply {
  if (error instanceof pg.DatabaseError) {
    const fields = ERROR_FIELDS.map((name) => [name, error[name] ?? null] as const);
    return { status: 400, body: { message: error.message, ...Object.fromEntries(fields) } };
  }
  if (error instanceof RequestError) return { status: error.status, body: { message: error.message } };
  if (error instanceof BodyTooLarge) return { status: 413, body: { message: error.message } };
  log(`no answer from Postgres: ${String(error)}`);
  return { status: 503, body: { message: 'could not reach the database' } };
}
