import { NeonDbError } from '@neondatabase/serverless';
import { AppError, isErrorCode, type ErrorCode, type FieldError } from '../errors.ts';

/** The SQLSTATE that the SQL function require() raises. */
const REQUIRE = 'EC001';
/** serialization_failure and deadlock_detected: rolled back for certain, so running the batch again is safe. */
const RETRYABLE = new Set(['40001', '40P01']);

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

export function isRetryable(error: unknown): boolean {
  return error instanceof NeonDbError && RETRYABLE.has(error.code ?? '');
}

/** Constraints whose breach is the caller's doing, by name: the field to name and what to say. */
const CONSTRAINTS: Record<string, { code: ErrorCode; param: string; message: string }> = {
  accounts_email: { code: 'email_taken', param: 'email', message: 'An account with this e-mail address exists.' },
  cart_items_quantity: {
    code: 'validation_failed',
    param: 'quantity',
    message: 'A line holds between 1 and 10,000 units.',
  },
};

interface RequireDetail {
  param?: string;
  message?: string;
  errors?: FieldError[];
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
  if (error.code === undefined) return new DatabaseUnreachable('database unreachable', { cause: error.message });
  const known = CONSTRAINTS[error.constraint ?? ''];
  if (known) return new AppError(known.code, known.message, { param: known.param });
  const { code, constraint, table, routine } = error;
  return new Error(`database error ${JSON.stringify({ code, constraint, table, routine })}`);
}
