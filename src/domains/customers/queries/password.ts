import { sql, type Sql } from '../../../platform/db/sql.ts';

interface PasswordRow {
  email: string;
  first_name: string | null;
  last_name: string | null;
  /** Null for people who only sign in through a provider. */
  password_hash: string | null;
  /** Whether this session showed a second factor: the one that follows it has, too. */
  mfa: boolean;
}

export function passwordOf(accountId: string, sessionId: string): Sql<PasswordRow> {
  return sql<PasswordRow>`
    select a.email, c.first_name, c.last_name, a.password_hash, s.mfa
    from accounts a join customers c on c.id = a.id join sessions s on s.account_id = a.id
    where a.id = ${accountId}::uuid and a.status = 'active' and s.id = ${sessionId}::uuid and s.revoked_at is null`;
}

/** Refused when another change was faster. */
export function replacePassword(accountId: string, { from, to }: { from: string; to: string }): Sql {
  return sql`
    with changed as (
      update accounts set password_hash = ${to}, version = version + 1, updated_at = now()
      where id = ${accountId}::uuid and status = 'active' and password_hash = ${from}
      returning 1
    )
    select require(exists (select from changed), 'conflict',
      '{"param": "current_password", "message": "The password was changed at this very moment."}')`;
}

/** A link that proves an address stays good: it opens nothing. */
export function voidResets(accountId: string): Sql {
  return sql`delete from account_tokens where account_id = ${accountId}::uuid and purpose <> 'email_verification'`;
}
