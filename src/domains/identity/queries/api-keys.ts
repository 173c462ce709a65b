import { nothing, sql, type Sql } from '../../../platform/db/sql.ts';

export interface LiveKeyRow {
  id: string;
  account_id: string;
  permissions: string[];
}

export function liveKeyByDigest(digest: string): Sql<LiveKeyRow> {
  return sql<LiveKeyRow>`
    select k.id, k.account_id, k.permissions
    from api_keys k join accounts a on a.id = k.account_id and a.status = 'active'
    where k.digest = ${digest} and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())`;
}

export function noteKeyUse(id: string): Sql {
  return sql`update api_keys set last_used_at = now() where id = ${id}::uuid`;
}

export interface ApiKeyRow {
  id: string;
  version: number;
  /** Who made it. */
  account_id: string;
  name: string;
  hint: string;
  permissions: string[];
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
}

/** With the digest, which names the record in Redis and leaves the Worker in no reply. */
export interface StoredKeyRow extends ApiKeyRow {
  digest: string;
}

const columns = sql`
  k.id, k.version, k.account_id, k.name, k.hint, k.permissions, k.created_at, k.expires_at, k.last_used_at, k.revoked_at`;

export function keyById(id: string): Sql<StoredKeyRow> {
  return sql<StoredKeyRow>`select ${columns}, k.digest from api_keys k where k.id = ${id}::uuid`;
}

/** Newest first; one row more than the page. */
export function keyPage(beforeId: string | null, limit: number): Sql<ApiKeyRow> {
  return sql<ApiKeyRow>`
    select ${columns} from api_keys k
    ${beforeId === null ? nothing : sql`where k.id < ${beforeId}::uuid`}
    order by k.id desc limit ${limit + 1}::int`;
}

export function lockedKey(id: string): Sql<{ version: number }> {
  return sql`select version from api_keys where id = ${id}::uuid for update`;
}

export interface NewKeyRow {
  id: string;
  accountId: string;
  name: string;
  digest: string;
  hint: string;
  permissions: readonly string[];
  expiresAt: string | null;
}

export function insertKey({ id, accountId, name, digest, hint, permissions, expiresAt }: NewKeyRow): Sql {
  return sql`
    insert into api_keys (id, account_id, name, digest, hint, permissions, expires_at)
    values (${id}::uuid, ${accountId}::uuid, ${name}, ${digest}, ${hint}, ${permissions}::text[],
      ${expiresAt}::timestamptz)`;
}

/** Twice is as once. */
export function revokeKey(id: string): Sql {
  return sql`
    update api_keys set revoked_at = coalesce(revoked_at, now()), version = version + 1 where id = ${id}::uuid`;
}
