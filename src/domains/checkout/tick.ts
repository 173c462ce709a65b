import type { Deps } from '../../platform/deps.ts';
import { describeCause } from '../../platform/http/problem.ts';
import { unattendedOrders } from './queries.ts';
import { resume } from './settle.ts';

const ORDERS_MAX = 20;

/** Settles pending orders that nobody works on: crashed attempts, payments in doubt, buyers who never came back. */
export async function settleUnattended(deps: Deps): Promise<number> {
  const [orders] = await deps.db.read(unattendedOrders(ORDERS_MAX));
  let settled = 0;
  for (const { id } of orders) {
    try {
      const order = await resume(deps, id);
      if (order.status !== 'pending') settled += 1;
    } catch (error) {
      deps.log.log('error', 'settling failed', { order_id: id, cause: describeCause(error) });
    }
  }
  return settled;
}
