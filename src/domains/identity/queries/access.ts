import { json, sql, type Sql } from '../../../platform/db/sql.ts';
import type { Actor } from '../../../platform/auth/actor.ts';
import { accessGuards } from './guards.ts';

/** Who decides over access: a person of the staff; API keys do not. */
export type StaffActor = Extract<Actor, { kind: 'staff' }>;

/**
 * Changes of users, roles and keys run one at a time, so each rule sees what is: of two owners who demote each other, the
 * second is an owner no more. The actor is looked at again behind the lock. (Two-part keys clash with no hash.)
 */
export function accessLocked(actor: StaffActor, permission: string): Sql[] {
  return [sql`select pg_advisory_xact_lock(1, 1)`, ...accessGuards(actor, permission)];
}

/** Whether the roles of an account cover each permission of a text[]; only an owner covers `*`. */
function covers(accountId: string, permissions: Sql): Sql {
  return sql`not exists (
    select from unnest(${permissions}) as needed
    where not exists (
      select from account_roles ar join roles held on held.id = ar.role_id
      where ar.account_id = ${accountId}::uuid and held.permissions && array['*', needed]))`;
}

function beyond(param: string): string {
  return json({ param, message: 'This grants more than you hold yourself.' });
}

/** Nobody hands out what they do not hold. */
export function requireHeld(actor: StaffActor, permissions: readonly string[], param: string): Sql {
  return sql`
    select require(${covers(actor.accountId, sql`${permissions}::text[]`)}, 'forbidden', ${beyond(param)}::jsonb)`;
}

/** The roles exist, and those that the account does not have yet hold no more than the actor does. */
export function requireGrantable(actor: StaffActor, accountId: string, roleIds: readonly string[]): Sql {
  const added = sql`(
    select array_agg(permission) from roles r cross join unnest(r.permissions) as permission
    where r.id = any(${roleIds}::uuid[])
      and not exists (select from account_roles h where h.role_id = r.id and h.account_id = ${accountId}::uuid))`;
  return sql`
    select
      require((select count(*) from roles where id = any(${roleIds}::uuid[])) = ${roleIds.length}::int, 'validation_failed',
        ${json({ param: 'role_ids', message: 'No such role.' })}::jsonb),
      require(${covers(actor.accountId, added)}, 'forbidden', ${beyond('role_ids')}::jsonb)`;
}

/** Before the change: letting somebody in again grants all that their roles hold. */
export function requireReinstatable(actor: StaffActor, accountId: string): Sql {
  const theirs = sql`(
    select array_agg(permission) from account_roles h join roles r on r.id = h.role_id
      cross join unnest(r.permissions) as permission
    where h.account_id = ${accountId}::uuid)`;
  return sql`
    select require(a.status = 'active' or ${covers(actor.accountId, theirs)}, 'forbidden', ${beyond('status')}::jsonb)
    from accounts a where a.id = ${accountId}::uuid`;
}

function isOwner(accountId: Sql): Sql {
  return sql`exists (
    select from account_roles ar join roles r on r.id = ar.role_id
    where ar.account_id = ${accountId} and '*' = any(r.permissions))`;
}

export function requireOwnerForOwner(actor: StaffActor, accountId: string): Sql {
  return sql`
    select require(not ${isOwner(sql`${accountId}::uuid`)} or ${isOwner(sql`${actor.accountId}::uuid`)}, 'forbidden',
      ${json({ param: 'id', message: 'Only an owner changes an owner.' })}::jsonb)`;
}

/** Behind the change: somebody who can sign in must be left to give permissions away. */
export const requireOwnerLeft: Sql = sql`
  select require(exists (
    select from accounts a
    where a.kind = 'staff' and a.status = 'active' and ${isOwner(sql`a.id`)}
      and (a.password_hash is not null or exists (select from oidc_identities o where o.account_id = a.id))), 'conflict',
    ${json({ param: 'id', message: 'This is the last active owner.' })}::jsonb)`;
