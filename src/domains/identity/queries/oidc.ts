import { sql, type Sql } from '../../../platform/db/sql.ts';
import { heldPermissions } from './accounts.ts';
import type { SessionRow } from './sessions.ts';

/** A sign-in that was started: what its answer is checked against. */
export interface OidcLoginRow {
  provider: string;
  nonce: string;
  code_verifier: string;
  redirect_uri: string;
  browser_digest: string;
}

export interface NewOidcLogin extends OidcLoginRow {
  stateDigest: string;
  ttlS: number;
}

export function insertOidcLogin(login: NewOidcLogin): Sql {
  return sql`
    insert into oidc_logins (state_digest, provider, nonce, code_verifier, redirect_uri, browser_digest, expires_at)
    values (${login.stateDigest}, ${login.provider}, ${login.nonce}, ${login.code_verifier}, ${login.redirect_uri},
      ${login.browser_digest}, now() + make_interval(secs => ${login.ttlS}::int))`;
}

/** Whoever shows the state first takes the row away, whatever comes of it: no answer is good twice. */
export function takeOidcLogin(stateDigest: string): Sql<OidcLoginRow & { is_current: boolean }> {
  return sql<OidcLoginRow & { is_current: boolean }>`
    delete from oidc_logins where state_digest = ${stateDigest}
    returning provider, nonce, code_verifier, redirect_uri, browser_digest, expires_at > now() as is_current`;
}

export const removeExpiredOidcLogins: Sql = sql`
  delete from oidc_logins
  where state_digest in (select state_digest from oidc_logins where expires_at < now() limit 1000 for update skip locked)`;

/** Who signs in, as an identity provider says. */
export interface Identity {
  provider: string;
  subject: string;
  /** Null unless the provider has verified it. */
  verifiedEmail: string | null;
}

function isLinked({ provider, subject }: Identity): Sql {
  return sql`exists (select from oidc_identities where provider = ${provider} and subject = ${subject})`;
}

/** A customer without a password, for an identity that is new and whose e-mail has no account of any kind. */
export function insertAccountFor(id: string, identity: Identity): Sql {
  return sql`
    insert into accounts (id, kind, email, email_verified_at)
    select ${id}::uuid, 'customer', ${identity.verifiedEmail}, now()
    where ${identity.verifiedEmail}::text is not null and not ${isLinked(identity)}
    on conflict (lower(email)) do nothing`;
}

/**
 * To the customer who has proved to hold the same address. Where the address of an account was never proved, whoever
 * opened it may be a stranger to its owner, and would come to share it.
 */
export function linkIdentity(identity: Identity): Sql {
  return sql`
    insert into oidc_identities (provider, subject, account_id)
    select ${identity.provider}, ${identity.subject}, a.id from accounts a
    where lower(a.email) = lower(${identity.verifiedEmail}) and a.kind = 'customer' and a.status <> 'erased'
      and a.email_verified_at is not null and not ${isLinked(identity)}
    on conflict (provider, subject) do nothing`;
}

const TICKET_SPENT = JSON.stringify({
  param: 'login_ticket',
  message: 'This sign-in is not valid any more. Start again.',
});
const NOT_LINKED = JSON.stringify({
  param: 'email',
  message: 'Sign in as you did before, and have your e-mail address verified both here and at the provider.',
});

export function requireLinked(identity: Identity): Sql {
  return sql`select require(${isLinked(identity)}, 'account_not_linked', ${NOT_LINKED}::jsonb)`;
}

export interface LinkedAccountRow {
  id: string;
  needs_code: boolean;
}

/** Nobody when the account is closed. It holds the row, so whatever closes the account later finds the session. */
export function linkedAccount({ provider, subject }: Identity): Sql<LinkedAccountRow> {
  return sql<LinkedAccountRow>`
    select a.id, a.kind, a.totp_confirmed_at is not null as needs_code
    from accounts a
    where a.status = 'active'
      and a.id = (select account_id from oidc_identities where provider = ${provider} and subject = ${subject})
    for update`;
}

/** A session, unless the account is closed or has a second factor that was not shown yet. */
export function openSessionFor(identity: Identity, { id, ttlS }: { id: string; ttlS: number }): Sql<SessionRow> {
  return sql<SessionRow>`
    with a as (${linkedAccount(identity)}), s as (
      insert into sessions (id, account_id, expires_at)
      select ${id}::uuid, a.id, now() + make_interval(secs => ${ttlS}::int) from a where not a.needs_code
      returning id, account_id, generation, rotated_at, expires_at, mfa
    ), seen as (
      update accounts set last_login_at = now() from s where accounts.id = s.account_id
    )
    select s.id, s.account_id, a.kind, s.generation, s.rotated_at, s.expires_at, s.mfa, ${heldPermissions} as permissions
    from s join a on a.id = s.account_id`;
}

/** Good for showing the second factor and for nothing else; only where one is needed. */
export function insertTicketFor(identity: Identity, { digest, ttlS }: { digest: string; ttlS: number }): Sql {
  return sql`
    with a as (${linkedAccount(identity)})
    insert into account_tokens (digest, account_id, purpose, expires_at)
    select ${digest}, a.id, 'second_factor', now() + make_interval(secs => ${ttlS}::int) from a where a.needs_code`;
}

/** A row when the ticket was neither used nor left too long. */
export function liveTicket(accountId: string, digest: string): Sql {
  return sql`
    select from account_tokens
    where digest = ${digest} and account_id = ${accountId}::uuid and purpose = 'second_factor'
      and expires_at > now()`;
}

/** Aborts unless it is the first one to spend it. It holds the account's row, as linkedAccount() does. */
export function spendTicket(accountId: string, digest: string): Sql {
  return sql`
    with a as (
      select id from accounts where id = ${accountId}::uuid and status = 'active' for update
    ), spent as (
      delete from account_tokens t using a
      where t.digest = ${digest} and t.account_id = a.id and t.purpose = 'second_factor' and t.expires_at > now()
      returning 1
    )
    select require(exists (select from spent), 'unauthenticated', ${TICKET_SPENT}::jsonb)`;
}
