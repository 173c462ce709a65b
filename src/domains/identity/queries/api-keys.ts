import { sql, type Sql } from '../../../platform/db/sql.ts';

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
