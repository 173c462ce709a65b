import type { RoundTrips } from '../db/db.ts';
import type { ErrorCode } from '../errors.ts';
import type { Loggable } from './redact.ts';

/** One wide event per request: filled on the way, written once at its end. Names follow the log contract. */
export interface RequestRecord {
  readonly requestId: string;
  readonly traceId: string;
  /** The caller's span, when it sent one. */
  readonly parentSpanId: string | null;
  /** The caller's sampled flag, which counts only from a trusted one. */
  readonly isSampledByCaller: boolean;
  /** Of the server span, which the tracer names when the request is sampled. */
  spanId: string;
  readonly trips: RoundTrips;
  userId: string | null;
  orderId: string | null;
  errorCode: ErrorCode | null;
  cause: Loggable | null;
  limiter: 'off' | 'allowed' | 'limited' | 'unreachable' | null;
  /** Null where a reply is never cached. */
  cache: 'hit' | 'miss' | null;
  replayed: boolean;
}

/** A later version may say more behind the flags, and is read as far as it is known (W3C Trace Context, 3.2.4). */
const TRACEPARENT =
  /^(?:00(?=.{53}$)|(?!00|ff)[0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;

/** The one flag that is read. */
const SAMPLED = 1;

function randomHex(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Joins the caller's trace when `traceparent` is well-formed (W3C Trace Context), else starts one. */
export function startRecord(requestId: string, traceparent: string | undefined): RequestRecord {
  const parent = TRACEPARENT.exec(traceparent ?? '');
  return {
    requestId,
    traceId: parent?.[1] ?? randomHex(16),
    parentSpanId: parent?.[2] ?? null,
    isSampledByCaller: (Number.parseInt(parent?.[3] ?? '0', 16) & SAMPLED) === SAMPLED,
    spanId: randomHex(8),
    trips: { db: 0, redis: 0, provider: 0 },
    userId: null,
    orderId: null,
    errorCode: null,
    cause: null,
    limiter: null,
    cache: null,
    replayed: false,
  };
}
