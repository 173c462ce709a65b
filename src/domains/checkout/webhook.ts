import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import {
  applyDispute,
  markWebhookApplied,
  onlineProvider,
  paymentOfEvent,
  reconcileRefunds,
  storeWebhook,
  type PaymentRow,
  type ProviderName,
  type WebhookEvent,
} from '../payments/index.ts';
import { returnLatePayment } from './late-payment.ts';
import { resume } from './settle.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** An order that waits for its payment is settled; of one that is placed, what was told is written down. */
async function apply(deps: Deps, payment: PaymentRow, event: WebhookEvent): Promise<void> {
  const order = await resume(deps, payment.order_id);
  if (order.status === 'pending' && order.lease_live) {
    throw new AppError('idempotency_in_flight', 'The order is being settled. Deliver again.', { retryAfterS: 5 });
  }
  if (order.status === 'failed') return await returnLatePayment(deps, payment);
  if (event.dispute) return await applyDispute(deps, payment, event.dispute);
  if (!event.type.includes('refund') || (await reconcileRefunds(deps, payment))) return;
  throw new AppError('payment_in_doubt', 'The refund could not be looked up. Deliver again.', { retryAfterS: 60 });
}

/**
 * Stores the event under its unique id, then acts on it by asking the provider for the state as it is now: repeated and
 * out-of-order events converge. While another worker holds the order, or the outcome is not known, the provider is asked to
 * deliver again.
 */
export async function receiveWebhook(deps: Deps, name: ProviderName, headers: Headers, body: string): Promise<void> {
  const event = await onlineProvider(deps, name).readWebhook(headers, body);
  if (!event) throw new AppError('unauthenticated', 'The signature does not hold.', { param: 'Test-Signature' });
  const paymentId = UUID.test(event.paymentId ?? '') ? event.paymentId : null;
  const [, [payment]] = await deps.db.writeResent(
    storeWebhook(name, { ...event, paymentId }),
    paymentOfEvent(paymentId, name, event.paymentReference),
  );
  if (payment) await apply(deps, payment, event);
  await deps.db.writeResent(markWebhookApplied(name, event.id));
}
