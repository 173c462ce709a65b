import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { loggableId } from '../../platform/telemetry/redact.ts';
import { emitEventIf } from '../events/index.ts';
import type { Outcome } from './provider.ts';
import type { PaymentRow } from './queries/payments.ts';
import { hasResult, openRequestById } from './queries/requests.ts';
import { lateEntryOf, recordLate } from './queries/told.ts';
import { settleRequest } from './requests.ts';
import { onlineProvider } from './service.ts';

type Came = Extract<Outcome, { status: 'captured' | 'authorized' }>;

function inDoubt(): AppError {
  return new AppError('payment_in_doubt', 'The payment could not be looked up. Deliver again.', { retryAfterS: 60 });
}

/** What people have not refunded of it yet, nor are about to. */
async function leftOf(deps: Deps, payment: PaymentRow, came: Came): Promise<number> {
  if (came.status === 'authorized') return came.amount;
  const refunds = await onlineProvider(deps, payment.provider).refunds(came.reference);
  if (refunds === null) throw inDoubt();
  return refunds.reduce((left, { status, amount }) => (status === 'failed' ? left : left - amount), came.amount);
}

async function giveBack(deps: Deps, payment: PaymentRow, came: Came): Promise<void> {
  const { db, ids } = deps;
  const left = await leftOf(deps, payment, came);
  const [id, requestId, refundId] = [ids.uuid(), ids.uuid(), ids.uuid()];
  const { reference, amount } = came;
  const isMoney = came.status === 'captured';
  const late = { paymentId: payment.id, reference, left, requestId, refundId };
  const payload = { order_id: payment.order_id, amount, currency: payment.currency };
  const event = { id: ids.uuid(), type: 'payment.captured', aggregateId: payment.id, payload };
  const statements = [
    ...recordLate({ ...late, came: { id, kind: isMoney ? 'capture' : 'authorize', amount } }),
    ...(isMoney ? [emitEventIf(hasResult(id), event)] : []),
  ];
  const opened = await db.commit(statements, openRequestById(requestId), { resend: true });
  if (opened) await settleRequest(deps, requestId);
}

/**
 * Money that came through after its order had failed goes back: the stock may be sold by now. That it came is written down
 * first, with a request like any other, which the tick goes on with. Answers whether any came. Throws payment_in_doubt.
 */
export async function returnLatePayment(deps: Deps, payment: PaymentRow): Promise<boolean> {
  if (payment.provider_reference === null) return false;
  const [[before]] = await deps.db.read(lateEntryOf(payment.id));
  if (before) return true;
  const came = await onlineProvider(deps, payment.provider).find(payment.provider_reference);
  if (came.status === 'unknown') throw inDoubt();
  if (came.status !== 'captured' && came.status !== 'authorized') return false;
  deps.log.log('error', 'payment came through for a failed order', {
    order_id: loggableId(payment.order_id),
    payment_id: loggableId(payment.id),
  });
  await giveBack(deps, payment, came);
  return true;
}
