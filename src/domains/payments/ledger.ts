import type { Deps } from '../../platform/deps.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { emitEventIf } from '../events/index.ts';
import { loggableId } from '../../platform/telemetry/redact.ts';
import type { Outcome, ProviderRefund } from './provider.ts';
import { hasResult, openRequestById } from './queries/requests.ts';
import { appendTold, knownRefunds, returnUndue, type KnownRefund, type ToldRow } from './queries/told.ts';

/** The payment that is told of; `amount` in minor units. */
export interface Subject {
  id: string;
  order_id: string;
  amount: number;
  currency: string;
}

export type Told = Omit<ToldRow, 'id' | 'paymentId'> & { event: `payment.${string}` };

/** What the state at the provider says of an authorization that nobody asks about here; null while it may still change. */
export function endOfAuthorization(state: Outcome, { amount }: Subject, eventReference: string): Told | null {
  const end = { outcome: 'success', eventReference } as const;
  if (state.status === 'captured') return { ...end, kind: 'capture', amount: state.amount, event: 'payment.captured' };
  const isGone = state.status === 'declined' && state.reason === 'canceled';
  return isGone ? { ...end, kind: 'void', amount, event: 'payment.voided' } : null;
}

/**
 * Written once, however often it is told, with its event and after `before`, in one batch. Answers the id of the refund
 * request that the batch opens where the money came for what had been canceled.
 */
export async function writeTold(
  { db, ids }: Deps,
  payment: Subject,
  { event: type, ...told }: Told,
  before: readonly Sql[] = [],
): Promise<string | null> {
  const [id, requestId] = [ids.uuid(), ids.uuid()];
  const isWon = told.kind === 'chargeback' && told.outcome === 'failure';
  const isMoney = isWon || (told.kind === 'capture' && told.outcome === 'success');
  const payload = { order_id: payment.order_id, amount: told.amount, currency: payment.currency };
  const undue = { requestId, refundId: ids.uuid(), paymentId: payment.id, toldId: id };
  const statements = [
    ...before,
    ...appendTold({ id, paymentId: payment.id, ...told }),
    emitEventIf(hasResult(id), { id: ids.uuid(), type, aggregateId: payment.id, payload }),
    ...(isMoney ? [returnUndue(undue)] : []),
  ];
  const opened = await db.commit(statements, openRequestById(requestId), { resend: true });
  return opened?.id ?? null;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Writes down one that was made at the provider itself, or that failed after all; the id of the request, where it is ours. */
async function bookRefund(
  deps: Deps,
  payment: Subject,
  { reference: eventReference, amount, status, requestId }: ProviderRefund,
  { has_succeeded, has_failed }: KnownRefund,
): Promise<string | null> {
  if (status === 'pending' || has_failed) return null;
  const told = { kind: 'refund', amount, eventReference } as const;
  if (has_succeeded) {
    if (status === 'succeeded') return null;
    await writeTold(deps, payment, { ...told, outcome: 'failure', event: 'payment.refund_failed' });
    const about = { order_id: loggableId(payment.order_id), payment_id: loggableId(payment.id) };
    deps.log.log('error', 'a refund failed after it had succeeded', about);
  } else if (requestId !== null && UUID.test(requestId)) {
    return requestId;
  } else if (status === 'succeeded') {
    await writeTold(deps, payment, { ...told, outcome: 'success', event: 'payment.refunded' });
  }
  return null;
}

/** Refunds as the provider has them now. Answers the requests of ours that it has an outcome for and the ledger has none. */
export async function bookRefunds(deps: Deps, payment: Subject, refunds: readonly ProviderRefund[]): Promise<string[]> {
  const references = refunds.map(({ reference }) => reference);
  const [rows] = await deps.db.read(knownRefunds(payment.id, references));
  const known = new Map(rows.map((row) => [row.reference, row]));
  const ours: string[] = [];
  for (const refund of refunds) {
    const row = known.get(refund.reference);
    const requestId = row ? await bookRefund(deps, payment, refund, row) : null;
    if (requestId !== null) ours.push(requestId);
  }
  return ours;
}
