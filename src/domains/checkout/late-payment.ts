import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { loggableId } from '../../platform/telemetry/redact.ts';
import {
  onlineProvider,
  outcomeOfRefund,
  reconcileRefunds,
  recordReturn,
  returnOf,
  type Outcome,
  type PaymentRow,
  type Returned,
} from '../payments/index.ts';

type Came = Extract<Outcome, { status: 'captured' | 'authorized' }>;
type Named = Returned['payment'];

const isNamed = (payment: PaymentRow): payment is Named => payment.provider_reference !== null;

function inDoubt(): AppError {
  return new AppError('payment_in_doubt', 'The payment could not be returned yet. Deliver again.', { retryAfterS: 60 });
}

/**
 * What is left of it, under the same key with every delivery: it goes back once. A provider may have forgotten the key, so
 * it is looked for first. Null where people have refunded all of it themselves.
 */
async function giveBack(deps: Deps, payment: Named, came: Came): Promise<Returned['went']> {
  const provider = onlineProvider(deps, payment.provider);
  const { provider_reference: reference } = payment;
  const key = `late-${payment.id}`;
  if (came.status === 'authorized') {
    const voided = await provider.void(reference, { key });
    if (voided.status !== 'success') throw inDoubt();
    return { kind: 'void', amount: came.amount, reference };
  }
  const refunds = await provider.refunds(reference);
  if (refunds === null) throw inDoubt();
  const made = refunds.find(({ requestId }) => requestId === key);
  const back = refunds.reduce((sum, { status, amount }) => sum + (status === 'failed' ? 0 : amount), 0);
  const amount = made?.amount ?? came.amount - back;
  if (amount <= 0) return null;
  const refunded = made ? outcomeOfRefund(made) : await provider.refund(reference, { amount, key });
  if (refunded.status !== 'success') throw inDoubt();
  return { kind: 'refund', amount, reference: refunded.reference ?? reference };
}

/**
 * Money that came through after its order had failed goes back: the stock may be sold by now. What cannot be returned for
 * certain is asked for again with the next delivery.
 */
export async function returnLatePayment(deps: Deps, payment: PaymentRow): Promise<void> {
  if (!isNamed(payment)) return;
  const [[before]] = await deps.db.read(returnOf(payment.id));
  if (before) return;
  const came = await onlineProvider(deps, payment.provider).find(payment.provider_reference);
  if (came.status === 'unknown') throw inDoubt();
  if (came.status !== 'captured' && came.status !== 'authorized') return;
  deps.log.log('error', 'payment came through for a failed order', {
    order_id: loggableId(payment.order_id),
    payment_id: loggableId(payment.id),
  });
  const went = await giveBack(deps, payment, came);
  if (!(await reconcileRefunds(deps, payment))) throw inDoubt();
  const kind = came.status === 'captured' ? 'capture' : 'authorize';
  const ids = { came: deps.ids.uuid(), went: deps.ids.uuid() };
  await deps.db.writeResent(...recordReturn({ payment, came: { kind, amount: came.amount }, went, ids }));
}
