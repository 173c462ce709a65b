import * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { requireVersion } from '../../platform/db/version.ts';
import { notFound } from '../../platform/errors.ts';
import { publishRevocations } from '../../platform/auth/revocation.ts';
import { claimStatements } from '../../platform/http/idempotency.ts';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import type { Change } from '../../platform/http/change.ts';
import { auditEntry, type AuditEntry } from '../audit/index.ts';
import { accessLocked, requireHeld, type StaffActor } from './queries/access.ts';
import {
  deleteRole,
  endSessionsOfMembers,
  insertRole,
  lockedRole,
  requireOwnRole,
  roleById,
  rolePage,
  updateRole,
  type ChangedRoleRow,
} from './queries/roles.ts';
import type { AccessQuery, NewRole, Role, RolePatch } from './admin-schema.ts';

const Cursor = z.tuple([z.uuid()]);

/** One round trip. */
export async function listRoles(deps: Deps, { limit, cursor }: z.output<typeof AccessQuery>) {
  const [rows] = await deps.db.read(rolePage(decodeCursor(cursor, Cursor)?.[0] ?? null, limit));
  return pageOf(rows, limit, { item: (row) => row, key: ({ id }) => [id] });
}

function toRole({ ended_sessions: _ended, ...role }: ChangedRoleRow): Role {
  return role;
}

/** One round trip. */
export async function getRole(deps: Deps, id: string): Promise<Role> {
  const [[row]] = await deps.db.read(roleById(id));
  if (!row) throw notFound('role');
  return toRole(row);
}

function audited(deps: Deps, actor: StaffActor, on: Change, entry: Pick<AuditEntry, 'action' | 'details'>): Sql {
  return auditEntry({
    ...entry,
    id: deps.ids.uuid(),
    actor,
    resource: { type: 'role', id: on.id },
    requestId: on.requestId,
  });
}

/** One batch; a role holds no more than who makes it. */
export async function createRole(deps: Deps, actor: StaffActor, on: Change, input: NewRole): Promise<Role> {
  const permissions = [...new Set(input.permissions)].sort();
  const row = await deps.db.commit(
    [
      ...claimStatements(on.claim, on.id),
      ...accessLocked(actor, 'roles:write'),
      requireHeld(actor, permissions, 'permissions'),
      insertRole({ ...input, permissions, id: on.id }),
      audited(deps, actor, on, { action: 'roles.create', details: { permissions } }),
    ],
    roleById(on.id),
    { resend: on.claim !== null },
  );
  if (!row) throw new Error('no role was made');
  return toRole(row);
}

/** One batch. Other permissions end the sessions of its members, whose tokens carry the old ones. */
export async function updateRoleBy(deps: Deps, actor: StaffActor, on: Change, patch: RolePatch): Promise<Role> {
  const permissions = patch.permissions && [...new Set(patch.permissions)].sort();
  const row = await deps.db.commit(
    [
      ...claimStatements(on.claim, on.id),
      ...accessLocked(actor, 'roles:write'),
      requireVersion(lockedRole(on.id), on.versions, 'role'),
      requireOwnRole(on.id),
      ...(permissions
        ? [requireHeld(actor, permissions, 'permissions'), endSessionsOfMembers(on.id, permissions)]
        : []),
      updateRole(on.id, { name: patch.name, permissions }),
      audited(deps, actor, on, {
        action: 'roles.update',
        details: { fields: Object.keys(patch), ...(permissions && { permissions }) },
      }),
    ],
    roleById(on.id),
    { resend: on.claim !== null },
  );
  if (!row) throw notFound('role');
  await publishRevocations(deps, row.ended_sessions);
  return toRole(row);
}

/** For a repeat whose first reply was lost: says again which sessions ended, and answers what is there. */
export async function settledRole(deps: Deps, id: string): Promise<Role> {
  const [[row]] = await deps.db.read(roleById(id));
  if (!row) throw notFound('role');
  await publishRevocations(deps, row.ended_sessions);
  return toRole(row);
}

/** One batch; 409 while somebody has the role. */
export async function removeRole(deps: Deps, actor: StaffActor, on: Change): Promise<void> {
  await deps.db.commit(
    [
      ...claimStatements(on.claim, on.id),
      ...accessLocked(actor, 'roles:write'),
      requireVersion(lockedRole(on.id), on.versions, 'role'),
      requireOwnRole(on.id),
      ...deleteRole(on.id),
      audited(deps, actor, on, { action: 'roles.delete' }),
    ],
    roleById(on.id),
    { resend: on.claim !== null },
  );
}
