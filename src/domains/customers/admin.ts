import * as z from 'zod';
import type { Actor } from '../../platform/auth/actor.ts';
import type { Deps } from '../../platform/deps.ts';
import { requireVersion } from '../../platform/db/version.ts';
import { notFound } from '../../platform/errors.ts';
import { publishRevocations } from '../../platform/auth/revocation.ts';
import { claimStatements } from '../../platform/http/idempotency.ts';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import type { Change } from '../../platform/http/change.ts';
import { auditEntry } from '../audit/index.ts';
import { revokeSessionsOf } from '../identity/index.ts';
import type { AdminCustomer, AdminCustomerPatch, AdminCustomerQuery } from './admin-schema.ts';
import {
  adminCustomerById,
  adminCustomerPage,
  lockedCustomer,
  updateCustomer,
  type ChangedCustomerRow,
} from './queries/admin.ts';

const Cursor = z.tuple([z.uuid()]);

/** One round trip. */
export async function listCustomers(deps: Deps, { limit, cursor, ...filter }: z.output<typeof AdminCustomerQuery>) {
  const before = decodeCursor(cursor, Cursor)?.[0] ?? null;
  const [rows] = await deps.db.read(adminCustomerPage(filter, before, limit));
  return pageOf(rows, limit, { item: (row) => row, key: ({ id }) => [id] });
}

function toCustomer({ ended_sessions: _ended, ...customer }: ChangedCustomerRow): AdminCustomer {
  return customer;
}

/** One round trip; 404 for an account of the staff and for somebody who was erased. */
export async function getCustomer(deps: Deps, id: string): Promise<AdminCustomer> {
  const [[row]] = await deps.db.read(adminCustomerById(id));
  if (!row) throw notFound('customer');
  return toCustomer(row);
}

/** One batch. Deactivation ends the customer's sessions; it resolves when their tokens are refused everywhere. */
export async function updateCustomerBy(
  deps: Deps,
  actor: Actor,
  on: Change,
  patch: AdminCustomerPatch,
): Promise<AdminCustomer> {
  const { status } = patch;
  const row = await deps.db.commit(
    [
      ...claimStatements(on.claim, on.id),
      requireVersion(lockedCustomer(on.id), on.versions, 'customer'),
      ...updateCustomer(on.id, patch),
      ...(status === 'deactivated' ? [revokeSessionsOf(on.id)] : []),
      auditEntry({
        id: deps.ids.uuid(),
        actor,
        action: status === 'deactivated' ? 'customers.deactivate' : 'customers.update',
        resource: { type: 'customer', id: on.id },
        details: { fields: Object.keys(patch), ...(status && { status }) },
        requestId: on.requestId,
      }),
    ],
    adminCustomerById(on.id),
    { resend: on.claim !== null },
  );
  if (!row) throw notFound('customer');
  await publishRevocations(deps, row.ended_sessions);
  return toCustomer(row);
}

/** For a repeat whose first reply was lost: says again which sessions ended, and answers what is there. */
export async function settledCustomer(deps: Deps, id: string): Promise<AdminCustomer> {
  const [[row]] = await deps.db.read(adminCustomerById(id));
  if (!row) throw notFound('customer');
  await publishRevocations(deps, row.ended_sessions);
  return toCustomer(row);
}
