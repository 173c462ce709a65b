import { json, nothing, sql, type Sql } from '../../../platform/db/sql.ts';

export interface UserRow {
  id: string;
  version: number;
  email: string;
  name: string | null;
  status: 'active' | 'deactivated';
  has_second_factor: boolean;
  roles: { id: string; code: string; name: string }[];
  last_login_at: string | null;
  created_at: string;
  updated_at: string;
}

export interface ChangedUserRow extends UserRow {
  /** Sessions that ended within the last minute: those of this batch, and of one that it repeats. */
  ended_sessions: string[];
}

const columns = sql`
  a.id, a.version, a.email, a.name, a.status, a.totp_confirmed_at is not null as has_second_factor,
  (select coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'code', r.code, 'name', r.name) order by r.code), '[]')
   from account_roles ar join roles r on r.id = ar.role_id where ar.account_id = a.id) as roles,
  a.last_login_at, a.created_at, a.updated_at`;

export function userById(id: string): Sql<ChangedUserRow> {
  return sql<ChangedUserRow>`
    select ${columns},
      (select coalesce(array_agg(s.id::text), '{}') from sessions s
       where s.account_id = a.id and s.revoked_at > now() - interval '1 minute') as ended_sessions
    from accounts a where a.id = ${id}::uuid and a.kind = 'staff'`;
}

export interface UserFilter {
  email?: string | undefined;
  status?: 'active' | 'deactivated' | undefined;
}

/** Newest first; one row more than the page. */
export function userPage({ email, status }: UserFilter, beforeId: string | null, limit: number): Sql<UserRow> {
  return sql<UserRow>`
    select ${columns} from accounts a
    where a.kind = 'staff'
      ${email === undefined ? nothing : sql`and lower(a.email) = ${email}`}
      ${status === undefined ? nothing : sql`and a.status = ${status}`}
      ${beforeId === null ? nothing : sql`and a.id < ${beforeId}::uuid`}
    order by a.id desc limit ${limit + 1}::int`;
}

export function lockedUser(id: string): Sql<{ version: number }> {
  return sql`select version from accounts where id = ${id}::uuid and kind = 'staff' for update`;
}

/** Without a password: the invitation lets them choose one. */
export function insertUser({ id, email, name }: { id: string; email: string; name: string }): Sql {
  return sql`
    with inserted as (
      insert into accounts (id, kind, email, name) values (${id}::uuid, 'staff', ${email}, ${name})
      on conflict (lower(email)) do nothing
      returning 1
    )
    select require(exists (select from inserted), 'email_taken',
      ${json({ param: 'email', message: 'An account with this e-mail address exists.' })}::jsonb)`;
}

export function updateUser(
  id: string,
  { name, status }: { name?: string | undefined; status?: string | undefined },
): Sql {
  return sql`
    update accounts
    set name = coalesce(${name ?? null}, name), status = coalesce(${status ?? null}, status), version = version + 1,
      updated_at = now()
    where id = ${id}::uuid`;
}

export function grantRoles(accountId: string, roleIds: readonly string[]): Sql {
  return sql`
    insert into account_roles (account_id, role_id) select ${accountId}::uuid, unnest(${roleIds}::uuid[])`;
}

/** Sets the roles of an account, and ends its sessions if they are others than before: tokens carry permissions. */
export function replaceRoles(accountId: string, roleIds: readonly string[]): Sql {
  return sql`
    with dropped as (
      delete from account_roles where account_id = ${accountId}::uuid and role_id <> all(${roleIds}::uuid[])
      returning 1
    ), added as (
      insert into account_roles (account_id, role_id) select ${accountId}::uuid, unnest(${roleIds}::uuid[])
      on conflict do nothing
      returning 1
    )
    update sessions set revoked_at = now()
    where account_id = ${accountId}::uuid and revoked_at is null
      and (exists (select from dropped) or exists (select from added))`;
}
