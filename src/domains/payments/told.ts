import type { Deps } from '../../platform/deps.ts';
import { loggableId } from '../../platform/telemetry/redact.ts';
import { bookRefunds, endOfAuthorization, writeTold, type Told } from './ledger.ts';
import type { Dispute } from './provider.ts';
import type { PaymentRow } from './queries/payments.ts';
import { authorizationOf } from './queries/told.ts';
import { settleRequest } from './requests.ts';
import { onlineProvider } from './service.ts';

async function write(deps: Deps, payment: PaymentRow, told: Told): Promise<void> {
  const refundId = await writeTold(deps, payment, told);
  if (refundId !== null) await settleRequest(deps, refundId);
}

const namesOf = ({ order_id, id }: PaymentRow) => ({ order_id: loggableId(order_id), payment_id: loggableId(id) });

/**
 * Money that a bank took back stands until the dispute is won; told twice or in any order it comes to the same. One that is
 * counted in another currency is taken for the whole payment.
 */
export async function applyDispute(deps: Deps, payment: PaymentRow, dispute: Dispute): Promise<void> {
  const { reference: eventReference, status, currency } = dispute;
  const isForeign = currency !== null && currency !== payment.currency;
  if (isForeign) deps.log.log('warn', 'a dispute is counted in another currency than its payment', namesOf(payment));
  const amount = isForeign ? payment.amount : dispute.amount;
  const result = { kind: 'chargeback', amount, eventReference } as const;
  if (status === 'won') await write(deps, payment, { ...result, outcome: 'failure', event: 'payment.dispute_won' });
  else await write(deps, payment, { ...result, outcome: 'success', event: 'payment.charged_back' });
}

/** Refunds as the provider has them now. False when it did not say. */
export async function reconcileRefunds(deps: Deps, payment: PaymentRow): Promise<boolean> {
  if (payment.provider_reference === null) return true;
  const refunds = await onlineProvider(deps, payment.provider).refunds(payment.provider_reference);
  if (refunds === null) return false;
  for (const requestId of await bookRefunds(deps, payment, refunds)) await settleRequest(deps, requestId);
  return true;
}

/**
 * What is authorized here may have been captured or given up at the provider itself, by people or by age. False when the
 * provider did not say, or while it is open what became of a capture or void that was asked for here.
 */
export async function reconcileAuthorized(deps: Deps, payment: PaymentRow): Promise<boolean> {
  const { provider_reference: reference } = payment;
  const [[found]] = await deps.db.read(authorizationOf(payment.id));
  if (!found || reference === null) return true;
  // With its result it is written what the provider says besides.
  if (found.open_request !== null) return (await settleRequest(deps, found.open_request)) === 'settled';
  if (!found.is_left) return true;
  const state = await onlineProvider(deps, payment.provider).find(reference);
  const end = endOfAuthorization(state, payment, reference);
  if (end) await write(deps, payment, end);
  if (end?.kind === 'void')
    deps.log.log('error', 'an authorization has ended that nobody here gave up', namesOf(payment));
  return state.status !== 'unknown';
}
