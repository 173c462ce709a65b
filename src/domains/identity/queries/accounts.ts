import { sql, type Sql } from '../../../platform/db/sql.ts';

export interface AccountRow {
  id: string;
  kind: 'customer' | 'staff';
  email: string;
  /** Null for people who only sign in through a provider. */
  password_hash: string | null;
}

/** What the account's roles add up to; `*` is all there is. */
export const heldPermissions = sql`
  (select coalesce(array_agg(distinct permission order by permission), '{}')
   from account_roles ar join roles r on r.id = ar.role_id cross join unnest(r.permissions) as permission
   where ar.account_id = a.id)`;

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
