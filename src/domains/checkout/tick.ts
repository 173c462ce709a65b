import { forEachAtOnce } from '../../platform/at-once.ts';
import type { Deps } from '../../platform/deps.ts';
import { describeCause } from '../../platform/http/problem.ts';
import { loggableId } from '../../platform/telemetry/redact.ts';
import { unattendedOrders } from './queries.ts';
import { resume } from './settle.ts';

const ORDERS_MAX = 100;

/** Settles pending orders that nobody works on: crashed attempts, payments in doubt, buyers who never came back. */
export async function settleUnattended(deps: Deps): Promise<number> {
  const [orders] = await deps.db.read(unattendedOrders(ORDERS_MAX));
  let settled = 0;
  await forEachAtOnce(
    orders,
    async ({ id }) => {
      const order = await resume(deps, id);
      if (order.status !== 'pending') settled += 1;
    },
    ({ id }, error) =>
      deps.log.log('error', 'settling failed', { order_id: loggableId(id), cause: describeCause(error) }),
  );
  return settled;
}
