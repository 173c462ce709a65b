import { neon, neonConfig, types } from '@neondatabase/serverless';
import type { Config } from '../config.ts';
import { traceBatch } from '../telemetry/trace/steps.ts';
import type { Span } from '../telemetry/trace/span.ts';
import { compile, sql, type Sql } from './sql.ts';
import { DatabaseUnreachable, isRefusal, isRetryable, translate } from './errors.ts';
import type { Gate } from './gate.ts';

export type Rows<Statements extends readonly Sql[]> = {
  -readonly [Index in keyof Statements]: Statements[Index] extends Sql<infer Row> ? Row[] : never;
};

/** A transaction is one batch over HTTP: plain statements, sent at once, all or nothing. */
export interface Db {
  /** The smallest question there is, for health checks. */
  ping(): Promise<void>;
  /** One read-only snapshot; resent once when the network fails, since reading twice is harmless. */
  read<const Statements extends readonly Sql[]>(...statements: Statements): Promise<Rows<Statements>>;
  /**
   * One READ COMMITTED batch. Rolled-back races (deadlock, serialization) are run again; a lost reply is not, because
   * the batch may be committed: DatabaseUnreachable.
   */
  write<const Statements extends readonly Sql[]>(...statements: Statements): Promise<Rows<Statements>>;
  /** A batch of any length whose last statement reads back what it made; its first row, or null. */
  commit<Row>(statements: readonly Sql[], readBack: Sql<Row>, options: CommitOptions): Promise<Row | null>;
  /** A write whose resend is harmless by its own statements, so a lost reply is answered by sending it again, as it is. */
  writeResent<const Statements extends readonly Sql[]>(...statements: Statements): Promise<Rows<Statements>>;
}

export interface CommitOptions {
  resend: boolean;
  /** Stands before all else and stops a resend of what is committed: AlreadyApplied. */
  notYet?: Sql;
}

/** What a request counts: each HTTP exchange with the database is one. */
export interface RoundTrips {
  db: number;
  redis: number;
  provider: number;
}

const INT8 = 20;
const TIMESTAMPTZ = 1184;
const RACES_MAX = 3;
const RESENDS_MAX = 2;

function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError('int8 beyond 2^53');
  return value;
}

const PARSERS: Record<number, (text: string) => unknown> = {
  [INT8]: parseInt8,
  [TIMESTAMPTZ]: (text) => new Date(text).toISOString(),
};

const typeParsers: { getTypeParser: typeof types.getTypeParser } = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') => PARSERS[oid] ?? types.getTypeParser(oid, format),
};

type Driver = ReturnType<typeof neon>;

export function createDriver(config: Config): Driver {
  if (config.DATABASE_ENDPOINT !== undefined) neonConfig.fetchEndpoint = config.DATABASE_ENDPOINT;
  return neon(config.DATABASE_URL);
}

/** Told when an exchange starts; the function it answers is told how it ended: null, or the kind of failure. */
export type DbObserver = (
  kind: 'read' | 'write',
  statements: readonly Sql[],
) => (failure: 'refused' | 'race' | 'unreachable' | 'error' | null) => void;

function failureOf(thrown: unknown): 'refused' | 'race' | 'unreachable' | 'error' {
  if (isRetryable(thrown)) return 'race';
  const error = translate(thrown);
  if (error instanceof DatabaseUnreachable) return 'unreachable';
  return isRefusal(error) ? 'refused' : 'error';
}

interface BatchOptions {
  readOnly: boolean;
  resends: number;
  /** A health check asks whether Postgres answers, not whether it is busy. */
  passesLine?: true;
}

interface DbOptions {
  timeoutMs: number;
  observe: DbObserver;
  gate: Gate;
}

type Exchange = (statements: readonly Sql[], readOnly: boolean, withinMs: number) => Promise<unknown[][]>;

function createExchange(driver: Driver, trips: RoundTrips, observe: DbObserver): Exchange {
  return async (statements, readOnly, withinMs) => {
    trips.db += 1;
    const queries = statements.map((statement) => {
      const { text, values } = compile(statement);
      return driver.query(text, values, { types: typeParsers });
    });
    const ended = observe(readOnly ? 'read' : 'write', statements);
    try {
      const results: unknown = await driver.transaction(queries, {
        isolationLevel: readOnly ? 'RepeatableRead' : 'ReadCommitted',
        readOnly,
        fetchOptions: { signal: AbortSignal.timeout(withinMs) },
      });
      ended(null);
      return asRows(results);
    } catch (thrown) {
      ended(failureOf(thrown));
      throw thrown;
    }
  };
}

/** Counts into `trips`; every exchange is bounded by `timeoutMs`, the wait for its turn at the gate included. */
export function createDb(driver: Driver, trips: RoundTrips, { timeoutMs, observe, gate }: DbOptions): Db {
  const exchange = createExchange(driver, trips, observe);

  async function send(statements: readonly Sql[], { readOnly, passesLine }: BatchOptions): Promise<unknown[][]> {
    if (passesLine) return await exchange(statements, readOnly, timeoutMs);
    const { leftMs, leave } = await gate(timeoutMs);
    try {
      return await exchange(statements, readOnly, leftMs);
    } finally {
      leave();
    }
  }

  function run(statements: readonly Sql[], options: BatchOptions): Promise<unknown[][]> {
    const texts = () => statements.map((statement) => compile(statement).text);
    return traceBatch(options.readOnly, texts, (span) => attempt(statements, options, span));
  }

  async function attempt(statements: readonly Sql[], options: BatchOptions, span: Span) {
    let races = 0;
    let resent = 0;
    for (;;) {
      try {
        return await send(statements, options);
      } catch (thrown) {
        if (isRetryable(thrown) && races < RACES_MAX) {
          races += 1;
          span.event('retry', { reason: 'race' });
          continue;
        }
        const error = thrown instanceof DatabaseUnreachable ? thrown : translate(thrown);
        // What found no room was not sent, and would only wait again.
        if (error === thrown || !(error instanceof DatabaseUnreachable) || resent >= options.resends) {
          if (!isRefusal(error)) span.fail(error.name);
          throw error;
        }
        resent += 1;
        span.event('resend', { reason: 'unreachable' });
      }
    }
  }

  return {
    ping: async () => {
      await run([sql`select 1 as answer`], { readOnly: true, resends: 0, passesLine: true });
    },
    read: async (...statements) => typed(await run(statements, { readOnly: true, resends: 1 })),
    write: async (...statements) => typed(await run(statements, { readOnly: false, resends: 0 })),
    commit: async (statements, readBack, { resend, notYet }) => {
      const batch = [...(notYet ? [notYet] : []), ...statements, readBack];
      const results = await run(batch, { readOnly: false, resends: resend ? RESENDS_MAX : 0 });
      const [, rows] = typed<[Sql, typeof readBack]>([[], results.at(-1) ?? []]);
      return rows[0] ?? null;
    },
    writeResent: async (...statements) => typed(await run(statements, { readOnly: false, resends: RESENDS_MAX })),
  };
}

function asRows(results: unknown): unknown[][] {
  if (Array.isArray(results) && results.every((rows) => Array.isArray(rows))) return results;
  throw new Error('the database driver answered no list of row lists');
}

/** The one cast of the seam: a row type stands beside each statement, and tests read every column it names. */
function typed<Statements extends readonly Sql[]>(results: unknown[][]): Rows<Statements> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- SQL has no types the compiler could read
  return results as Rows<Statements>;
}
