import { json, nothing, sql, type Sql } from '../../../platform/db/sql.ts';

export interface RoleRow {
  id: string;
  version: number;
  code: string;
  name: string;
  permissions: string[];
  built_in: boolean;
  created_at: string;
  updated_at: string;
}

export interface ChangedRoleRow extends RoleRow {
  /** Sessions of its members that ended within the last minute: those of this batch, and of one that it repeats. */
  ended_sessions: string[];
}

const columns = sql`r.id, r.version, r.code, r.name, r.permissions, r.built_in, r.created_at, r.updated_at`;

export function roleById(id: string): Sql<ChangedRoleRow> {
  return sql<ChangedRoleRow>`
    select ${columns},
      (select coalesce(array_agg(s.id::text), '{}') from account_roles ar join sessions s on s.account_id = ar.account_id
       where ar.role_id = r.id and s.revoked_at > now() - interval '1 minute') as ended_sessions
    from roles r where r.id = ${id}::uuid`;
}

/** Newest first; one row more than the page. */
export function rolePage(beforeId: string | null, limit: number): Sql<RoleRow> {
  return sql<RoleRow>`
    select ${columns} from roles r
    ${beforeId === null ? nothing : sql`where r.id < ${beforeId}::uuid`}
    order by r.id desc limit ${limit + 1}::int`;
}

export function lockedRole(id: string): Sql<{ version: number }> {
  return sql`select version from roles where id = ${id}::uuid for update`;
}

export function requireOwnRole(id: string): Sql {
  return sql`
    select require(not r.built_in, 'conflict', ${json({ param: 'id', message: 'A built-in role stays as it is.' })}::jsonb)
    from roles r where r.id = ${id}::uuid`;
}

export interface NewRoleRow {
  id: string;
  code: string;
  name: string;
  permissions: readonly string[];
}

export function insertRole({ id, code, name, permissions }: NewRoleRow): Sql {
  return sql`
    with inserted as (
      insert into roles (id, code, name, permissions) values (${id}::uuid, ${code}, ${name}, ${permissions}::text[])
      on conflict (code) do nothing
      returning 1
    )
    select require(exists (select from inserted), 'conflict',
      ${json({ param: 'code', message: 'A role with this code exists.' })}::jsonb)`;
}

export function updateRole(
  id: string,
  { name, permissions }: { name?: string | undefined; permissions?: readonly string[] | undefined },
): Sql {
  return sql`
    update roles
    set name = coalesce(${name ?? null}, name), permissions = coalesce(${permissions ?? null}::text[], permissions),
      version = version + 1, updated_at = now()
    where id = ${id}::uuid`;
}

/** Before the change: tokens of its members carry what it held until now. */
export function endSessionsOfMembers(id: string, permissions: readonly string[]): Sql {
  return sql`
    update sessions s set revoked_at = now()
    from account_roles ar join roles r on r.id = ar.role_id
    where r.id = ${id}::uuid and s.account_id = ar.account_id and s.revoked_at is null
      and not (r.permissions @> ${permissions}::text[] and r.permissions <@ ${permissions}::text[])`;
}

export function deleteRole(id: string): Sql[] {
  return [
    sql`select require(not exists (select from account_roles where role_id = ${id}::uuid), 'conflict',
      ${json({ param: 'id', message: 'Somebody still has this role.' })}::jsonb)`,
    sql`delete from roles where id = ${id}::uuid`,
  ];
}
