import * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { requireVersion } from '../../platform/db/version.ts';
import { AppError, notFound } from '../../platform/errors.ts';
import { digestOf } from '../../platform/auth/credential.ts';
import { describeCause } from '../../platform/http/problem.ts';
import { claimStatements } from '../../platform/http/idempotency.ts';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import type { Change } from '../../platform/http/change.ts';
import { auditEntry, type AuditEntry } from '../audit/index.ts';
import { keyCacheKey } from './gatekeeper.ts';
import { accessLocked, requireHeld, type StaffActor } from './queries/access.ts';
import { insertKey, keyById, keyPage, lockedKey, revokeKey, type StoredKeyRow } from './queries/api-keys.ts';
import type { AccessQuery, ApiKey, NewApiKey, ShownApiKey } from './admin-schema.ts';

const HINT_CHARS = 7;
const Cursor = z.tuple([z.uuid()]);

/** One round trip; keys of all staff, revoked and expired ones too. */
export async function listApiKeys(deps: Deps, { limit, cursor }: z.output<typeof AccessQuery>) {
  const [rows] = await deps.db.read(keyPage(decodeCursor(cursor, Cursor)?.[0] ?? null, limit));
  return pageOf(rows, limit, { item: (row) => row, key: ({ id }) => [id] });
}

function toApiKey({ digest: _digest, ...key }: StoredKeyRow): ApiKey {
  return key;
}

/** One round trip. */
export async function getApiKey(deps: Deps, id: string): Promise<ApiKey> {
  const [[row]] = await deps.db.read(keyById(id));
  if (!row) throw notFound('API key');
  return toApiKey(row);
}

function audited(deps: Deps, actor: StaffActor, on: Change, entry: Pick<AuditEntry, 'action' | 'details'>): Sql {
  return auditEntry({
    ...entry,
    id: deps.ids.uuid(),
    actor,
    resource: { type: 'api_key', id: on.id },
    requestId: on.requestId,
  });
}

function assertAhead(deps: Deps, expiresAt: string | null): void {
  if (expiresAt === null || Date.parse(expiresAt) > deps.clock.now().getTime()) return;
  throw new AppError('validation_failed', 'expires_at: must be in the future.', { param: 'expires_at' });
}

/** One batch. The key leaves with this reply and is kept nowhere; a key holds no more than who makes it. */
export async function createApiKey(
  deps: Deps,
  actor: StaffActor,
  on: Change,
  { name, permissions: asked, expires_at: expiresAt = null }: NewApiKey,
): Promise<ShownApiKey> {
  assertAhead(deps, expiresAt);
  const permissions = [...new Set(asked)].sort();
  const key = `sk_${deps.ids.secret()}`;
  const made = {
    id: on.id,
    accountId: actor.accountId,
    name,
    permissions,
    expiresAt,
    digest: await digestOf(key),
    hint: key.slice(0, HINT_CHARS),
  };
  const row = await deps.db.commit(
    [
      ...accessLocked(actor, 'api_keys:write'),
      requireHeld(actor, permissions, 'permissions'),
      insertKey(made),
      audited(deps, actor, on, { action: 'api_keys.create', details: { permissions } }),
    ],
    keyById(on.id),
    { resend: false },
  );
  if (!row) throw new Error('no API key was made');
  return { ...toApiKey(row), key };
}

/** One batch; without Redis, whose record of the key would go on for a minute, its batches are refused all the same. */
export async function revokeApiKey(deps: Deps, actor: StaffActor, on: Change): Promise<void> {
  const row = await deps.db.commit(
    [
      ...claimStatements(on.claim, on.id),
      ...accessLocked(actor, 'api_keys:write'),
      requireVersion(lockedKey(on.id), on.versions, 'API key'),
      revokeKey(on.id),
      audited(deps, actor, on, { action: 'api_keys.revoke' }),
    ],
    keyById(on.id),
    { resend: on.claim !== null },
  );
  if (row) await forgetRecord(deps, row.digest);
}

/** For a repeat whose first reply was lost. */
export async function forgetKey(deps: Deps, id: string): Promise<void> {
  const [[row]] = await deps.db.read(keyById(id));
  if (!row) throw notFound('API key');
  await forgetRecord(deps, row.digest);
}

async function forgetRecord({ redis, trips, log }: Deps, digest: string): Promise<void> {
  trips.redis += 1;
  try {
    await redis.del(keyCacheKey(digest));
  } catch (error) {
    log.log('warn', 'API key not forgotten', { cause: describeCause(error) });
  }
}
