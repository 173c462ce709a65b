import { json, sql, type Sql } from '../../../platform/db/sql.ts';

const USED = '{"message": "The code was used before, or the second factor has changed."}';

/** A secret that is not active until a code of it was shown; 409 while another one is active. */
export function putPendingSecret(accountId: string, secret: string): Sql {
  return sql`
    with put as (
      update accounts set totp_secret = ${secret}, totp_last_step = 0
      where id = ${accountId}::uuid and totp_confirmed_at is null
      returning 1
    )
    select require(exists (select from put), 'conflict', '{"message": "A second factor is active: disable it first."}')`;
}

/** Each code is good once: of many at once with the same one, a single batch goes on. */
export function confirmSecret(accountId: string, secret: string, step: number): Sql {
  return sql`
    with confirmed as (
      update accounts set totp_confirmed_at = now(), totp_last_step = ${step}::bigint
      where id = ${accountId}::uuid and totp_secret = ${secret} and totp_confirmed_at is null
      returning 1
    )
    select require(exists (select from confirmed), 'totp_required', ${USED}::jsonb)`;
}

export function spendStep(accountId: string, secret: string, step: number): Sql {
  return sql`
    with spent as (
      update accounts set totp_last_step = ${step}::bigint
      where id = ${accountId}::uuid and totp_secret = ${secret} and totp_confirmed_at is not null
        and totp_last_step < ${step}::bigint
      returning 1
    )
    select require(exists (select from spent), 'totp_required', ${USED}::jsonb)`;
}

export function dropSecret(accountId: string): Sql {
  return sql`
    update accounts set totp_secret = null, totp_confirmed_at = null, totp_last_step = 0 where id = ${accountId}::uuid`;
}

export function removeRecoveryCodes(accountId: string): Sql {
  return sql`delete from recovery_codes where account_id = ${accountId}::uuid`;
}

export function insertRecoveryCodes(accountId: string, digests: readonly string[]): Sql {
  return sql`
    insert into recovery_codes (account_id, digest)
    select ${accountId}::uuid, digest from jsonb_array_elements_text(${json(digests)}::jsonb) as digest`;
}

export function spendRecoveryCode(accountId: string, digest: string): Sql {
  return sql`
    with spent as (
      update recovery_codes set used_at = now()
      where account_id = ${accountId}::uuid and digest = ${digest} and used_at is null
      returning 1
    )
    select require(exists (select from spent), 'totp_required', ${USED}::jsonb)`;
}
