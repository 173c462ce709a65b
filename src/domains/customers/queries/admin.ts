import { nothing, sql, type Sql } from '../../../platform/db/sql.ts';

export interface AdminCustomerRow {
  id: string;
  version: number;
  email: string;
  is_email_verified: boolean;
  first_name: string | null;
  last_name: string | null;
  phone: string | null;
  status: 'active' | 'deactivated';
  last_login_at: string | null;
  created_at: string;
  updated_at: string;
}

export interface ChangedCustomerRow extends AdminCustomerRow {
  /** Sessions that ended within the last minute: those of this batch, and of one that it repeats. */
  ended_sessions: string[];
}

const columns = sql`
  c.id, a.version, a.email, a.email_verified_at is not null as is_email_verified, c.first_name, c.last_name, c.phone,
  a.status, a.last_login_at, c.created_at, greatest(a.updated_at, c.updated_at) as updated_at`;

/** Nobody sees who was erased. */
const visible = sql`customers c join accounts a on a.id = c.id and a.kind = 'customer' and a.status <> 'erased'`;

export function adminCustomerById(id: string): Sql<ChangedCustomerRow> {
  return sql<ChangedCustomerRow>`
    select ${columns},
      (select coalesce(array_agg(s.id::text), '{}') from sessions s
       where s.account_id = a.id and s.revoked_at > now() - interval '1 minute') as ended_sessions
    from ${visible} where c.id = ${id}::uuid`;
}

export interface CustomerFilter {
  email?: string | undefined;
  status?: 'active' | 'deactivated' | undefined;
}

/** Newest first; one row more than the page. */
export function adminCustomerPage(
  { email, status }: CustomerFilter,
  beforeId: string | null,
  limit: number,
): Sql<AdminCustomerRow> {
  return sql<AdminCustomerRow>`
    select ${columns} from ${visible}
    where true
      ${email === undefined ? nothing : sql`and lower(a.email) = ${email}`}
      ${status === undefined ? nothing : sql`and a.status = ${status}`}
      ${beforeId === null ? nothing : sql`and c.id < ${beforeId}::uuid`}
    order by c.id desc limit ${limit + 1}::int`;
}

export function lockedCustomer(id: string): Sql<{ version: number }> {
  return sql`
    select version from accounts where id = ${id}::uuid and kind = 'customer' and status <> 'erased' for update`;
}

export interface CustomerChange {
  first_name?: string | null | undefined;
  last_name?: string | null | undefined;
  phone?: string | null | undefined;
  status?: 'active' | 'deactivated' | undefined;
}

/** Null clears a field. */
export function updateCustomer(id: string, { first_name, last_name, phone, status }: CustomerChange): Sql[] {
  return [
    sql`
      update customers set updated_at = now()
        ${first_name === undefined ? nothing : sql`, first_name = ${first_name}`}
        ${last_name === undefined ? nothing : sql`, last_name = ${last_name}`}
        ${phone === undefined ? nothing : sql`, phone = ${phone}`}
      where id = ${id}::uuid`,
    sql`
      update accounts set status = coalesce(${status ?? null}, status), version = version + 1, updated_at = now()
      where id = ${id}::uuid`,
  ];
}
