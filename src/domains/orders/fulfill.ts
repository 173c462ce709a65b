import type { Deps } from '../../platform/deps.ts';
import type { Sql } from '../../platform/db/sql.ts';
import { emitEvent } from '../events/index.ts';
import {
  insertFulfillment,
  moveFulfillment,
  replaceParcels,
  type FulfillmentPatch,
  type FulfillmentStatus,
  type NewFulfillment,
} from '../fulfillment/index.ts';
import {
  becauseOf,
  lockReservations,
  putBack,
  requireLocation,
  requireLoose,
  setAside,
  shipReserved,
} from '../inventory/index.ts';
import { actorName, changeOrder, type Asked } from './change.ts';
import { planFulfillment, planMove, type FulfillmentPlan } from './rules/fulfill.ts';
import { packedStock } from './rules/packed.ts';
import type { OrderState } from './rules/state.ts';
import { fulfillUnits, saveOrder } from './statements/change.ts';

interface Moving {
  deps: Deps;
  state: OrderState;
  fulfillmentId: string;
  locationId: string | null;
  actor: string;
}

/** Units that leave come off the shelf and off the promise in the same batch; those that are ready are set aside. */
function stockStatements(moving: Moving, { leaving, toPack, ready, back }: FulfillmentPlan): Sql[] {
  const { state, fulfillmentId, locationId, actor } = moving;
  const packed = packedStock(state, fulfillmentId);
  if (ready.length > 0) return [lockReservations(state.id), setAside(state.id, ready, packed, locationId)];
  if (back.length > 0) return [lockReservations(state.id), putBack(state.id, back, packed, locationId)];
  if (toPack.length > 0 && locationId !== null) return [requireLoose(state.id, toPack, packed, locationId)];
  if (leaving.lines.length === 0) return [];
  const { units, isCollected } = leaving;
  return [
    becauseOf('fulfilled', fulfillmentId, actor),
    lockReservations(state.id),
    shipReserved(state.id, { units, packed, locationId, isCollected }),
    fulfillUnits(leaving.lines),
  ];
}

/** Where the order stands now, and who is to hear of it. */
function orderStatements(moving: Moving, plan: FulfillmentPlan): Sql[] {
  const { deps, state, fulfillmentId } = moving;
  const payload = { number: state.number, fulfillment_id: fulfillmentId };
  const event = (type: string) => emitEvent({ id: deps.ids.uuid(), type, aggregateId: state.id, payload });
  const isComplete = plan.next.status === 'completed' && state.status !== 'completed';
  return [
    ...stockStatements(moving, plan),
    saveOrder(state.id, plan.next),
    ...(plan.ready.length > 0 ? [event('order.ready_for_pickup')] : []),
    ...(plan.leaving.lines.length > 0 ? [event('order.fulfilled')] : []),
    ...(isComplete ? [event('order.delivered')] : []),
  ];
}

const typeOf = (status: FulfillmentStatus) => `fulfillment.${status}`;
const newIds = (deps: Deps, of: readonly unknown[]) => of.map(() => deps.ids.uuid());

/** Puts units into a fulfillment, prepared or sent at once; answers its id. Refusals: see planFulfillment. */
export async function createFulfillment(
  deps: Deps,
  orderId: string,
  asked: Asked,
  { parcels = [], location_id, ...input }: NewFulfillment,
): Promise<string> {
  const id = deps.ids.uuid();
  const locationId = location_id ?? null;
  const actor = actorName(asked.actor);
  await changeOrder(deps, orderId, asked, (state) => {
    const plan = planFulfillment(state, { id, ...input, locationId });
    const { status, lines } = plan;
    return {
      resourceId: id,
      action: 'fulfillments.create',
      type: typeOf(status),
      details: { fulfillment_id: id, method: input.method, status },
      statements: [
        ...(location_id === undefined ? [] : [requireLocation(location_id)]),
        ...insertFulfillment({ id, orderId, method: input.method, status, locationId, lines }),
        ...(parcels.length === 0 ? [] : replaceParcels(id, parcels, newIds(deps, parcels))),
        ...orderStatements({ deps, state, fulfillmentId: id, locationId, actor }, plan),
      ],
    };
  });
  return id;
}

interface FulfillmentChange extends FulfillmentPatch {
  fulfillmentId: string;
  versions: readonly number[] | null;
}

/** Moves a fulfillment on, or names its parcels. Refusals: see planMove. */
export async function changeFulfillment(
  deps: Deps,
  orderId: string,
  asked: Asked,
  { fulfillmentId, status, parcels, versions }: FulfillmentChange,
): Promise<void> {
  const actor = actorName(asked.actor);
  await changeOrder(deps, orderId, asked, (state) => {
    const plan = planMove(state, { fulfillmentId, status, versions });
    const locationId = state.fulfillments.find(({ id }) => id === fulfillmentId)?.location_id ?? null;
    return {
      resourceId: fulfillmentId,
      action: 'fulfillments.update',
      type: status === undefined ? 'fulfillment.updated' : typeOf(status),
      details: { fulfillment_id: fulfillmentId, ...(status !== undefined && { status }) },
      statements: [
        moveFulfillment(fulfillmentId, status),
        ...(parcels === undefined ? [] : replaceParcels(fulfillmentId, parcels, newIds(deps, parcels))),
        ...orderStatements({ deps, state, fulfillmentId, locationId, actor }, plan),
      ],
    };
  });
}
