import { sql, type Sql } from '../../../platform/db/sql.ts';

export interface GuestOrderRow {
  id: string;
  number: string;
  email: string;
}

/** A customer's order is found after signing in, a failed attempt not at all. */
export function guestOrderOf(number: string, email: string): Sql<GuestOrderRow> {
  return sql<GuestOrderRow>`
    select id, number, email from orders
    where number = ${number} and lower(email) = ${email} and customer_id is null and status <> 'failed'`;
}
