import { isPermitted, type Actor } from '../../platform/auth/actor.ts';
import type { Deps } from '../../platform/deps.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { AppError } from '../../platform/errors.ts';
import { emitEvent } from '../events/index.ts';
import { moveFulfillment } from '../fulfillment/index.ts';
import { accessGuards } from '../identity/index.ts';
import { becauseOf, lockReservations, releaseReserved, releaseUnits, shipReserved } from '../inventory/index.ts';
import { assertSettled, openRequest, settleRequest } from '../payments/index.ts';
import type { Access } from './access.ts';
import { actorName, changeOrder, type Asked } from './change.ts';
import { refundStatements } from './refund.ts';
import { planCancel, type CancelPlan, type CancelWish } from './rules/cancel.ts';
import { packedStock } from './rules/packed.ts';
import type { OrderState } from './rules/state.ts';
import { cancelUnits, saveOrder, waiveMoney, withholdMoney } from './statements/change.ts';

export interface Cancellation extends CancelWish {
  /** A code. */
  reason: string;
  /** False: the units are not on offer again, they are gone. */
  restock: boolean;
  /** Of a buyer, whose order it has to be; staff need none. */
  access?: Access;
}

interface Context {
  deps: Deps;
  state: OrderState;
  actor: string;
}

/** What was promised goes back on offer, or is written off. */
function stockStatements({ state }: Context, plan: CancelPlan, { restock }: Cancellation): Sql[] {
  const { units, isWhole } = plan;
  // A whole order takes its parcels with it.
  const packed = isWhole ? [] : packedStock(state);
  if (!restock) {
    const leaving = { units, packed, locationId: null, isCollected: isWhole };
    return [lockReservations(state.id), shipReserved(state.id, leaving)];
  }
  if (isWhole) return [lockReservations(state.id), releaseReserved(state.id)];
  return [lockReservations(state.id), releaseUnits(state.id, units, packed)];
}

interface MoneyStatements {
  statements: Sql[];
  /** Of the provider, to be settled after the batch; null where no money moves. */
  requestId: string | null;
}

function moneyStatements({ deps, state, actor }: Context, { money }: CancelPlan): MoneyStatements {
  const { payment } = state;
  if (payment === null) return { statements: [], requestId: null };
  if (money.withheld.length > 0) return { statements: [withholdMoney(money.withheld)], requestId: null };
  const waive = money.waivedAmount > 0 ? waiveMoney(payment.id, money.waivedAmount, money.waived) : [];
  if (money.refund !== null) {
    const ids = { refundId: deps.ids.uuid(), requestId: deps.ids.uuid(), resultId: deps.ids.uuid() };
    const refund = { ...money.refund, reason: 'order_canceled', orderId: state.id, paymentId: payment.id, actor };
    return { statements: [...refundStatements(refund, ids), ...waive], requestId: ids.requestId };
  }
  if (!money.isVoid) return { statements: waive, requestId: null };
  const requestId = deps.ids.uuid();
  const resultId = deps.ids.uuid();
  const request = openRequest({ id: requestId, resultId, paymentId: payment.id, kind: 'void', amount: null, actor });
  return { statements: [...request, ...waive], requestId };
}

/** For the timeline: which units, what they ended, and what became of their money beside a refund. */
function toldOf({ lines, fulfillmentIds, money }: CancelPlan) {
  const withheld = money.withheld.reduce((sum, { amount }) => sum + amount, 0);
  return {
    items: lines,
    ...(fulfillmentIds.length > 0 && { fulfillment_ids: fulfillmentIds }),
    ...(money.waivedAmount > 0 && { waived_amount: money.waivedAmount }),
    ...(withheld > 0 && { withheld_amount: withheld }),
  };
}

/** What staff need beside the right to cancel: money that was taken goes back, or units are gone. Throws forbidden. */
function permissionGuards(actor: Actor, { money }: CancelPlan, { restock, byBuyer }: Cancellation): Sql[] {
  if (byBuyer || (actor.kind !== 'staff' && actor.kind !== 'key')) return [];
  const needed = [...(money.refund ? ['refunds:write'] : []), ...(restock ? [] : ['inventory:write'])];
  for (const permission of needed) {
    if (isPermitted(actor.permissions, permission)) continue;
    throw new AppError('forbidden', `This needs the permission ${permission}.`, { param: 'Authorization' });
  }
  return needed.flatMap((permission) => accessGuards(actor, permission));
}

/**
 * Cancels an order or some of its units in one batch: units, stock and what is asked of the provider are written
 * together, so the money follows for certain, at once or with the tick. Refusals: see planCancel.
 */
export async function cancelOrder(deps: Deps, orderId: string, asked: Asked, wish: Cancellation): Promise<void> {
  const actor = actorName(asked.actor);
  const { requestId } = await changeOrder(deps, orderId, { ...asked, access: wish.access }, (state) => {
    const plan = planCancel(state, wish);
    const guards = permissionGuards(asked.actor, plan, wish);
    const context = { deps, state, actor };
    const { statements: money, requestId } = moneyStatements(context, plan);
    const type = plan.isWhole ? 'order.canceled' : 'order.units_canceled';
    const event = (of: string) =>
      emitEvent({ id: deps.ids.uuid(), type: of, aggregateId: orderId, payload: { number: state.number } });
    const units = plan.lines.reduce((sum, { quantity }) => sum + quantity, 0);
    return {
      resourceId: requestId ?? orderId,
      action: 'orders.cancel',
      type,
      details: {
        reason: wish.reason,
        units,
        restock: wish.restock,
        ...(requestId !== null && { request_id: requestId }),
      },
      told: toldOf(plan),
      requestId,
      statements: [
        ...guards,
        becauseOf(wish.restock ? 'order_canceled' : 'written_off', orderId, actor),
        ...stockStatements(context, plan, wish),
        cancelUnits(plan.lines),
        ...money,
        ...plan.fulfillmentIds.map((id) => moveFulfillment(id, 'canceled')),
        saveOrder(orderId, plan.next, plan.isWhole ? wish.reason : undefined),
        event(type),
        // The rest has arrived already.
        ...(plan.next.status === 'completed' ? [event('order.delivered')] : []),
      ],
    };
  });
  if (requestId === null) return;
  if (asked.claim) await settleCancellation(deps, requestId);
  else await settleRequest(deps, requestId);
}

/**
 * Asks the provider for the money of a cancellation; `requestId` is of no request where none moved. While somebody else
 * asks it is idempotency_in_flight, so that all replies under one key are the same; one that is in doubt comes later.
 */
export async function settleCancellation(deps: Deps, requestId: string): Promise<void> {
  const settling = await settleRequest(deps, requestId);
  if (settling === 'in_flight') assertSettled(settling);
}
