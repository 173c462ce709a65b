import { sql, type Sql } from '../../../platform/db/sql.ts';

/** What proves who somebody is. */
export interface ProofRow {
  id: string;
  kind: 'customer' | 'staff';
  email: string;
  /** Null for people who only sign in through a provider. */
  password_hash: string | null;
  totp_secret: string | null;
  /** Whether the second factor is needed; a secret alone is one that was never confirmed. */
  totp_active: boolean;
  totp_last_step: number;
}

const proofColumns = sql`
  a.id, a.kind, a.email, a.password_hash, a.totp_secret, a.totp_confirmed_at is not null as totp_active, a.totp_last_step`;

export interface SignInRow extends ProofRow {
  /** Whether the recovery code that was shown, if one was, is an unused one of the account's. */
  recovery_code_good: boolean;
}

/** `recoveryDigest`: of the recovery code that was shown, else null. */
export function proofByEmail(email: string, recoveryDigest: string | null): Sql<SignInRow> {
  return sql<SignInRow>`
    select ${proofColumns}, exists (
      select from recovery_codes c where c.account_id = a.id and c.digest = ${recoveryDigest}::text and c.used_at is null
    ) as recovery_code_good
    from accounts a where lower(a.email) = lower(${email}) and a.status = 'active'`;
}

export function proofById(id: string): Sql<ProofRow> {
  return sql<ProofRow>`select ${proofColumns} from accounts a where a.id = ${id}::uuid and a.status = 'active'`;
}

/**
 * Aborts with fence_lost when password, second factor or status changed since they were read. It holds the row, so a
 * change that commits later finds the session that this batch opens and ends it.
 */
export function requireSameProof({ id, password_hash, totp_active }: ProofRow): Sql {
  return sql`
    select require(exists (
      select from accounts where id = ${id}::uuid and status = 'active' and password_hash is not distinct from ${password_hash}
        and (totp_confirmed_at is not null) = ${totp_active}::boolean for update), 'fence_lost')`;
}

/** The same password at another cost; nothing when it was changed meanwhile. */
export function replaceHash(id: string, oldHash: string, newHash: string): Sql {
  return sql`
    update accounts set password_hash = ${newHash} where id = ${id}::uuid and password_hash = ${oldHash}`;
}
