import { sql, type Sql } from '../../../platform/db/sql.ts';

export interface CustomerRow {
  id: string;
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
    select c.id, a.email, c.first_name, c.last_name, c.phone, c.created_at
    from customers c join accounts a on a.id = c.id
    where c.id = ${id}::uuid and a.status = 'active'`;
}

/** The profile behind a login, in the same round trip as the password hash. */
export function customerByEmail(email: string): Sql<CustomerRow> {
  return sql<CustomerRow>`
    select c.id, a.email, c.first_name, c.last_name, c.phone, c.created_at
    from customers c join accounts a on a.id = c.id
    where lower(a.email) = lower(${email}) and a.status = 'active'`;
}
