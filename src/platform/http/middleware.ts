import { createMiddleware } from 'hono/factory';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { secureHeaders } from 'hono/secure-headers';
import { AppError } from '../errors.ts';
import { readToken } from '../auth/token.ts';
import type { Actor } from '../auth/actor.ts';
import type { Config } from '../config.ts';
import type { AppContext, AppEnv } from './context.ts';

/** Enough for a cart of a hundred lines with addresses. */
const BODY_BYTES_MAX = 64 * 1024;

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

export const limitBody = bodyLimit({
  maxSize: BODY_BYTES_MAX,
  onError: async (c) => {
    await drain(c.req.raw.body);
    throw new AppError('payload_too_large', `The body may hold ${BODY_BYTES_MAX} bytes.`, { param: 'body' });
  },
});

export const securityHeaders = secureHeaders({
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  crossOriginResourcePolicy: 'cross-origin',
  xFrameOptions: 'DENY',
});

/** Exact origins only; none listed means no cross-origin browser may read a reply. */
export const corsByConfig = createMiddleware<AppEnv>((c, next) => {
  const { ALLOWED_ORIGINS } = c.get('deps').config;
  return cors({
    origin: (origin) => (ALLOWED_ORIGINS.includes(origin) ? origin : null),
    allowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'If-None-Match', 'X-Order-Token'],
    exposeHeaders: ['ETag', 'X-Request-Id', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset', 'Retry-After'],
    maxAge: 86_400,
  })(c, next);
});

/** Replies depend on who asks; the buyer's own client may keep one only to revalidate it. */
export const keepPrivate = createMiddleware<AppEnv>(async (c, next) => {
  await next();
  if (c.res.headers.has('cache-control')) return;
  c.header('Cache-Control', 'private, no-cache');
  c.header('Vary', 'Authorization, X-Order-Token', { append: true });
});

const ADDRESS = /^[0-9a-f.:]{2,45}$/i;

/** The address that the trusted proxy in front of us saw; headers a client could set itself are never read. */
function clientAddress(c: AppContext, config: Config): string {
  const address = c.req.header(config.TRUSTED_IP_HEADER) ?? '';
  return ADDRESS.test(address) ? address : 'unknown';
}

/** Identity comes from the token alone: no I/O. A bad token is refused, never taken for a guest. */
export const identify = createMiddleware<AppEnv>(async (c, next) => {
  const { config, clock } = c.get('deps');
  const authorization = c.req.header('authorization');
  if (authorization === undefined) {
    c.set('actor', { kind: 'guest', address: clientAddress(c, config) });
    return await next();
  }
  const token = /^Bearer ([\w.~+/=-]{1,4096})$/i.exec(authorization)?.[1];
  if (token === undefined) {
    throw new AppError('unauthenticated', 'Send Authorization: Bearer <token>.', { param: 'Authorization' });
  }
  const claims = await readToken(config, clock, token, 'access');
  const actor: Actor = { kind: claims.kind, accountId: claims.sub, sessionId: claims.sid };
  c.set('actor', actor);
  c.get('record').userId = claims.sub;
  return await next();
});

/** The signed-in customer's id. */
export function requireCustomer(c: AppContext): string {
  const actor = c.get('actor');
  if (actor.kind === 'guest') throw new AppError('unauthenticated', 'Sign in first.', { param: 'Authorization' });
  if (actor.kind === 'staff') throw new AppError('forbidden', 'This is for customers.', { param: 'Authorization' });
  return actor.accountId;
}
