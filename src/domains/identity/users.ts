import * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { requireVersion } from '../../platform/db/version.ts';
import { notFound } from '../../platform/errors.ts';
import { publishRevocations } from '../../platform/auth/revocation.ts';
import { claimStatements } from '../../platform/http/idempotency.ts';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import type { Change } from '../../platform/http/change.ts';
import { sendMail } from '../notifications/index.ts';
import { auditEntry, type AuditEntry } from '../audit/index.ts';
import {
  accessLocked,
  requireGrantable,
  requireOwnerForOwner,
  requireOwnerLeft,
  requireReinstatable,
  type StaffActor,
} from './queries/access.ts';
import { MAIL_SPACING_S, newAccountToken } from './account-tokens.ts';
import { revokeSessionsOf } from './queries/sessions.ts';
import {
  grantRoles,
  insertUser,
  lockedUser,
  replaceRoles,
  updateUser,
  userById,
  userPage,
  type ChangedUserRow,
} from './queries/users.ts';
import type { NewUser, User, UserPatch, UserQuery } from './admin-schema.ts';

const Cursor = z.tuple([z.uuid()]);

/** One round trip. */
export async function listUsers(deps: Deps, { limit, cursor, ...filter }: z.output<typeof UserQuery>) {
  const before = decodeCursor(cursor, Cursor)?.[0] ?? null;
  const [rows] = await deps.db.read(userPage(filter, before, limit));
  return pageOf(rows, limit, { item: (row) => row, key: ({ id }) => [id] });
}

function toUser({ ended_sessions: _ended, ...user }: ChangedUserRow): User {
  return user;
}

/** One round trip; 404 for an account that is not of the staff. */
export async function getUser(deps: Deps, id: string): Promise<User> {
  const [[row]] = await deps.db.read(userById(id));
  if (!row) throw notFound('user');
  return toUser(row);
}

function audited(deps: Deps, actor: StaffActor, on: Change, entry: Pick<AuditEntry, 'action' | 'details'>): Sql {
  return auditEntry({
    ...entry,
    id: deps.ids.uuid(),
    actor,
    resource: { type: 'user', id: on.id },
    requestId: on.requestId,
  });
}

const INVITATION_TTL_S = 3 * 86_400;

/** After the reply; a repeat of the same request sends no second mail. */
export function inviteLater(deps: Deps, id: string): void {
  deps.defer(async () => {
    const options = { ttlS: INVITATION_TTL_S, spacingS: MAIL_SPACING_S };
    const { link, statement } = await newAccountToken(deps, id, 'password_reset', options);
    const [[row]] = await deps.db.writeResent(statement);
    if (row) await sendMail(deps, { to: row.email, template: 'staff_invitation', params: link });
  });
}

/** One batch: account, roles and audit. */
export async function createUser(deps: Deps, actor: StaffActor, on: Change, input: NewUser): Promise<User> {
  const roleIds = [...new Set(input.role_ids)];
  const row = await deps.db.commit(
    [
      ...claimStatements(on.claim, on.id),
      ...accessLocked(actor, 'users:write'),
      insertUser({ id: on.id, email: input.email, name: input.name }),
      requireGrantable(actor, on.id, roleIds),
      grantRoles(on.id, roleIds),
      audited(deps, actor, on, { action: 'users.create', details: { role_ids: roleIds } }),
    ],
    userById(on.id),
    { resend: on.claim !== null },
  );
  if (!row) throw new Error('no user was made');
  return toUser(row);
}

/** Roles first, then status: who is let in again holds the roles that are set with it. */
function patchStatements(actor: StaffActor, id: string, { name, status, role_ids }: UserPatch): Sql[] {
  const roleIds = role_ids && [...new Set(role_ids)];
  return [
    ...(roleIds ? [requireGrantable(actor, id, roleIds), replaceRoles(id, roleIds)] : []),
    ...(status === 'active' ? [requireReinstatable(actor, id)] : []),
    updateUser(id, { name, status }),
    ...(status === 'deactivated' ? [revokeSessionsOf(id)] : []),
    requireOwnerLeft,
  ];
}

/**
 * One batch. Deactivation and other roles end the user's sessions; it resolves when their tokens are refused everywhere.
 */
export async function updateUserBy(deps: Deps, actor: StaffActor, on: Change, patch: UserPatch): Promise<User> {
  const { status, role_ids } = patch;
  const details = { fields: Object.keys(patch), ...(status && { status }), ...(role_ids && { role_ids }) };
  const row = await deps.db.commit(
    [
      ...claimStatements(on.claim, on.id),
      ...accessLocked(actor, 'users:write'),
      requireVersion(lockedUser(on.id), on.versions, 'user'),
      requireOwnerForOwner(actor, on.id),
      ...patchStatements(actor, on.id, patch),
      audited(deps, actor, on, { action: status === 'deactivated' ? 'users.deactivate' : 'users.update', details }),
    ],
    userById(on.id),
    { resend: on.claim !== null },
  );
  if (!row) throw notFound('user');
  await publishRevocations(deps, row.ended_sessions);
  return toUser(row);
}

/** For a repeat whose first reply was lost: says again which sessions ended, and answers what is there. */
export async function settledUser(deps: Deps, id: string): Promise<User> {
  const [[row]] = await deps.db.read(userById(id));
  if (!row) throw notFound('user');
  await publishRevocations(deps, row.ended_sessions);
  return toUser(row);
}
