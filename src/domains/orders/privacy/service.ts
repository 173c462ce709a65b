import type { Actor } from '../../../platform/auth/actor.ts';
import { publishRevocations } from '../../../platform/auth/revocation.ts';
import type { Rows } from '../../../platform/db/db.ts';
import { AlreadyApplied } from '../../../platform/db/errors.ts';
import type { Deps } from '../../../platform/deps.ts';
import { notFound } from '../../../platform/errors.ts';
import { claimStatements, type Claim } from '../../../platform/http/idempotency.ts';
import { heldCarts } from '../../cart/index.ts';
import { allAddressesOf, heldProfile, toAddress } from '../../customers/index.ts';
import { drainOutbox } from '../../events/index.ts';
import { endedSessions, signInsOf } from '../../identity/index.ts';
import { toOrder } from '../rules/order.ts';
import {
  activityOf,
  eraseStatements,
  heldOrders,
  noteExport,
  requireNotErased,
  type Erasure,
} from '../statements/privacy.ts';
import type { CustomerExport } from './schema.ts';

/** Who asks for it, and in which request. */
export interface Asked {
  actor: Actor;
  requestId: string;
}

function held(customerId: string) {
  return [
    heldProfile(customerId),
    signInsOf(customerId),
    allAddressesOf(customerId),
    heldCarts(customerId),
    heldOrders(customerId),
    activityOf(customerId),
  ] as const;
}

type Held = [...Rows<ReturnType<typeof held>>, ...unknown[][]];

function toExport({ clock }: Deps, rows: Held): CustomerExport {
  const [[customer], [sign_in], addresses, carts, orders, activity] = rows;
  if (!customer || !sign_in) throw notFound('customer');
  return {
    exported_at: clock.now().toISOString(),
    customer,
    sign_in,
    addresses: addresses.map(toAddress),
    carts,
    orders: orders.map(toOrder),
    activity,
  };
}

/** One round trip. */
export async function exportOwn(deps: Deps, customerId: string): Promise<CustomerExport> {
  return toExport(deps, await deps.db.read(...held(customerId)));
}

/** The same for staff, and that they looked is written down with it; 404 for who is no customer any more. */
export async function exportCustomer(deps: Deps, customerId: string, asked: Asked): Promise<CustomerExport> {
  const noted = noteExport(customerId, { ...asked, id: deps.ids.uuid() });
  return toExport(deps, await deps.db.write(...held(customerId), ...noted));
}

interface EraseOptions extends Asked {
  /** The versions that If-Match names, or null. */
  versions: readonly number[] | null;
  claim: Claim | null;
}

/** Sent again after a lost reply it meets its own event, and only the sessions are left to be told of. */
async function commitErasure(deps: Deps, erasure: Erasure, claim: Claim | null): Promise<string[]> {
  const { customerId } = erasure;
  const ended = endedSessions(customerId);
  const statements = [...claimStatements(claim, customerId), ...eraseStatements(erasure)];
  const options = { resend: true, notYet: requireNotErased(erasure) };
  try {
    return (await deps.db.commit(statements, ended, options))?.ids ?? [];
  } catch (error) {
    if (!(error instanceof AlreadyApplied)) throw error;
    const [[row]] = await deps.db.read(ended);
    return row?.ids ?? [];
  }
}

/**
 * Forgets a person in one batch: their orders stay, as nobody's. All their sessions end at once. 404 for who is no
 * customer any more, 409 conflict while an order of theirs waits for its payment.
 */
export async function eraseCustomer(
  deps: Deps,
  customerId: string,
  { actor, requestId, versions, claim }: EraseOptions,
): Promise<void> {
  const audit = { id: deps.ids.uuid(), actor, requestId };
  const erasure = { customerId, versions, eventId: deps.ids.uuid(), audit };
  await publishRevocations(deps, await commitErasure(deps, erasure, claim));
  deps.defer(() => drainOutbox(deps));
}
