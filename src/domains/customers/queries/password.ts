import { sql, type Sql } from '../../../platform/db/sql.ts';

interface PasswordRow {
  /** Null for people who only sign in through a provider. */
  password_hash: string | null;
  /** Whether this session showed a second factor: the one that follows it has, too. */
  mfa: boolean;
}

export function passwordOf(accountId: string, sessionId: string): Sql<PasswordRow> {
  return sql<PasswordRow>`
    select a.password_hash, s.mfa from accounts a join sessions s on s.account_id = a.id
    where a.id = ${accountId}::uuid and a.status = 'active' and s.id = ${sessionId}::uuid and s.revoked_at is null`;
}

/** Refused when another change was faster; what was mailed to set a password by is void from here on. */
export function replacePassword(accountId: string, { from, to }: { from: string; to: string }): Sql[] {
  return [
    sql`
      with changed as (
        update accounts set password_hash = ${to}, version = version + 1, updated_at = now()
        where id = ${accountId}::uuid and status = 'active' and password_hash = ${from}
        returning 1
      )
      select require(exists (select from changed), 'conflict',
        '{"param": "current_password", "message": "The password was changed at this very moment."}')`,
    sql`delete from account_tokens where account_id = ${accountId}::uuid and purpose = 'password_reset'`,
  ];
}
