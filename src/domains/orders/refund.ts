import type { Deps } from '../../platform/deps.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { illegalTransition } from '../../platform/errors.ts';
import { emitEvent } from '../events/index.ts';
import { assertSettled, insertRefund, openRequest, settleRequest } from '../payments/index.ts';
import { actorName, changeOrder, type Asked } from './change.ts';
import { refundById } from './queries/admin.ts';
import type { RefundPlan } from './rules/money.ts';
import { planRefund, type RefundWish } from './rules/refund.ts';
import type { Refund } from './admin-schema.ts';
import { touchOrder } from './statements/change.ts';

interface NewRefund extends RefundPlan {
  orderId: string;
  paymentId: string;
  /** A code. */
  reason: string;
  actor: string;
}

interface RefundIds {
  refundId: string;
  requestId: string;
  resultId: string;
}

/** The request of the provider, checked against the ledger, and what it is for. */
export function refundStatements(refund: NewRefund, { refundId, requestId, resultId }: RefundIds): Sql[] {
  const { orderId, paymentId, amount, actor, reason, items, shippingAmount } = refund;
  return [
    ...openRequest({ id: requestId, resultId, paymentId, kind: 'refund', amount, actor }),
    ...insertRefund({ id: refundId, orderId, requestId, shippingAmount, reason, items }),
  ];
}

/** One batch that checks and writes the refund and its request; answers the refund's id. Refusals: see planRefund. */
export async function openRefund(
  deps: Deps,
  orderId: string,
  asked: Asked,
  { reason, ...wish }: RefundWish & { reason: string },
): Promise<string> {
  const ids = { refundId: deps.ids.uuid(), requestId: deps.ids.uuid(), resultId: deps.ids.uuid() };
  const actor = actorName(asked.actor);
  await changeOrder(deps, orderId, asked, (state) => {
    const plan = planRefund(state, wish);
    if (!state.payment) throw illegalTransition(state.status, [], 'The order has no payment.');
    const payload = { number: state.number, refund_id: ids.refundId, amount: plan.amount, currency: state.currency };
    return {
      resourceId: ids.refundId,
      action: 'orders.refund',
      type: 'order.refund_created',
      details: { refund_id: ids.refundId, request_id: ids.requestId, amount: plan.amount, reason },
      statements: [
        ...refundStatements({ ...plan, reason, orderId, paymentId: state.payment.id, actor }, ids),
        touchOrder(orderId),
        emitEvent({ id: deps.ids.uuid(), type: 'order.refund_created', aggregateId: orderId, payload }),
      ],
    };
  });
  return ids.refundId;
}

/** Asks the provider for a refund that was opened, as often as a caller retries. 503 payment_in_doubt while it says nothing. */
export async function settleRefund(deps: Deps, orderId: string, refundId: string): Promise<Refund> {
  const [[opened]] = await deps.db.read(refundById(orderId, refundId));
  if (!opened) throw new Error('a refund that was claimed is not there');
  assertSettled(await settleRequest(deps, opened.refund.request_id));
  const [[settled]] = await deps.db.read(refundById(orderId, refundId));
  return (settled ?? opened).refund;
}
