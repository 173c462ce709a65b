import type { Deps } from '../../platform/deps.ts';
import { describeCause } from '../../platform/http/problem.ts';
import { loggableId } from '../../platform/telemetry/redact.ts';
import { unattendedOrders } from './queries.ts';
import { resume } from './settle.ts';

const ORDERS_MAX = 100;
/** One slow provider call must not hold up the others; a Worker has six connections at a time. */
const AT_ONCE = 5;

/** Settles pending orders that nobody works on: crashed attempts, payments in doubt, buyers who never came back. */
export async function settleUnattended(deps: Deps): Promise<number> {
  const [orders] = await deps.db.read(unattendedOrders(ORDERS_MAX));
  let settled = 0;
  const waiting = [...orders];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      try {
        const order = await resume(deps, next.id);
        if (order.status !== 'pending') settled += 1;
      } catch (error) {
        const order_id = loggableId(next.id);
        deps.log.log('error', 'settling failed', { order_id, cause: describeCause(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return settled;
}
