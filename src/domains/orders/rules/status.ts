import { illegalTransition } from '../../../platform/errors.ts';
import type { FulfillmentState, ItemState } from './state.ts';

export const ORDER_STATUSES = ['pending', 'confirmed', 'completed', 'failed', 'canceled'] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

export const FULFILLMENT_PROGRESS = [
  'unfulfilled',
  'partially_fulfilled',
  'fulfilled',
  'delivered',
  'canceled',
] as const;
export type FulfillmentProgress = (typeof FULFILLMENT_PROGRESS)[number];

/** Every move there is. The payment decides what becomes of a pending order; units decide over a confirmed one. */
export const ORDER_MOVES: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  pending: ['confirmed', 'failed'],
  confirmed: ['completed', 'canceled'],
  completed: [],
  failed: [],
  canceled: [],
};

export interface Statuses {
  status: OrderStatus;
  fulfillment_status: FulfillmentProgress;
}

type Counted = Pick<ItemState, 'quantity' | 'canceled_quantity' | 'fulfilled_quantity'>;

/** Where a confirmed order stands by its units: canceled when none are left to send, completed when all have arrived. */
export function statusesOf(
  items: readonly Counted[],
  fulfillments: readonly Pick<FulfillmentState, 'status' | 'items'>[],
): Statuses {
  const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);
  const due = sum(items.map((item) => item.quantity - item.canceled_quantity));
  const left = sum(items.map((item) => item.fulfilled_quantity));
  const arrived = sum(
    fulfillments.flatMap((each) => (each.status === 'delivered' ? each.items.map(({ quantity }) => quantity) : [])),
  );
  if (due === 0) return { status: 'canceled', fulfillment_status: 'canceled' };
  if (arrived === due) return { status: 'completed', fulfillment_status: 'delivered' };
  if (left === due) return { status: 'confirmed', fulfillment_status: 'fulfilled' };
  return { status: 'confirmed', fulfillment_status: left > 0 ? 'partially_fulfilled' : 'unfulfilled' };
}

/** Verbs that change units need a confirmed order. Throws illegal_transition. */
export function assertConfirmed(status: OrderStatus): void {
  if (status === 'confirmed') return;
  const why = status === 'pending' ? 'The payment of this order is not settled yet.' : `The order is ${status}.`;
  throw illegalTransition(status, ORDER_MOVES[status], why);
}

/** Money goes back once an order has been confirmed, whatever became of it then. Throws illegal_transition. */
export function assertPlaced(status: OrderStatus): void {
  if (status === 'pending' || status === 'failed') assertConfirmed(status);
}
