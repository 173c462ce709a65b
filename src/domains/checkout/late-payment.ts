import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { loggableId } from '../../platform/telemetry/redact.ts';
import { onlineProvider, recordReturn, type PaymentRow } from '../payments/index.ts';

/**
 * Money that came through after its order had failed goes back: the stock may be sold by now. What cannot be returned for
 * certain is asked for again with the next delivery.
 */
export async function returnLatePayment(deps: Deps, payment: PaymentRow): Promise<void> {
  const reference = payment.provider_reference;
  if (reference === null) return;
  const provider = onlineProvider(deps, payment.provider);
  const outcome = await provider.find(reference);
  if (outcome.status !== 'captured' && outcome.status !== 'authorized') return;
  deps.log.log('error', 'payment came through for a failed order', {
    order_id: loggableId(payment.order_id),
    payment_id: loggableId(payment.id),
  });
  const isCaptured = outcome.status === 'captured';
  // The same key with every delivery: the money goes back once.
  const key = `late-${payment.id}`;
  const returned = isCaptured
    ? await provider.refund(reference, { amount: outcome.amount, key })
    : await provider.void(reference, { key });
  const isBackAlready = returned.status === 'failure' && returned.reason === 'charge_already_refunded';
  if (returned.status !== 'success' && !isBackAlready) {
    throw new AppError('payment_in_doubt', 'The payment could not be returned yet. Deliver again.', {
      retryAfterS: 60,
    });
  }
  const ids = { came: deps.ids.uuid(), went: deps.ids.uuid() };
  const [came, went] = isCaptured ? (['capture', 'refund'] as const) : (['authorize', 'void'] as const);
  await deps.db.writeResent(...recordReturn({ payment, came, went, amount: outcome.amount, ids }));
}
