import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import type { OrderRow } from '../orders/index.ts';
import type { LiveOrder } from './queries-live.ts';
import { takeOver, takeOverKeys } from './queries.ts';
import { answerOf } from './rules.ts';
import type { NewOrder } from './schema.ts';
import { settle } from './settle.ts';

/** Whether whoever orders asks for what the cart's order is being paid with, at the price that it was frozen at. */
export function isAskedAgain({ total, payment }: LiveOrder, { payment: asked, expected_total }: NewOrder): boolean {
  return (
    (expected_total ?? total) === total &&
    payment?.provider === asked.provider &&
    payment.capture === asked.capture &&
    payment.token === (asked.token ?? null)
  );
}

/** It still asks its buyer, or the provider has said nothing; one that is with a bank only takes its time. */
function isInDoubt(order: OrderRow): boolean {
  const answer = answerOf(order);
  return answer === 'in_doubt' || (answer === 'waiting' && order.payments.at(-1)?.next_action != null);
}

/**
 * Gives a payment up that waits for its buyer, who wants to pay otherwise. The order has failed once the provider says
 * that nothing can come of it any more, else it is what came of it first. Throws payment_in_doubt while nobody knows.
 */
export async function giveUp(deps: Deps, orderId: string): Promise<void> {
  const attempt = deps.ids.uuid();
  const [[taken]] = await deps.db.write(takeOver(orderId, attempt), takeOverKeys(orderId, attempt));
  if (!taken) return;
  const order = await settle(deps, { ...taken, is_abandoned: true });
  if (!isInDoubt(order)) return;
  // Where the first reply was lost, there is only now something to give up.
  if (taken.payment.provider_reference === null && answerOf(order) === 'waiting') return await giveUp(deps, orderId);
  throw new AppError('payment_in_doubt', 'Nothing is lost. Try again with the same key.', {
    retryAfterS: 5,
    members: { order_id: orderId },
  });
}
