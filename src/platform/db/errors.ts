import { NeonDbError } from '@neondatabase/serverless';
import { AppError, isErrorCode, type ErrorCode, type FieldError } from '../errors.ts';

/** The SQLSTATE that the SQL function require() raises. */
const REQUIRE = 'EC001';
/** serialization_failure and deadlock_detected: rolled back for certain, so running the batch again is safe. */
const RETRYABLE = new Set(['40001', '40P01']);
/**
 * Connection, resources, shutdown, a statement or a wait that took too long, and statement_completion_unknown: whether the
 * batch ran is not known, or it did not and may do so later.
 */
const UNREACHABLE = /^(?:08|53|57|40003|55P03)/;

/** The batch of another attempt holds or held this key; platform/http/idempotency turns it into a replay. */
export class IdempotencyConflict extends Error {
  override readonly name = 'IdempotencyConflict';
}

/** The batch was refused because this very attempt is already committed: its first reply was lost. */
export class AlreadyApplied extends Error {
  override readonly name = 'AlreadyApplied';
}

/** Another attempt took this aggregate over; the caller re-reads and answers what it finds. */
export class FenceLost extends Error {
  override readonly name = 'FenceLost';
}

/** No answer that says whether the batch ran: the network failed, or the endpoint did. */
export class DatabaseUnreachable extends Error {
  override readonly name = 'DatabaseUnreachable';
}

/** A batch that stopped itself by require(): an answer, not a fault. */
export function isRefusal(error: unknown): boolean {
  return [AppError, IdempotencyConflict, AlreadyApplied, FenceLost].some((refusal) => error instanceof refusal);
}

export function isRetryable(error: unknown): boolean {
  return error instanceof NeonDbError && RETRYABLE.has(error.code ?? '');
}

/** What a breached constraint answers when no statement before it said it better. */
const BREACHES: Record<string, { code: ErrorCode; message: string }> = {
  '23503': { code: 'conflict', message: 'Something this refers to is gone.' },
  '23505': { code: 'conflict', message: 'Something like this exists already.' },
  '23514': { code: 'validation_failed', message: 'A value is out of its range.' },
};

interface RequireDetail {
  param?: string;
  message?: string;
  errors?: FieldError[];
  members?: Record<string, unknown>;
  retryAfterS?: number;
}

function fromRequire(code: string, detail: string | undefined): Error {
  if (code === 'idempotency_conflict') return new IdempotencyConflict(code);
  if (code === 'already_applied') return new AlreadyApplied(code);
  if (code === 'fence_lost') return new FenceLost(code);
  if (!isErrorCode(code)) return new Error(`require() raised an unknown code: ${code}`);
  const { message, ...options }: RequireDetail = detail ? JSON.parse(detail) : {};
  return new AppError(code, message ?? DEFAULT_MESSAGES[code] ?? 'The request cannot be fulfilled.', {
    ...options,
    ...(code === 'idempotency_in_flight' && { retryAfterS: 1 }),
  });
}

const DEFAULT_MESSAGES: Partial<Record<ErrorCode, string>> = {
  not_found: 'No such resource.',
  idempotency_in_flight: 'A request with the same key is still running. Try again shortly.',
  insufficient_stock: 'Some lines ask for more than is in stock.',
};

/**
 * Turns what the driver throws into what the product answers. Of any other database error only code, constraint, table
 * and routine leave this function: detail holds row values.
 */
export function translate(error: unknown): Error {
  if (!(error instanceof NeonDbError)) return new DatabaseUnreachable('database unreachable', { cause: error });
  if (error.code === REQUIRE) return fromRequire(error.message, error.detail);
  if (error.code === undefined || UNREACHABLE.test(error.code))
    return new DatabaseUnreachable('database unreachable', { cause: error.message });
  const { code, constraint, table, routine } = error;
  const cause = new Error(`database error ${JSON.stringify({ code, constraint, table, routine })}`);
  const breach = BREACHES[code];
  return breach ? new AppError(breach.code, breach.message, { cause }) : cause;
}
