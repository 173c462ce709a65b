import { sql, type Sql } from '../../../platform/db/sql.ts';
import type { ProfilePatch } from '../schema.ts';

export interface CustomerRow {
  id: string;
  /** The account's: it counts every change of the person's own data. */
  version: number;
  email: string;
  first_name: string | null;
  last_name: string | null;
  phone: string | null;
  created_at: string;
}

export function insertCustomer(customer: Pick<CustomerRow, 'id' | 'first_name' | 'last_name'>): Sql {
  return sql`
    insert into customers (id, first_name, last_name)
    values (${customer.id}::uuid, ${customer.first_name}, ${customer.last_name})`;
}

export function customerById(id: string): Sql<CustomerRow> {
  return sql<CustomerRow>`
    select c.id, a.version, a.email, c.first_name, c.last_name, c.phone, c.created_at
    from customers c join accounts a on a.id = c.id
    where c.id = ${id}::uuid and a.status = 'active'`;
}

/** The profile behind a login, in the same round trip as the password hash. */
export function customerByEmail(email: string): Sql<CustomerRow> {
  return sql<CustomerRow>`
    select c.id, a.version, a.email, c.first_name, c.last_name, c.phone, c.created_at
    from customers c join accounts a on a.id = c.id
    where lower(a.email) = lower(${email}) and a.status = 'active'`;
}

/** Refuses what cannot be changed; `versions` are compared only when If-Match was sent. */
export function changeProfile(id: string, versions: readonly number[] | null, patch: ProfilePatch): Sql[] {
  let set = sql`updated_at = now()`;
  if (patch.first_name !== undefined) set = sql`${set}, first_name = ${patch.first_name}`;
  if (patch.last_name !== undefined) set = sql`${set}, last_name = ${patch.last_name}`;
  if (patch.phone !== undefined) set = sql`${set}, phone = ${patch.phone}`;
  return [
    sql`
      select
        require(a.id is not null, 'unauthenticated', '{"param": "Authorization", "message": "The account is closed."}'),
        require(${versions}::int[] is null or a.version = any(${versions}::int[]), 'precondition_failed',
          '{"param": "If-Match", "message": "The profile has changed since."}')
      from (select 1) always
      left join (select a.id, a.version from accounts a where a.id = ${id}::uuid and a.status = 'active' for update) a on true`,
    sql`update customers set ${set} where id = ${id}::uuid`,
    sql`update accounts set version = version + 1, updated_at = now() where id = ${id}::uuid`,
  ];
}
