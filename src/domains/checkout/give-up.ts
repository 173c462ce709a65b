import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import type { OrderRow } from '../orders/index.ts';
import { providerIfAvailable, returnLatePayment, type Outcome, type PaymentRow } from '../payments/index.ts';
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

const FORCED: Outcome = { status: 'declined', reference: null, reason: 'given_up' };

/** What had come all the same goes back; where that is not known yet, it does with what is told of it. */
async function sendBack(deps: Deps, payment: PaymentRow): Promise<void> {
  const provider = providerIfAvailable(deps, payment.provider);
  if (!provider) return;
  const found = payment.provider_reference === null ? await provider.search(payment.id) : null;
  const named = found && 'reference' in found ? found.reference : null;
  try {
    await returnLatePayment(deps, { ...payment, provider_reference: payment.provider_reference ?? named });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
  }
}

/**
 * Gives a payment up that waits for its buyer, who wants to pay otherwise. The order has failed once the provider says
 * that nothing can come of it any more, else it is what came of it first. Throws payment_in_doubt while nobody knows.
 * For staff nothing is charged that was not before; by force the order fails also where nobody knows.
 */
export async function giveUp(deps: Deps, orderId: string, by: 'buyer' | 'staff' | 'force' = 'buyer'): Promise<void> {
  const attempt = deps.ids.uuid();
  const [[taken]] = await deps.db.write(takeOver(orderId, attempt), takeOverKeys(orderId, attempt));
  if (!taken) return;
  const order = await settle(
    deps,
    { ...taken, is_abandoned: true, is_stale: taken.is_stale || by !== 'buyer' },
    { isAgain: true, ...(by === 'force' && { otherwise: FORCED }) },
  );
  if (by === 'force' && order.status === 'failed') await sendBack(deps, taken.payment);
  if (!isInDoubt(order)) return;
  // Where the first reply was lost, there is only now something to give up.
  if (taken.payment.provider_reference === null && answerOf(order) === 'waiting')
    return await giveUp(deps, orderId, by);
  throw new AppError('payment_in_doubt', 'Nothing is lost. Try again with the same key.', {
    retryAfterS: 5,
    members: { order_id: orderId },
  });
}
