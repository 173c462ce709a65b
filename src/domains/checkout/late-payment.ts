import type { Deps } from '../../platform/deps.ts';
import { AppError } from '../../platform/errors.ts';
import { loggableId } from '../../platform/telemetry/redact.ts';
import {
  onlineProvider,
  outcomeOfRefund,
  recordReturn,
  returnOf,
  type Outcome,
  type PaymentRow,
} from '../payments/index.ts';

type Came = Extract<Outcome, { status: 'captured' | 'authorized' }>;
type Named = PaymentRow & { provider_reference: string };

const isNamed = (payment: PaymentRow): payment is Named => payment.provider_reference !== null;

/** The same key with every delivery: the money goes back once. A provider may have forgotten it, so it is looked for first. */
async function giveBack(deps: Deps, { id, provider: name, provider_reference: reference }: Named, outcome: Came) {
  const provider = onlineProvider(deps, name);
  const key = `late-${id}`;
  if (outcome.status === 'authorized') return await provider.void(reference, { key });
  const refunds = await provider.refunds(reference);
  if (refunds === null) return { status: 'unknown' } as const;
  const made = refunds.find(({ requestId }) => requestId === key);
  return made ? outcomeOfRefund(made) : await provider.refund(reference, { amount: outcome.amount, key });
}

/**
 * Money that came through after its order had failed goes back: the stock may be sold by now. What cannot be returned for
 * certain is asked for again with the next delivery.
 */
export async function returnLatePayment(deps: Deps, payment: PaymentRow): Promise<void> {
  if (!isNamed(payment)) return;
  const [[before]] = await deps.db.read(returnOf(payment.id));
  if (before) return;
  const outcome = await onlineProvider(deps, payment.provider).find(payment.provider_reference);
  if (outcome.status === 'unknown') throw inDoubt();
  if (outcome.status !== 'captured' && outcome.status !== 'authorized') return;
  deps.log.log('error', 'payment came through for a failed order', {
    order_id: loggableId(payment.order_id),
    payment_id: loggableId(payment.id),
  });
  const returned = await giveBack(deps, payment, outcome);
  const isBackAlready = returned.status === 'failure' && returned.reason === 'charge_already_refunded';
  if (returned.status !== 'success' && !isBackAlready) throw inDoubt();
  const ids = { came: deps.ids.uuid(), went: deps.ids.uuid() };
  const [came, went] =
    outcome.status === 'captured' ? (['capture', 'refund'] as const) : (['authorize', 'void'] as const);
  const { amount } = outcome;
  const returnReference = returned.reference;
  await deps.db.writeResent(...recordReturn({ payment, came, went, amount, returnReference, ids }));
}

function inDoubt(): AppError {
  return new AppError('payment_in_doubt', 'The payment could not be returned yet. Deliver again.', { retryAfterS: 60 });
}
