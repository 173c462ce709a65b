import { sql, type Sql } from '../../../platform/db/sql.ts';
import type { CustomerRow } from './customers.ts';

/** Waits for whoever changes the profile or the addresses. */
export function lockCustomer(id: string): Sql {
  return sql`select id from customers where id = ${id}::uuid for update`;
}

/** Names, phone and addresses. What is written for them at this very moment finds nothing to refer to and is refused. */
export function eraseProfile(id: string): Sql {
  return sql`delete from customers where id = ${id}::uuid`;
}

/** The profile of anybody who is not erased, also of one who may not sign in. */
export function heldProfile(id: string): Sql<CustomerRow> {
  return sql<CustomerRow>`
    select c.id, a.version, a.email, c.first_name, c.last_name, c.phone, c.created_at
    from customers c join accounts a on a.id = c.id
    where c.id = ${id}::uuid and a.status <> 'erased'`;
}
