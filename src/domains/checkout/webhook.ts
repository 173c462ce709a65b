import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { markWebhookApplied, onlineProvider, paymentById, storeWebhook, type ProviderName } from '../payments/index.ts';
import { returnLatePayment } from './late-payment.ts';
import { resume } from './settle.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NO_PAYMENT = '00000000-0000-0000-0000-000000000000';

/**
 * Stores the event under its unique id, then settles the order it is about by asking the provider for the state as it
 * is now: repeated and out-of-order events converge. While another worker holds the order, or the outcome is not known,
 * the provider is asked to deliver again.
 */
export async function receiveWebhook(deps: Deps, name: ProviderName, headers: Headers, body: string): Promise<void> {
  const event = await onlineProvider(deps, name).readWebhook(headers, body);
  if (!event) throw new AppError('unauthenticated', 'The signature does not hold.', { param: 'Test-Signature' });
  const paymentId = UUID.test(event.paymentId ?? '') ? event.paymentId : null;
  const [, [payment]] = await deps.db.writeResent(
    storeWebhook(name, { ...event, paymentId }),
    paymentById(paymentId ?? NO_PAYMENT),
  );
  if (payment) {
    const order = await resume(deps, payment.order_id);
    if (order.status === 'pending' && order.lease_live) {
      throw new AppError('idempotency_in_flight', 'The order is being settled. Deliver again.', { retryAfterS: 5 });
    }
    if (order.status === 'failed') await returnLatePayment(deps, payment);
  }
  await deps.db.writeResent(markWebhookApplied(name, event.id));
}
