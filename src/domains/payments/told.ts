import type { Deps } from '../../platform/deps.ts';
import { emitEventIf } from '../events/index.ts';
import type { Dispute } from './provider.ts';
import { appendTold, unknownRefunds, type PaymentRow, type ToldRow } from './queries/payments.ts';
import { hasResult } from './queries/requests.ts';
import { settleRequest } from './requests.ts';
import { onlineProvider } from './service.ts';

async function append(deps: Deps, payment: PaymentRow, told: Omit<ToldRow, 'id' | 'paymentId'>, type: string) {
  const id = deps.ids.uuid();
  await deps.db.writeResent(
    appendTold({ id, paymentId: payment.id, ...told }),
    emitEventIf(hasResult(id), {
      id: deps.ids.uuid(),
      type,
      aggregateId: payment.id,
      payload: { order_id: payment.order_id, amount: told.amount, currency: payment.currency },
    }),
  );
}

/** Money that a bank took back stands until the dispute is won; told twice or in any order it comes to the same. */
export async function applyDispute(deps: Deps, payment: PaymentRow, dispute: Dispute): Promise<void> {
  const { reference: eventReference, status, amount } = dispute;
  const outcome = status === 'won' ? 'failure' : 'success';
  const type = status === 'won' ? 'payment.dispute_won' : 'payment.charged_back';
  await append(deps, payment, { kind: 'chargeback', outcome, amount, eventReference }, type);
}

/**
 * Refunds that went through: ours get their result, those that were made at the provider itself are written down. False
 * when the provider did not say.
 */
export async function reconcileRefunds(deps: Deps, payment: PaymentRow): Promise<boolean> {
  if (payment.provider_reference === null) return true;
  const refunds = await onlineProvider(deps, payment.provider).refunds(payment.provider_reference);
  if (refunds === null) return false;
  const [unknown] = await deps.db.read(
    unknownRefunds(
      payment.id,
      refunds.map(({ reference }) => reference),
    ),
  );
  const missing = new Set(unknown.map(({ reference }) => reference));
  for (const { reference, amount, requestId } of refunds) {
    if (!missing.has(reference)) continue;
    if (requestId === null) {
      await append(
        deps,
        payment,
        { kind: 'refund', outcome: 'success', amount, eventReference: reference },
        'payment.refunded',
      );
    } else if (UUID.test(requestId)) {
      // A late return of money has no request: its key is no id, and its own verb wrote it down.
      await settleRequest(deps, requestId);
    }
  }
  return true;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
