import { nothing, sql, type Sql } from '../../../platform/db/sql.ts';

export type TokenPurpose = 'password_reset' | 'email_verification';

export interface NewTokenRow {
  accountId: string;
  purpose: TokenPurpose;
  digest: string;
  ttlS: number;
  /** A token younger than this stays as it is, and no row is answered: nobody's mailbox can be flooded. */
  spacingS: number;
}

/** Takes the place of the one before it. Answers the address to mail it to; nothing for an account that is not active. */
export function putToken({ accountId, purpose, digest, ttlS, spacingS }: NewTokenRow): Sql<{ email: string }> {
  const unverified = purpose === 'email_verification' ? sql`and a.email_verified_at is null` : nothing;
  return sql<{ email: string }>`
    insert into account_tokens as t (account_id, purpose, digest, email, expires_at)
    select a.id, ${purpose}, ${digest}, a.email, now() + make_interval(secs => ${ttlS}::int)
    from accounts a where a.id = ${accountId}::uuid and a.status = 'active' ${unverified}
    on conflict (account_id, purpose) where purpose <> 'second_factor' do update
    set digest = excluded.digest, email = excluded.email, created_at = now(), expires_at = excluded.expires_at
    where t.digest = excluded.digest or t.created_at <= now() - make_interval(secs => ${spacingS}::int)
    returning email`;
}

export function accountByEmail(email: string): Sql<{ id: string }> {
  return sql<{ id: string }>`select id from accounts where lower(email) = lower(${email}) and status = 'active'`;
}

export interface TokenOwnerRow {
  id: string;
  email: string;
}

/** The account that a live token is for, as long as its address is the one that the token was sent to. */
export function tokenOwner(purpose: TokenPurpose, digest: string): Sql<TokenOwnerRow> {
  return sql<TokenOwnerRow>`
    select a.id, a.email from account_tokens t join accounts a on a.id = t.account_id
    where t.digest = ${digest} and t.purpose = ${purpose} and t.expires_at > now()
      and a.status = 'active' and lower(a.email) = lower(t.email)`;
}

const INVALID = '{"param": "token", "message": "The token was used, has expired or was never issued."}';

/** Uses a token up, or aborts the batch with token_invalid: of many at once one gets the row. */
export function consumeToken(purpose: TokenPurpose, digest: string): Sql {
  return sql`
    with used as (
      delete from account_tokens where digest = ${digest} and purpose = ${purpose} and expires_at > now()
      returning 1
    )
    select require(exists (select from used), 'token_invalid', ${INVALID}::jsonb)`;
}

/** Uses a token up and takes its address for proven, or aborts the batch with token_invalid. */
export function verifyEmail(digest: string): Sql {
  return sql`
    with used as (
      delete from account_tokens where digest = ${digest} and purpose = 'email_verification' and expires_at > now()
      returning account_id, email
    ), verified as (
      update accounts a set email_verified_at = coalesce(a.email_verified_at, now()), updated_at = now()
      from used where a.id = used.account_id and a.status = 'active' and lower(a.email) = lower(used.email)
      returning 1
    )
    select require(exists (select from verified), 'token_invalid', ${INVALID}::jsonb)`;
}

/** A password chosen by the holder of the mailbox, which is thereby proven. */
export function resetPassword(accountId: string, passwordHash: string): Sql {
  return sql`
    update accounts set password_hash = ${passwordHash}, email_verified_at = coalesce(email_verified_at, now()),
      version = version + 1, updated_at = now()
    where id = ${accountId}::uuid and status = 'active'`;
}

/** Whatever was mailed before is good for nothing. */
export function voidTokens(accountId: string): Sql {
  return sql`delete from account_tokens where account_id = ${accountId}::uuid`;
}

export const removeExpiredTokens: Sql = sql`
  delete from account_tokens where digest in (
    select digest from account_tokens where expires_at < now() limit 1000 for update skip locked)`;
