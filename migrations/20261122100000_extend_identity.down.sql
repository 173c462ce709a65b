drop table oidc_logins;
drop table oidc_identities;
drop table recovery_codes;
drop table account_tokens;
drop table login_failures;
drop index sessions_expiry;
drop index sessions_revoked;
alter table sessions drop column mfa, drop column reused_at, drop column rotated_at;
delete from accounts where password_hash is null or status = 'erased';
alter table accounts
  drop constraint accounts_status_check,
  add constraint accounts_status_check check (status in ('active', 'deactivated')),
  drop column last_login_at,
  drop column totp_last_step,
  drop column totp_confirmed_at,
  drop column totp_secret,
  drop column email_verified_at,
  drop column name,
  drop column version,
  alter column password_hash set not null;
