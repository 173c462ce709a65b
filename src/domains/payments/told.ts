import type { Deps } from '../../platform/deps.ts';
import { emitEventIf } from '../events/index.ts';
import type { Dispute } from './provider.ts';
import { appendTold, leftAuthorized, unknownRefunds, type PaymentRow, type ToldRow } from './queries/payments.ts';
import { hasResult } from './queries/requests.ts';
import { settleRequest } from './requests.ts';
import { onlineProvider } from './service.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type Told = Omit<ToldRow, 'id' | 'paymentId'>;

async function append(deps: Deps, payment: PaymentRow, told: Told, type: string): Promise<void> {
  const id = deps.ids.uuid();
  await deps.db.writeResent(
    ...appendTold({ id, paymentId: payment.id, ...told }),
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
  const done = refunds.filter(({ status }) => status === 'succeeded');
  const references = done.map(({ reference }) => reference);
  const [unknown] = await deps.db.read(unknownRefunds(payment.id, references));
  const missing = new Set(unknown.map(({ reference }) => reference));
  for (const { reference: eventReference, amount, requestId } of done) {
    if (!missing.has(eventReference)) continue;
    if (requestId === null) {
      const told = { kind: 'refund', outcome: 'success', amount, eventReference } as const;
      await append(deps, payment, told, 'payment.refunded');
    } else if (UUID.test(requestId)) {
      // A late return of money has no request: its key is no id, and its own verb wrote it down.
      await settleRequest(deps, requestId);
    }
  }
  return true;
}

/**
 * What is authorized here may have been captured or given up at the provider itself, by people or by age. False when the
 * provider did not say.
 */
export async function reconcileAuthorized(deps: Deps, payment: PaymentRow): Promise<boolean> {
  const { provider_reference: eventReference } = payment;
  const [[left]] = await deps.db.read(leftAuthorized(payment.id));
  if (!left || eventReference === null) return true;
  const state = await onlineProvider(deps, payment.provider).find(eventReference);
  if (state.status === 'captured') {
    const told = { kind: 'capture', outcome: 'success', amount: state.amount, eventReference } as const;
    await append(deps, payment, told, 'payment.captured');
  } else if (state.status === 'declined' && state.reason === 'canceled') {
    const told = { kind: 'void', outcome: 'success', amount: payment.amount, eventReference } as const;
    await append(deps, payment, told, 'payment.voided');
  }
  return state.status !== 'unknown';
}
