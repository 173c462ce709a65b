import { sql, type Sql } from '../../../platform/db/sql.ts';
import type { Actor } from '../../../platform/auth/actor.ts';

const ENDED = '{"param": "Authorization", "message": "The session has ended."}';
const KEY_ENDED = '{"param": "Authorization", "message": "The API key is unknown, expired or revoked."}';
const NOT_PERMITTED = '{"param": "Authorization", "message": "Your role does not permit this."}';

/** Whether one of the account's roles holds the permission at this moment. */
function holds(accountId: string, permission: string): Sql {
  return sql`exists (
    select from account_roles ar join roles r on r.id = ar.role_id
    where ar.account_id = ${accountId}::uuid and r.permissions && array['*', ${permission}])`;
}

function liveSession({ sessionId, accountId }: { sessionId: string; accountId: string }): Sql {
  return sql`
    select require(exists (
      select from sessions s join accounts a on a.id = s.account_id and a.status = 'active'
      where s.id = ${sessionId}::uuid and s.account_id = ${accountId}::uuid and s.revoked_at is null), 'unauthenticated',
      ${ENDED}::jsonb)`;
}

/** The permissions of a key and of whoever made it: a key outlives neither its maker nor their rights. */
function liveKey(keyId: string, permission: string | undefined): Sql[] {
  const live = sql`
    select require(exists (
      select from api_keys k join accounts a on a.id = k.account_id and a.status = 'active'
      where k.id = ${keyId}::uuid and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())),
      'unauthenticated', ${KEY_ENDED}::jsonb)`;
  if (permission === undefined) return [live];
  const scoped = sql`
    select require(${permission} = any(k.permissions) and exists (
      select from account_roles ar join roles r on r.id = ar.role_id
      where ar.account_id = k.account_id and r.permissions && array['*', ${permission}]), 'forbidden',
      ${NOT_PERMITTED}::jsonb)
    from api_keys k where k.id = ${keyId}::uuid`;
  return [live, scoped];
}

/** Stand before the statements of a batch: what a token or a cache says of an actor may be minutes old, this is not. */
export function accessGuards(actor: Actor, permission: string | undefined): Sql[] {
  switch (actor.kind) {
    case 'guest':
      return [];
    case 'customer':
      return [liveSession(actor)];
    case 'key':
      return liveKey(actor.keyId, permission);
    case 'staff':
      if (permission === undefined) return [liveSession(actor)];
      return [
        liveSession(actor),
        sql`select require(${holds(actor.accountId, permission)}, 'forbidden', ${NOT_PERMITTED}::jsonb)`,
      ];
  }
}
