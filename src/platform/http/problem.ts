import { HTTPException } from 'hono/http-exception';
import { AppError, ERRORS } from '../errors.ts';
import { DatabaseUnreachable, IdempotencyConflict } from '../db/errors.ts';
import { redact, type Loggable } from '../telemetry/redact.ts';
import type { AppContext } from './context.ts';

/** RFC 9457. A 5xx of ours says nothing of its cause; the cause goes to the log line under the same request id. */
export function problem(c: AppContext, error: AppError): Response {
  const [status, title] = ERRORS[error.code];
  const { param, errors, retryAfterS, members } = error.options;
  const record = c.get('record');
  record.errorCode = error.code;
  return new Response(
    JSON.stringify({
      type: `urn:problem:${error.code}`,
      title,
      status,
      detail: error.message,
      code: error.code,
      ...(param !== undefined && { param }),
      ...(errors && { errors }),
      ...members,
      request_id: record.requestId,
    }),
    {
      status,
      headers: {
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
        ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }),
        ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      },
    },
  );
}

/** Whatever was thrown becomes one of the closed table's refusals. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof HTTPException) return fromHono(thrown);
  if (thrown instanceof DatabaseUnreachable) {
    return new AppError('dependency_unavailable', 'Try again shortly.', { cause: thrown, retryAfterS: 2 });
  }
  if (thrown instanceof IdempotencyConflict) {
    return new AppError('idempotency_in_flight', 'A request with the same key is still running.', { retryAfterS: 1 });
  }
  return new AppError('internal', 'The request failed. Quote the request id when you ask about it.', { cause: thrown });
}

function fromHono(thrown: HTTPException): AppError {
  if (thrown.status === 413) return new AppError('payload_too_large', 'The body is larger than allowed.');
  if (thrown.status === 400) return new AppError('malformed_request', 'The body is not valid JSON.', { param: 'body' });
  return new AppError('internal', 'The request failed.', { cause: thrown });
}

/** The chain of causes in one line, redacted, without stacks of the runtime; for the log only. */
export function describeCause(error: unknown): Loggable {
  return redact(chainOf(error, 0));
}

function chainOf(error: unknown, depth: number): string {
  if (!(error instanceof Error) || depth > 4) return String(error);
  const cause = error.cause === undefined ? '' : ` <- ${chainOf(error.cause, depth + 1)}`;
  return `${error.name}: ${error.message}${cause}`;
}
