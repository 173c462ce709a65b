import { sql, type Sql } from '../../platform/db/sql.ts';

export interface AccountRow {
  id: string;
  kind: 'customer' | 'staff';
  email: string;
  password_hash: string;
}

export function activeAccountByEmail(email: string): Sql<AccountRow> {
  return sql<AccountRow>`
    select id, kind, email, password_hash from accounts
    where lower(email) = lower(${email}) and status = 'active'`;
}

export function insertAccount(account: AccountRow): Sql {
  return sql`
    with inserted as (
      insert into accounts (id, kind, email, password_hash)
      values (${account.id}::uuid, ${account.kind}, ${account.email}, ${account.password_hash})
      on conflict (lower(email)) do nothing
      returning 1
    )
    select require(exists (select from inserted), 'email_taken',
      '{"param": "email", "message": "An account with this e-mail address exists."}')`;
}

export function insertSession(id: string, accountId: string, ttlS: number): Sql {
  return sql`
    insert into sessions (id, account_id, expires_at)
    values (${id}::uuid, ${accountId}::uuid, now() + make_interval(secs => ${ttlS}::int))`;
}

export interface SessionRow {
  account_id: string;
  kind: 'customer' | 'staff';
  generation: number;
}

/** Spends one generation; no row means the token was spent, revoked or has expired. */
export function rotateSession(id: string, generation: number, ttlS: number): Sql<SessionRow> {
  return sql<SessionRow>`
    update sessions s
    set generation = s.generation + 1, expires_at = now() + make_interval(secs => ${ttlS}::int)
    from accounts a
    where s.id = ${id}::uuid and s.generation = ${generation}::int and s.revoked_at is null and s.expires_at > now()
      and a.id = s.account_id and a.status = 'active'
    returning s.account_id, a.kind, s.generation`;
}

/**
 * A spent generation that comes back was stolen or copied: nobody holding this session may go on. It runs before the
 * rotation, which would otherwise look like a reuse of itself.
 */
export function revokeReusedSession(id: string, generation: number): Sql {
  return sql`
    update sessions set revoked_at = now()
    where id = ${id}::uuid and generation > ${generation}::int and revoked_at is null`;
}

export function revokeSession(id: string, accountId: string): Sql {
  return sql`
    update sessions set revoked_at = now()
    where id = ${id}::uuid and account_id = ${accountId}::uuid and revoked_at is null`;
}

export const removeExpiredSessions: Sql = sql`
  delete from sessions where id in (select id from sessions where expires_at < now() limit 1000 for update skip locked)`;
