import { requireVersion } from '../../../platform/db/version.ts';
import { sql, type Sql } from '../../../platform/db/sql.ts';

/** What is kept of a person beside the profile: how and when they sign in. No secret and no digest. */
export interface SignInsRow {
  email_verified_at: string | null;
  last_login_at: string | null;
  has_password: boolean;
  has_second_factor: boolean;
  sessions: { created_at: string; refreshed_at: string; expires_at: string; revoked_at: string | null }[];
  providers: { provider: string; subject: string; created_at: string }[];
  mailed: { purpose: string; email: string | null; created_at: string; used_at: string | null }[];
}

/** Times inside JSON are as Postgres writes them, so they are made RFC 3339 here. */
const utc = (column: Sql) => sql`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

export function signInsOf(accountId: string): Sql<SignInsRow> {
  return sql<SignInsRow>`
    select a.email_verified_at, a.last_login_at, a.password_hash is not null as has_password,
      a.totp_confirmed_at is not null as has_second_factor,
      coalesce((
        select jsonb_agg(jsonb_build_object('created_at', ${utc(sql`s.created_at`)},
          'refreshed_at', ${utc(sql`s.rotated_at`)}, 'expires_at', ${utc(sql`s.expires_at`)},
          'revoked_at', ${utc(sql`s.revoked_at`)}) order by s.id)
        from sessions s where s.account_id = a.id), '[]') as sessions,
      coalesce((
        select jsonb_agg(jsonb_build_object('provider', i.provider, 'subject', i.subject,
          'created_at', ${utc(sql`i.created_at`)}) order by i.created_at)
        from oidc_identities i where i.account_id = a.id), '[]') as providers,
      coalesce((
        select jsonb_agg(jsonb_build_object('purpose', t.purpose, 'email', t.email,
          'created_at', ${utc(sql`t.created_at`)}, 'used_at', ${utc(sql`t.used_at`)}) order by t.created_at)
        from account_tokens t where t.account_id = a.id), '[]') as mailed
    from accounts a where a.id = ${accountId}::uuid and a.kind = 'customer' and a.status <> 'erased'`;
}

/** Holds a customer's account for the batch; refuses one that is not there, and one that has changed since `versions`. */
export function lockCustomerAccount(id: string, versions: readonly number[] | null): Sql {
  const locked = sql<{ version: number }>`
    select a.version from accounts a
    where a.id = ${id}::uuid and a.kind = 'customer' and a.status <> 'erased' for update`;
  return requireVersion(locked, versions, 'customer');
}

/** The account stays as an id; nobody can sign in to it and its e-mail address is free again. */
export function eraseAccount(id: string): Sql[] {
  return [
    sql`delete from oidc_identities where account_id = ${id}::uuid`,
    sql`delete from account_tokens where account_id = ${id}::uuid`,
    sql`delete from recovery_codes where account_id = ${id}::uuid`,
    sql`update sessions set revoked_at = now() where account_id = ${id}::uuid and revoked_at is null`,
    sql`
      update accounts set status = 'erased', email = 'erased+' || id || '@invalid', email_verified_at = null,
        password_hash = null, name = null, totp_secret = null, totp_confirmed_at = null, totp_last_step = 0,
        last_login_at = null, version = version + 1, updated_at = now()
      where id = ${id}::uuid`,
  ];
}

/** The sessions whose access tokens may still be about. */
export function endedSessions(accountId: string): Sql<{ ids: string[] }> {
  return sql<{ ids: string[] }>`
    select coalesce(array_agg(id::text), '{}') as ids from sessions
    where account_id = ${accountId}::uuid and revoked_at is not null and expires_at > now()`;
}
