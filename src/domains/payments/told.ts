import type { Deps } from '../../platform/deps.ts';
import { loggableId } from '../../platform/telemetry/redact.ts';
import { endOfAuthorization, writeTold, type Told } from './ledger.ts';
import type { Dispute, ProviderRefund } from './provider.ts';
import type { PaymentRow } from './queries/payments.ts';
import { authorizationOf, knownRefunds, type KnownRefund } from './queries/told.ts';
import { settleRequest } from './requests.ts';
import { onlineProvider } from './service.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function write(deps: Deps, payment: PaymentRow, told: Told): Promise<void> {
  const refundId = await writeTold(deps, payment, told);
  if (refundId !== null) await settleRequest(deps, refundId);
}

const namesOf = ({ order_id, id }: PaymentRow) => ({ order_id: loggableId(order_id), payment_id: loggableId(id) });

/** Money that a bank took back stands until the dispute is won; told twice or in any order it comes to the same. */
export async function applyDispute(deps: Deps, payment: PaymentRow, dispute: Dispute): Promise<void> {
  const { reference: eventReference, status, amount } = dispute;
  const result = { kind: 'chargeback', amount, eventReference } as const;
  if (status === 'won') await write(deps, payment, { ...result, outcome: 'failure', event: 'payment.dispute_won' });
  else await write(deps, payment, { ...result, outcome: 'success', event: 'payment.charged_back' });
}

/** Ours get their result, those that were made at the provider itself are written down, and so is one that failed after all. */
async function reconcileRefund(
  deps: Deps,
  payment: PaymentRow,
  { reference: eventReference, amount, status, requestId }: ProviderRefund,
  { has_succeeded, has_failed }: KnownRefund,
): Promise<void> {
  if (status === 'pending' || has_failed) return;
  const told = { kind: 'refund', amount, eventReference } as const;
  if (has_succeeded) {
    if (status === 'succeeded') return;
    await write(deps, payment, { ...told, outcome: 'failure', event: 'payment.refund_failed' });
    deps.log.log('error', 'a refund failed after it had succeeded', namesOf(payment));
  } else if (requestId !== null && UUID.test(requestId)) {
    await settleRequest(deps, requestId);
  } else if (status === 'succeeded') {
    await write(deps, payment, { ...told, outcome: 'success', event: 'payment.refunded' });
  }
}

/** Refunds as the provider has them now. False when it did not say. */
export async function reconcileRefunds(deps: Deps, payment: PaymentRow): Promise<boolean> {
  if (payment.provider_reference === null) return true;
  const refunds = await onlineProvider(deps, payment.provider).refunds(payment.provider_reference);
  if (refunds === null) return false;
  const references = refunds.map(({ reference }) => reference);
  const [rows] = await deps.db.read(knownRefunds(payment.id, references));
  const known = new Map(rows.map((row) => [row.reference, row]));
  for (const refund of refunds) {
    const row = known.get(refund.reference);
    if (row) await reconcileRefund(deps, payment, refund, row);
  }
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
