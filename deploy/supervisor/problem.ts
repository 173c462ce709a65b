import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';

/** What the front refuses by itself; all else comes from the Worker. The codes stand beside those of the API. */
const PROBLEMS = {
  malformed_request: [400, 'The request cannot be read.'],
  request_timeout: [408, 'The request did not arrive in time.'],
  headers_too_large: [431, 'The headers may hold 1 MiB together.'],
  worker_lost: [502, 'The outcome is not known. Repeat the request with the same Idempotency-Key.'],
  worker_starting: [503, 'Nothing was done. Try again shortly.'],
  draining: [503, 'This replica is being stopped.'],
  worker_slow: [504, 'The outcome is not known. Repeat the request with the same Idempotency-Key.'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

export interface Problem {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** RFC 9457, with the members of the Worker's own problems. */
function problemOf(code: ProblemCode, requestId: string): Problem {
  const [status, detail] = PROBLEMS[code];
  const title = STATUS_CODES[status] ?? 'Error';
  const body = JSON.stringify({ type: `urn:problem:${code}`, title, status, detail, code, request_id: requestId });
  const headers = {
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
    ...(status === 503 && { 'retry-after': '1' }),
  };
  return { status, headers, body };
}

/** Answers with it, and gives up the connection: what is left of the request on it is nobody's any more. */
export function refuse(response: ServerResponse, code: ProblemCode, requestId: string): number {
  const { status, headers, body } = problemOf(code, requestId);
  response.writeHead(status, { ...headers, connection: 'close' }).end(body);
  return status;
}

/** The same for a request that never became one, as bytes for its socket. */
export function rawProblem(code: ProblemCode, requestId: string): string {
  const { status, headers, body } = problemOf(code, requestId);
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', body].join('\r\n');
}
