import type { Deps } from '../../platform/deps.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { emitEventIf } from '../events/index.ts';
import type { Outcome } from './provider.ts';
import { hasResult, openRequestById } from './queries/requests.ts';
import { appendTold, returnUndue, type ToldRow } from './queries/told.ts';

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
