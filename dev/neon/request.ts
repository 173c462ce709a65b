import type { IncomingHttpHeaders } from 'node:http';
import * as z from 'zod';

/** A request that is refused before it reaches Postgres; the client reads `message`. */
export class RequestError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Where and as whom a request's SQL runs. */
export interface Target {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  applicationName: string | undefined;
  startupOptions: string | undefined;
}

export interface Statement {
  query: string;
  params: unknown[];
}

/** One statement, or a batch that runs in one transaction opened by `begin`. */
export type SqlRequest =
  | { kind: 'single'; statement: Statement; arrayMode: boolean }
  | { kind: 'batch'; statements: Statement[]; begin: string; arrayMode: boolean };

const StatementSchema = z.object({ query: z.string(), params: z.array(z.json()).default([]) });
const BodySchema = z.union([z.object({ queries: z.array(StatementSchema) }), StatementSchema]);

const ISOLATION_LEVELS = new Map([
  ['ReadUncommitted', 'read uncommitted'],
  ['ReadCommitted', 'read committed'],
  ['RepeatableRead', 'repeatable read'],
  ['Serializable', 'serializable'],
]);

/** Reads the Neon-Connection-String header. Throws RequestError 400 when it is missing, garbled or names no user, password or database. */
export function parseTarget(
  headers: IncomingHttpHeaders,
  upstream: { host: string; port: number } | undefined,
): Target {
  const value = header(headers, 'neon-connection-string');
  if (value === undefined) throw new RequestError(400, 'missing header: Neon-Connection-String');
  const url = parseConnectionString(value);
  const target = {
    host: upstream?.host ?? url.hostname,
    port: upstream?.port ?? Number(url.port || 5432),
    user: decode(url.username),
    password: decode(url.password),
    database: decode(url.pathname.slice(1)),
    applicationName: url.searchParams.get('application_name') ?? undefined,
    startupOptions: url.searchParams.get('options') ?? undefined,
  };
  for (const part of ['user', 'password', 'database'] as const) {
    if (target[part] === '') throw new RequestError(400, `invalid connection string: missing ${part}`);
  }
  return target;
}

function parseConnectionString(value: string): URL {
  const scheme = /^postgres(?:ql)?:/.exec(value);
  if (scheme === null) throw new RequestError(400, 'invalid connection string: not a postgres:// URL');
  // A URL parser keeps user and host only for the schemes it knows.
  const rest = `http:${value.slice(scheme[0].length)}`;
  if (!URL.canParse(rest)) throw new RequestError(400, 'invalid connection string: not a URL');
  return new URL(rest);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new RequestError(400, 'invalid connection string: bad percent-encoding');
  }
}

/** Reads body and mode headers of POST /sql. Throws RequestError 400 on anything the hosted endpoint would not take. */
export function parseSqlRequest(headers: IncomingHttpHeaders, body: Buffer): SqlRequest {
  if (flag(headers, 'neon-raw-text-output') !== true) {
    throw new RequestError(400, 'this endpoint answers raw text only: send Neon-Raw-Text-Output: true');
  }
  const arrayMode = flag(headers, 'neon-array-mode') ?? false;
  const parsed = BodySchema.safeParse(parseJson(body));
  if (!parsed.success) {
    throw new RequestError(400, 'invalid body: expected { query, params } or { queries: [{ query, params }] }');
  }
  if ('queries' in parsed.data) {
    return { kind: 'batch', statements: parsed.data.queries, begin: beginStatement(headers), arrayMode };
  }
  return { kind: 'single', statement: parsed.data, arrayMode };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new RequestError(400, 'invalid body: not JSON');
  }
}

function beginStatement(headers: IncomingHttpHeaders): string {
  const modes: string[] = [];
  const level = header(headers, 'neon-batch-isolation-level');
  if (level !== undefined) {
    const name = ISOLATION_LEVELS.get(level);
    if (name === undefined) throw new RequestError(400, 'invalid header: Neon-Batch-Isolation-Level');
    modes.push(`isolation level ${name}`);
  }
  const readOnly = flag(headers, 'neon-batch-read-only');
  if (readOnly !== undefined) modes.push(readOnly ? 'read only' : 'read write');
  const deferrable = flag(headers, 'neon-batch-deferrable');
  if (deferrable !== undefined) modes.push(deferrable ? 'deferrable' : 'not deferrable');
  return ['begin', modes.join(', ')].join(' ').trim();
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

function flag(headers: IncomingHttpHeaders, name: string): boolean | undefined {
  const value = header(headers, name);
  if (value === undefined) return undefined;
  if (value !== 'true' && value !== 'false')
    throw new RequestError(400, `invalid header: ${name} must be true or false`);
  return value === 'true';
}
