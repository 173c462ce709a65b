import type { MiddlewareHandler } from 'hono';
import { createMiddleware } from 'hono/factory';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { secureHeaders } from 'hono/secure-headers';
import { AppError } from '../errors.ts';
import type { AppContext, AppEnv } from './context.ts';
import { operationAhead } from './operation.ts';

/** Enough for a cart of a hundred lines with addresses. */
const BODY_BYTES_MAX = 64 * 1024;

/** Stripe tells a dispute with all its evidence: up to 150,000 characters, escaped. */
const DELIVERED_BYTES_MAX = 1024 * 1024;

/** Bytes of a refused body that are still taken off the wire. */
const DRAINED_BYTES_MAX = 1024 * 1024;

/** A reply sent while the client still sends may be lost with the connection (RFC 9112, 9.6), so the rest is read first. */
async function drain(body: ReadableStream<Uint8Array> | null): Promise<void> {
  if (body === null || body.locked) return;
  const reader = body.getReader();
  let left = DRAINED_BYTES_MAX;
  while (left > 0) {
    const { done, value } = await reader.read();
    if (done) return;
    left -= value.byteLength;
  }
  await reader.cancel();
}

const limitTo = (maxSize: number): MiddlewareHandler<AppEnv> =>
  bodyLimit({
    maxSize,
    onError: async (c) => {
      await drain(c.req.raw.body);
      throw new AppError('payload_too_large', `The body may hold ${maxSize} bytes.`, { param: 'body' });
    },
  });
const limitSent = limitTo(BODY_BYTES_MAX);
const limitDelivered = limitTo(DELIVERED_BYTES_MAX);

/** 413 for more than the route takes. */
export const limitBody: MiddlewareHandler<AppEnv> = (c, next) =>
  (operationAhead(c).delivered ? limitDelivered : limitSent)(c, next);

export const securityHeaders = secureHeaders({
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  crossOriginResourcePolicy: 'cross-origin',
  xFrameOptions: 'DENY',
  // Two years (RFC 6797); browsers heed it only over TLS, so a laptop is not locked out.
  strictTransportSecurity: 'max-age=63072000; includeSubDomains',
});

/** Beyond what a browser or a proxy sends; workerd itself takes far more. */
const HEADER_BYTES_MAX = 8 * 1024;
const HEADERS_BYTES_MAX = 32 * 1024;

/** 431 (RFC 6585, 5), naming the header that is too long. */
export const limitHeaders = createMiddleware<AppEnv>(async (c, next) => {
  let total = 0;
  c.req.raw.headers.forEach((value, name) => {
    total += name.length + value.length;
    if (value.length <= HEADER_BYTES_MAX) return;
    throw new AppError('headers_too_large', `A header may hold ${HEADER_BYTES_MAX} bytes.`, { param: name });
  });
  if (total > HEADERS_BYTES_MAX) {
    throw new AppError('headers_too_large', `The headers may hold ${HEADERS_BYTES_MAX} bytes together.`);
  }
  await next();
});

/** Exact origins only; none listed means no cross-origin browser may read a reply. */
export const corsByConfig = createMiddleware<AppEnv>((c, next) => {
  const { ALLOWED_ORIGINS, CREDENTIAL_ORIGINS } = c.get('deps').config;
  return cors({
    origin: (origin) => ([...ALLOWED_ORIGINS, ...CREDENTIAL_ORIGINS].includes(origin) ? origin : null),
    credentials: CREDENTIAL_ORIGINS.includes(c.req.header('origin') ?? ''),
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: [
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'If-Match',
      'If-None-Match',
      'X-Order-Token',
      'X-Login-Verifier',
    ],
    exposeHeaders: [
      'ETag',
      'Idempotent-Replayed',
      'X-Request-Id',
      'traceparent',
      'RateLimit-Limit',
      'RateLimit-Remaining',
      'RateLimit-Reset',
      'RateLimit-Policy',
      'Retry-After',
      'WWW-Authenticate',
    ],
    maxAge: 86_400,
  })(c, next);
});

/** Replies depend on who asks; the buyer's own client may keep what it read, to revalidate it, and nothing else. */
export const keepPrivate = createMiddleware<AppEnv>(async (c, next) => {
  await next();
  if (c.res.headers.has('cache-control')) return;
  if (c.req.method !== 'GET' && c.req.method !== 'HEAD') return c.header('Cache-Control', 'no-store');
  c.header('Cache-Control', 'private, no-cache');
  c.header('Vary', 'Authorization, X-Order-Token', { append: true });
});

/** The signed-in customer's id. */
export function requireCustomer(c: AppContext): string {
  const actor = c.get('actor');
  if (actor.kind === 'guest') throw new AppError('unauthenticated', 'Sign in first.', { param: 'Authorization' });
  if (actor.kind !== 'customer') throw new AppError('forbidden', 'This is for customers.', { param: 'Authorization' });
  return actor.accountId;
}
