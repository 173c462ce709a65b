import { createMiddleware } from 'hono/factory';
import type { MiddlewareHandler, Next } from 'hono';
import { AppError } from '../errors.ts';
import { askRedis } from '../cache/pipeline.ts';
import { guarded } from '../db/guarded.ts';
import type { Sql } from '../db/sql.ts';
import type { Deps } from '../deps.ts';
import type { Actor } from '../auth/actor.ts';
import { readCredential, unknownKey, type Credential } from '../auth/credential.ts';
import { revocationKey } from '../auth/revocation.ts';
import { clientAddress } from './address.ts';
import { assertAuthorized } from './authorize.ts';
import { isStaffChange, requireIfMatch } from './etag.ts';
import { replyKeys, throughCache } from './cached-reply.ts';
import { applyLimits, countLocally, isUsedUp, limitsOf } from './limits.ts';
import { operationAhead, type Operation } from './operation.ts';
import type { AppContext, AppEnv } from './context.ts';

export type KeyActor = Extract<Actor, { kind: 'key' }>;

/** What the domain that owns sessions, roles and API keys answers. */
export interface Gatekeeper {
  /** Under which its record may lie in Redis. */
  keyCacheKey(digest: string): string;
  /** The key behind a digest, by its record in Redis if there is one; null when there is no such live key. */
  findKey(deps: Deps, digest: string, cached: string | null): Promise<KeyActor | null>;
  /** Statements that abort a batch unless session or key live on and hold `permission` at this moment. */
  guards(actor: Actor, permission: string | undefined): Sql[];
}

/** By the credential alone; of an API key nothing is known yet but its digest. */
function claimedActor(c: AppContext, credential: Credential): Actor {
  const { config } = c.get('deps');
  switch (credential.kind) {
    case 'none':
      return { kind: 'guest', address: clientAddress(c, config) };
    case 'key':
      return { kind: 'key', keyId: credential.digest, accountId: '', permissions: [] };
    case 'session': {
      const { sub: accountId, sid: sessionId, kind, scope = '', mfa = false } = credential.claims;
      return kind === 'customer'
        ? { kind, accountId, sessionId }
        : { kind, accountId, sessionId, permissions: scope.split(' '), mfa };
    }
  }
}

const UNKNOWN_KEYS_MAX = { name: 'unknown_key', requestsMax: 20, windowS: 60 };

/**
 * Made-up keys cost a look at the database each, so an address may show only some of them; after that no key of that
 * address is looked up any more, and one that Redis does not know yet has to wait with them.
 */
async function keyActor(c: AppContext, gate: Gatekeeper, digest: string, cached: string | null): Promise<KeyActor> {
  const deps = c.get('deps');
  const limit = { ...UNKNOWN_KEYS_MAX, subject: clientAddress(c, deps.config) };
  const nowMs = deps.clock.now().getTime();
  const isLookedUp = cached !== null || !isUsedUp(limit, nowMs);
  const found = isLookedUp ? await gate.findKey(deps, digest, cached) : null;
  if (found) return found;
  applyLimits(
    c,
    countLocally([limit], nowMs).filter(({ allowed }) => !allowed),
  );
  throw unknownKey();
}

const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Reads go on without Redis, but for those with a limit of their own; writes are held to this isolate's own count. */
function withoutRedis(c: AppContext, limits: ReturnType<typeof limitsOf>, { limit }: Operation): void {
  const { metrics, clock } = c.get('deps');
  metrics.count('ecommerce_rate_limiter_unreachable_total', []);
  c.get('record').limiter = 'unreachable';
  if (READS.has(c.req.method) && limit === undefined) return;
  applyLimits(
    c,
    countLocally(limits, clock.now().getTime()).filter(({ allowed }) => !allowed),
  );
}

interface Asked {
  /** The record under the credential's own key: a revocation, or an API key. */
  ofCredential: string | null;
  /** What was found of a reply that may be cached, and under which key it lies. */
  reply: { key: string; found: readonly (string | null)[] } | null;
}

