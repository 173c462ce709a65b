import { AppError, illegalTransition, notFound } from '../../../platform/errors.ts';
import {
  fulfillmentMoves,
  hasLeft,
  initialStatuses,
  type FulfillmentStatus,
  type Method,
} from '../../fulfillment/index.ts';
import type { Demand } from '../../inventory/index.ts';
import { allLeft, pickLines, type Picked } from './lines.ts';
import { freeUnits, stockOf, type FulfillmentState, type Line, type OrderState } from './state.ts';
import { assertConfirmed, statusesOf, type Statuses } from './status.ts';

export interface FulfillmentPlan {
  status: FulfillmentStatus;
  lines: Line[];
  /** Units that leave the shelf now; none while it is only prepared. Collected: they had been set aside. */
  leaving: { lines: Line[]; units: Demand[]; isCollected: boolean };
  /** Units of a new one that wait for whoever packs them. */
  toPack: Demand[];
  /** Units that somebody may come for from now on. */
  ready: Demand[];
  /** Units that nobody came for. */
  back: Demand[];
  next: Statuses;
}

const stockIn = (picked: readonly Picked[]): Demand[] =>
  picked.flatMap(({ item, quantity }) => stockOf(item, quantity));

const linesOf = (picked: readonly Picked[]): Line[] =>
  picked.map(({ item, quantity }) => ({ item_id: item.id, quantity }));

/** The order after a fulfillment is new, or in another state. */
function planned(
  state: OrderState,
  picked: readonly Picked[],
  changed: FulfillmentState,
  was: FulfillmentStatus | null,
) {
  const isLeaving = hasLeft(changed.status) && (was === null || !hasLeft(was));
  const wasReady = was === 'ready_for_pickup';
  const leaving = isLeaving ? picked : [];
  const items = state.items.map((item) => {
    const quantity = leaving.find((line) => line.item.id === item.id)?.quantity ?? 0;
    return { ...item, fulfilled_quantity: item.fulfilled_quantity + quantity };
  });
  const fulfillments = [...state.fulfillments.filter(({ id }) => id !== changed.id), changed];
  return {
    status: changed.status,
    lines: linesOf(picked),
    leaving: { lines: linesOf(leaving), units: stockIn(leaving), isCollected: wasReady },
    toPack: was === null && !isLeaving ? stockIn(picked) : [],
    ready: changed.status === 'ready_for_pickup' ? stockIn(picked) : [],
    back: wasReady && changed.status === 'canceled' ? stockIn(picked) : [],
    next: statusesOf(items, fulfillments),
  };
}

export interface FulfillmentWish {
  id: string;
  method: Method;
  status?: FulfillmentStatus | undefined;
  items?: readonly Line[] | undefined;
  locationId: string | null;
}

/** Throws illegal_transition where nothing is left to send, and validation_failed or not_found naming a line. */
export function planFulfillment(state: OrderState, wish: FulfillmentWish): FulfillmentPlan {
  assertConfirmed(state.status);
  const { id, method, status = method === 'digital' ? 'delivered' : 'pending', locationId } = wish;
  if (!initialStatuses(method).includes(status)) {
    const legal = initialStatuses(method).join(' or ');
    throw new AppError('validation_failed', `A new ${method} is ${legal}.`, { param: 'status' });
  }
  const leftOf = (item: OrderState['items'][number]) => freeUnits(state, item);
  const picked = wish.items === undefined ? allLeft(state, leftOf) : pickLines(state, wish.items, leftOf);
  if (picked.length === 0) {
    throw illegalTransition(state.fulfillment_status, [], 'Every unit is in a fulfillment already.');
  }
  return planned(
    state,
    picked,
    { id, version: 1, method, status, location_id: locationId, items: linesOf(picked) },
    null,
  );
}

export interface FulfillmentMove {
  fulfillmentId: string;
  /** Absent: only its parcels change. */
  status?: FulfillmentStatus | undefined;
  /** The versions that If-Match names, or null. */
  versions: readonly number[] | null;
}

/** Throws not_found, precondition_failed, or illegal_transition naming the moves that this fulfillment has. */
export function planMove(state: OrderState, { fulfillmentId, status, versions }: FulfillmentMove): FulfillmentPlan {
  const known = state.fulfillments.find(({ id }) => id === fulfillmentId);
  if (!known) throw notFound('fulfillment', 'fulfillment_id');
  if (versions !== null && !versions.includes(known.version)) {
    throw new AppError('precondition_failed', 'The fulfillment has changed since.', { param: 'If-Match' });
  }
  const legal = fulfillmentMoves(known.method, known.status);
  const isMove = status !== undefined;
  if (isMove ? !legal.includes(status) : known.status === 'canceled') {
    throw illegalTransition(known.status, legal, `The fulfillment is ${known.status}.`);
  }
  const picked = known.items.flatMap(({ item_id, quantity }) => {
    const item = state.items.find(({ id }) => id === item_id);
    return item ? [{ item, quantity }] : [];
  });
  if (!isMove) {
    const { status: orderStatus, fulfillment_status } = state;
    const next = { status: orderStatus, fulfillment_status };
    const leaving = { lines: [], units: [], isCollected: false };
    return { status: known.status, lines: known.items, leaving, toPack: [], ready: [], back: [], next };
  }
  return planned(state, picked, { ...known, status }, known.status);
}
