import { AppError } from '../errors.ts';
import { sql, type Sql } from '../db/sql.ts';
import { IdempotencyConflict } from '../db/errors.ts';
import { subjectOf } from '../auth/actor.ts';
import { base64url } from '../id.ts';
import { replySeal, type ReplySeal } from './reply-seal.ts';
import type { AppContext } from './context.ts';

/** One attempt at one (scope, key). `attempt` is the fence: made once per request, the same in every resend. */
export interface Claim {
  scope: string;
  key: string;
  requestHash: string;
  attempt: string;
  /** Of this very request: a repeat of it opens the stored reply, nothing else does. */
  seal: ReplySeal;
}

export interface KeyRow {
  request_hash: string;
  attempt: string;
  resource_id: string | null;
  status: number | null;
  /** Sealed, since a reply holds names, addresses and e-mails. */
  body: string | null;
  etag: string | null;
}

const KEY = /^[\x21-\x7e]{1,255}$/;

async function sha256(data: BufferSource): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', data)));
}

/** Two guests may both think of a shorter key. */
export const GUEST_KEY_LENGTH_MIN = 16;

/**
 * The claim of a request that carries an Idempotency-Key, else null. The scope is the actor with method and path. A guest's
 * address changes between two networks, so a guest is known by what nobody else has: the capability in the path, another
 * `capability`, or where there is none (null) the key itself; a short one is told apart from others by address and body.
 */
export async function claimOf(c: AppContext, capability: string | null = ''): Promise<Claim | null> {
  const key = c.req.header('idempotency-key');
  if (key === undefined) return null;
  if (!KEY.test(key)) {
    throw new AppError('malformed_request', 'Idempotency-Key holds 1 to 255 visible ASCII characters.', {
      param: 'Idempotency-Key',
    });
  }
  const actor = c.get('actor');
  const bytes = await c.req.arrayBuffer();
  const requestHash = await sha256(bytes);
  const isOwn = capability !== null || key.length >= GUEST_KEY_LENGTH_MIN;
  const guest = isOwn ? `guest ${capability ?? ''}` : `${subjectOf(actor)} ${requestHash}`;
  const who = [actor.kind === 'guest' ? guest : subjectOf(actor), c.req.method, c.req.path, ''].join(' ');
  const scope = await sha256(new TextEncoder().encode(who));
  const { config, ids } = c.get('deps');
  return {
    scope,
    key,
    requestHash,
    attempt: ids.uuid(),
    seal: replySeal(config.ORDER_TOKEN_SECRET, bytes, `${scope} ${key}`),
  };
}

/**
 * The head of a one-batch verb. The advisory lock refuses a twin that still runs (a plain INSERT would block until it
 * commits, and the 409 could never be seen); a key already there aborts the batch and the stored reply is read.
 */
export function claimStatements(claim: Claim | null, resourceId: string): Sql[] {
  if (!claim) return [];
  const { scope, key, requestHash, attempt } = claim;
  return [
    lockKey(claim),
    sql`
      with claimed as (
        insert into idempotency_keys (scope, key, request_hash, state, attempt, lease_until, resource_id)
        values (${scope}, ${key}, ${requestHash}, 'done', ${attempt}::uuid, now(), ${resourceId})
        on conflict (scope, key) do nothing
        returning 1
      )
      select require(exists (select from claimed), 'idempotency_conflict')`,
  ];
}

function lockKey({ scope, key }: Claim): Sql {
  return sql`
    select require(pg_try_advisory_xact_lock(hashtextextended(${scope}::text || ${key}::text, 0)), 'idempotency_in_flight')`;
}

/** For a batch that must not run when the key was used, and does not claim it yet. */
export function requireUnusedKey({ scope, key }: Claim): Sql {
  return sql`
    select require(not exists (select from idempotency_keys where scope = ${scope} and key = ${key}),
      'idempotency_conflict')`;
}

export function keyRow({ scope, key }: Claim): Sql<KeyRow> {
  return sql<KeyRow>`
    select request_hash, attempt, resource_id, status, body, etag
    from idempotency_keys where scope = ${scope} and key = ${key}`;
}

