import { drainOutbox } from './domains/events/index.ts';
import { removeDoneKeys } from './platform/http/idempotency.ts';
import { removeExpiredCarts } from './domains/cart/index.ts';
import { removeExpiredSessions } from './domains/identity/index.ts';
import { settleUnattended } from './domains/checkout/index.ts';
import type { Deps } from './platform/deps.ts';

/** The clockwork, once a minute: idempotent, and harmless when two of them overlap. */
export async function tick(deps: Deps): Promise<void> {
  const settled = await settleUnattended(deps);
  const delivered = await drainOutbox(deps);
  await deps.db.writeResent(removeDoneKeys, removeExpiredCarts, removeExpiredSessions);
  deps.log.log('info', 'tick', { orders_settled: settled, events_delivered: delivered, db_round_trips: deps.trips.db });
}