/** The one round trip to Redis: limits, revocation or API key, cached reply. */
async function ask(c: AppContext, gate: Gatekeeper, credential: Credential, operation: Operation): Promise<Asked> {
  const { config, redis, trips } = c.get('deps');
  const limits = operation.delivered ? [] : limitsOf(config, c.get('actor'), operation.limit);
  if (limits.length === 0) c.get('record').limiter = 'off';
  const ownKeys = {
    none: () => [],
    session: () => (credential.kind === 'session' ? [revocationKey(credential.claims.sid)] : []),
    key: () => (credential.kind === 'key' ? [gate.keyCacheKey(credential.digest)] : []),
  }[credential.kind]();
  const reply = await replyKeys(c, operation.cache);
  const answer = await askRedis(redis, { limits, keys: [...ownKeys, ...reply] }, trips);
  if (!answer) withoutRedis(c, limits, operation);
  else applyLimits(c, answer.limits);
  const key = reply[1];
  return {
    ofCredential: (ownKeys.length > 0 && answer?.values[0]) || null,
    reply: answer && key !== undefined ? { key, found: answer.values.slice(ownKeys.length) } : null,
  };
}

/** Redis may be away, or have lost what it knew: session, key and role are also looked at in the batch that is sent. */
function guard(c: AppContext, gate: Gatekeeper, { permission }: Operation): void {
  const actor = c.get('actor');
  if (actor.kind === 'guest') return;
  const deps = c.get('deps');
  c.set('deps', { ...deps, db: guarded(deps.db, gate.guards(actor, permission)) });
}

/** Counted by this isolate: who is refused as often as others may ask is not heard any more until the window ends. */
async function countRefused(c: AppContext, next: Next): Promise<void> {
  const { config, clock } = c.get('deps');
  const limits = limitsOf(config, c.get('actor'), undefined);
  const nowMs = clock.now().getTime();
  if (limits.some((limit) => isUsedUp(limit, nowMs))) applyLimits(c, countLocally(limits, nowMs));
  await next();
  // A 409 or 503 asks to deliver again.
  if ([401, 404, 422].includes(c.res.status)) countLocally(limits, nowMs);
}

const admitting = new WeakSet<object>();

/** Whether a middleware is the one that createAdmit() made. */
export function isAdmit(middleware: unknown): boolean {
  return typeof middleware === 'function' && admitting.has(middleware);
}

/**
 * Lets a request in: who it is (no I/O), what Redis says of it (one round trip), whether the route is theirs to call.
 * Everything is refused here before a body is read or the database is asked.
 */
export function createAdmit(gate: Gatekeeper): MiddlewareHandler<AppEnv> {
  const admit = createMiddleware<AppEnv>(async (c, next) => {
    const { config, clock } = c.get('deps');
    const operation = operationAhead(c);
    const header = operation.credentials === 'in_body' ? undefined : c.req.header('authorization');
    const credential = await readCredential(config, clock, header);
    c.set('actor', claimedActor(c, credential));
    const { ofCredential, reply } = await ask(c, gate, credential, operation);
    if (credential.kind === 'session' && ofCredential !== null) {
      throw new AppError('unauthenticated', 'The session has ended.', { param: 'Authorization' });
    }
    if (credential.kind === 'key') c.set('actor', await keyActor(c, gate, credential.digest, ofCredential));
    const actor = c.get('actor');
    if (actor.kind !== 'guest') c.get('record').userId = actor.accountId;
    assertAuthorized(config, actor, operation);
    if (isStaffChange(c.req.method, operation)) requireIfMatch(c);
    guard(c, gate, operation);
    if (operation.delivered) return await countRefused(c, next);
    if (!reply) return await next();
    return await throughCache(c, reply.key, reply.found, next);
  });
  admitting.add(admit);
  return admit;
}
