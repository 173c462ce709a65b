import { removeOldEntries } from './domains/audit/index.ts';
import { removeExpiredCarts } from './domains/cart/index.ts';
import { removeDead, removeDelivered } from './domains/events/index.ts';
import {
  removeExpiredOidcLogins,
  removeExpiredSessions,
  removeExpiredTokens,
  removeOldFailures,
} from './domains/identity/index.ts';
import { removeAppliedWebhooks, removeUnappliedWebhooks } from './domains/payments/index.ts';
import { countRemoved, type Removed } from './platform/db/removal.ts';
import type { Sql } from './platform/db/sql.ts';
import type { Deps } from './platform/deps.ts';
import { removeDoneKeys } from './platform/http/idempotency.ts';

/** Of each kind and tick: far more than a minute makes, few enough to be gone within a second. */
const ROWS_MAX = 5_000;

/** Days that rows without an end of their own are kept. Orders, payments, stock and what changed them are kept for good. */
const KEPT_DAYS = {
  deliveredEvents: 30,
  deadEvents: 90,
  appliedWebhooks: 30,
  unappliedWebhooks: 90,
  auditLog: 400,
} as const;

/** Each is bounded, leaves alone what somebody holds, and starts from an index. */
export const CLEAN_UPS: readonly Sql<Removed>[] = [
  countRemoved(removeDoneKeys(ROWS_MAX)),
  countRemoved(removeExpiredCarts),
  countRemoved(removeExpiredSessions),
  countRemoved(removeExpiredTokens),
  countRemoved(removeExpiredOidcLogins),
  countRemoved(removeOldFailures),
  countRemoved(removeDelivered(KEPT_DAYS.deliveredEvents, ROWS_MAX)),
  countRemoved(removeDead(KEPT_DAYS.deadEvents, ROWS_MAX)),
  countRemoved(removeAppliedWebhooks(KEPT_DAYS.appliedWebhooks, ROWS_MAX)),
  countRemoved(removeUnappliedWebhooks(KEPT_DAYS.unappliedWebhooks, ROWS_MAX)),
  removeOldEntries(KEPT_DAYS.auditLog, ROWS_MAX),
];

/** Removes what has been kept long enough, a bounded number of each kind, in one round trip; answers how many rows. */
export async function removeOldRows(deps: Deps): Promise<number> {
  const results = await deps.db.writeResent(...CLEAN_UPS);
  return results.flat().reduce((sum, { removed }) => sum + removed, 0);
}
