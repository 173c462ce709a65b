import { sql, type Sql } from '../../../platform/db/sql.ts';
import type { CustomerRow } from './customers.ts';

/** A profile for the account with this id, if the batch made it. */
export function insertCustomerOfNew(customer: Pick<CustomerRow, 'id' | 'first_name' | 'last_name'>): Sql {
  return sql`
    insert into customers (id, first_name, last_name)
    select a.id, ${customer.first_name}, ${customer.last_name} from accounts a where a.id = ${customer.id}::uuid`;
}

/** None for staff. */
export function customerByIdentity({ provider, subject }: { provider: string; subject: string }): Sql<CustomerRow> {
  return sql<CustomerRow>`
    select c.id, a.version, a.email, c.first_name, c.last_name, c.phone, c.created_at
    from oidc_identities i join customers c on c.id = i.account_id join accounts a on a.id = c.id
    where i.provider = ${provider} and i.subject = ${subject} and a.status = 'active'`;
}
