import { sql, type Sql } from '../../../platform/db/sql.ts';
import { heldPermissions } from './accounts.ts';

/** A session as tokens are made from it. */
export interface SessionRow {
  id: string;
  account_id: string;
  kind: 'customer' | 'staff';
  generation: number;
  rotated_at: string;
  expires_at: string;
  mfa: boolean;
  permissions: string[];
}

export interface NewSessionRow {
  id: string;
  accountId: string;
  ttlS: number;
  mfa: boolean;
}

/** Answers the row that was made, so that its tokens carry the database's times. */
export function insertSession({ id, accountId, ttlS, mfa }: NewSessionRow): Sql<SessionRow> {
  return sql<SessionRow>`
    with s as (
      insert into sessions (id, account_id, expires_at, mfa)
      values (${id}::uuid, ${accountId}::uuid, now() + make_interval(secs => ${ttlS}::int), ${mfa}::boolean)
      returning id, account_id, generation, rotated_at, expires_at, mfa
    ), seen as (
      update accounts set last_login_at = now() where id = ${accountId}::uuid
    )
    select s.id, s.account_id, a.kind, s.generation, s.rotated_at, s.expires_at, s.mfa, ${heldPermissions} as permissions
    from s join accounts a on a.id = s.account_id`;
}

/** Seconds in which a spent token still answers its successor: two tabs, or a reply that was lost. */
const GRACE_S = 10;

export interface RefreshedRow extends SessionRow {
  outcome: 'rotated' | 'repeated' | 'reused';
}

/**
 * One step of a family, decided on the locked row: the latest generation is spent for the next one; the one before it
 * answers that same next one while it is seconds old; any older one was stolen or copied and ends the family. No row
 * means that the family has ended before.
 */
export function refreshSession(id: string, generation: number, ttlS: number): Sql<RefreshedRow> {
  return sql<RefreshedRow>`
    with held as (
      select s.id, case
        when s.generation = ${generation}::int then 'rotated'
        when s.generation = ${generation}::int + 1 and s.rotated_at > clock_timestamp() - make_interval(secs => ${GRACE_S}::int)
          then 'repeated'
        else 'reused' end as outcome
      from sessions s join accounts a on a.id = s.account_id and a.status = 'active'
      where s.id = ${id}::uuid and s.generation >= ${generation}::int and s.revoked_at is null and s.expires_at > now()
      for update of s
    ), s as (
      update sessions s set
        generation = s.generation + (held.outcome = 'rotated')::int,
        rotated_at = case held.outcome when 'rotated' then clock_timestamp() else s.rotated_at end,
        expires_at = case held.outcome when 'rotated' then now() + make_interval(secs => ${ttlS}::int) else s.expires_at end,
        revoked_at = case held.outcome when 'reused' then now() end,
        reused_at = case held.outcome when 'reused' then now() end
      from held where s.id = held.id
      returning s.id, s.account_id, s.generation, s.rotated_at, s.expires_at, s.mfa, held.outcome
    )
    select s.id, s.account_id, a.kind, s.generation, s.rotated_at, s.expires_at, s.mfa, s.outcome,
      ${heldPermissions} as permissions
    from s join accounts a on a.id = s.account_id`;
}

/** Answers the sessions that were live until now. */
export function revokeSession(id: string, accountId: string): Sql<{ id: string }> {
  return sql<{ id: string }>`
    update sessions set revoked_at = now()
    where id = ${id}::uuid and account_id = ${accountId}::uuid and revoked_at is null
    returning id`;
}

/** All sessions of an account, but for the one to keep. */
export function revokeSessionsOf(accountId: string, keptId: string | null = null): Sql<{ id: string }> {
  return sql<{ id: string }>`
    update sessions set revoked_at = now()
    where account_id = ${accountId}::uuid and revoked_at is null and id is distinct from ${keptId}::uuid
    returning id`;
}

export interface LiveSessionRow {
  id: string;
  created_at: string;
  last_used_at: string;
  expires_at: string;
}

const LISTED_MAX = 100;

export function liveSessionsOf(accountId: string): Sql<LiveSessionRow> {
  return sql<LiveSessionRow>`
    select id, created_at, rotated_at as last_used_at, expires_at from sessions
    where account_id = ${accountId}::uuid and revoked_at is null and expires_at > now()
    order by rotated_at desc, id limit ${LISTED_MAX}::int`;
}

/** Answers the person's session also when it had ended before. */
export function endSession(id: string, accountId: string): Sql<{ id: string }> {
  return sql<{ id: string }>`
    update sessions set revoked_at = coalesce(revoked_at, now())
    where id = ${id}::uuid and account_id = ${accountId}::uuid
    returning id`;
}

/** Sessions ended so lately that an access token of theirs may still be about; `sinceS` is how long one can be. */
export function lateRevocations(sinceS: number): Sql<{ id: string }> {
  return sql<{ id: string }>`
    select id from sessions where revoked_at > now() - make_interval(secs => ${sinceS}::int)
    order by revoked_at desc limit 10000`;
}

export const removeExpiredSessions: Sql = sql`
  delete from sessions where id in (select id from sessions where expires_at < now() limit 1000 for update skip locked)`;
