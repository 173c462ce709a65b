-- People may sign in without a password (OIDC), staff have a second factor, and a person can be erased.
alter table accounts
  alter column password_hash drop not null,
  add column version int not null default 1,
  add column name text check (length(name) <= 200),
  add column email_verified_at timestamptz,
  add column totp_secret text,
  add column totp_confirmed_at timestamptz,
  -- The last 30-second step whose code was used: no code is good twice (RFC 6238, 5.2).
  add column totp_last_step bigint not null default 0,
  add column last_login_at timestamptz,
  drop constraint accounts_status_check,
  add constraint accounts_status_check check (status in ('active', 'deactivated', 'erased'));

-- A family of refresh tokens: generation counts its rotations, and only the latest is good.
alter table sessions
  add column rotated_at timestamptz not null default now(),
  add column reused_at timestamptz,
  add column mfa boolean not null default false;
create index sessions_revoked on sessions (revoked_at) where revoked_at is not null;
create index sessions_expiry on sessions (expires_at);

-- Subjects are digests of an address or an e-mail, so unknown e-mails are locked as known ones are.
create table login_failures (
  subject text primary key,
  failures int not null default 1 check (failures >= 1),
  locked_until timestamptz,
  updated_at timestamptz not null default now()
);
create index login_failures_updated on login_failures (updated_at);

-- Single-use tokens, of which only the digests are kept. One that travels by mail takes the place of the one before it,
-- and is gone when it is used.
create table account_tokens (
  digest text primary key,
  account_id uuid not null references accounts on delete cascade,
  purpose text not null check (purpose in ('password_reset', 'email_verification', 'second_factor')),
  -- The address that it was mailed to.
  email text,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz
);
create unique index account_tokens_mailed on account_tokens (account_id, purpose) where purpose <> 'second_factor';
create index account_tokens_account on account_tokens (account_id);
create index account_tokens_expiry on account_tokens (expires_at);

create table recovery_codes (
  account_id uuid not null references accounts on delete cascade,
  digest text not null,
  used_at timestamptz,
  primary key (account_id, digest)
);

create table oidc_identities (
  provider text not null,
  subject text not null,
  account_id uuid not null references accounts on delete cascade,
  created_at timestamptz not null default now(),
  primary key (provider, subject)
);
create index oidc_identities_account on oidc_identities (account_id);

create table oidc_logins (
  state_digest text primary key,
  provider text not null,
  nonce text not null,
  code_verifier text not null,
  redirect_uri text not null,
  browser_digest text not null,
  expires_at timestamptz not null
);
create index oidc_logins_expiry on oidc_logins (expires_at);