/**
 * Whoever is first to answer stores it, and every later replay says the same: the attempt that made the outcome, or, since
 * that may be gone or have learned nothing, one that found it done. The lease ends then: the key is kept a day from here.
 */
function storeReply({ scope, key, attempt }: Claim, status: number, sealed: string, etag: string | null): Sql {
  return sql`
    update idempotency_keys set status = ${status}::int, body = ${sealed}, etag = ${etag}, state = 'done',
      lease_until = now()
    where scope = ${scope} and key = ${key} and body is null and (attempt = ${attempt}::uuid or state = 'done')`;
}

export interface StoredReply {
  status: number;
  body: string;
  etag: string | null;
}

/** The reply of the first call; null while it is not stored, or when the secret that sealed it is not ours any more. */
export async function storedReply(row: KeyRow, { seal }: Claim): Promise<StoredReply | null> {
  if (row.status === null || row.body === null) return null;
  const body = await seal.open(row.body);
  return body === null ? null : { status: row.status, body, etag: row.etag };
}

/** Byte-equal to the first reply, and with its ETag. */
export function replayResponse(c: AppContext, { status, body, etag }: StoredReply): Response {
  c.get('record').replayed = true;
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  return new Response(status === 204 ? null : body, {
    status,
    headers: {
      ...(status !== 204 && { 'content-type': type }),
      ...(etag !== null && { etag }),
      'idempotent-replayed': 'true',
    },
  });
}

export function assertSameRequest(row: KeyRow, claim: Claim): void {
  if (row.request_hash === claim.requestHash) return;
  throw new AppError('idempotency_key_reused', 'This key was used with another request body.', {
    param: 'Idempotency-Key',
  });
}

/** Stores the reply after it is sent; until then a replay answers the resource as it is now. */
export function storeLater(c: AppContext, claim: Claim | null, response: Response): Response {
  const isFinal = response.ok || response.status === 402;
  if (!claim || !isFinal) return response;
  const { db, defer } = c.get('deps');
  const [copy, etag] = [response.clone(), response.headers.get('etag')];
  defer(async () => {
    const sealed = await claim.seal.close(await copy.text());
    await db.writeResent(storeReply(claim, response.status, sealed, etag));
  });
  return response;
}

/**
 * Runs a one-batch verb under its claim; a key used before replays what it answered. A guest's key below
 * `guestKeyLengthMin` is not taken for theirs and the verb just runs.
 */
export async function once(
  c: AppContext,
  run: (claim: Claim | null) => Promise<Response>,
  current: (resourceId: string) => Promise<Response>,
  { guestKeyLengthMin = 1 }: { guestKeyLengthMin?: number } = {},
): Promise<Response> {
  const actor = c.get('actor');
  // Nothing in such a path is a guest's own, and a key may be weak: strangers must not share what it makes.
  const made = await claimOf(c, guestKeyLengthMin > 1 ? subjectOf(actor) : '');
  const isGuest = actor.kind === 'guest';
  const claim = made && isGuest && made.key.length < guestKeyLengthMin ? null : made;
  try {
    return storeLater(c, claim, await run(claim));
  } catch (error) {
    if (!(error instanceof IdempotencyConflict) || !claim) throw error;
    const [[row]] = await c.get('deps').db.read(keyRow(claim));
    if (!row) throw error;
    assertSameRequest(row, claim);
    const stored = await storedReply(row, claim);
    if (stored) return replayResponse(c, stored);
    if (row.resource_id === null) throw error;
    return storeLater(c, claim, await current(row.resource_id));
  }
}

/**
 * Keys live 24 hours from their reply. One whose outcome nobody was told stays for a retry: what it asks for may still be
 * open, and would be done again. Only after 90 days is it forgotten; while an order is in flight, never.
 */
export function removeDoneKeys(limit: number): Sql {
  return sql`
    delete from idempotency_keys where (scope, key) in (
      select scope, key from idempotency_keys
      where state = 'done' and created_at < now() - interval '24 hours'
        and (lease_until < now() - interval '24 hours' and body is not null or created_at < now() - interval '90 days')
      limit ${limit}::int for update skip locked)`;
}
