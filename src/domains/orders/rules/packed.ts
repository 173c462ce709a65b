import { isWaiting } from '../../fulfillment/index.ts';
import type { Packed } from '../../inventory/index.ts';
import { stockOf, type OrderState } from './state.ts';

/** Stock that waits in fulfillments of a location and has not left; of others than the one that moves. */
export function packedStock({ fulfillments, items }: OrderState, moving: string | null = null): Packed[] {
  return fulfillments.flatMap(({ id: fulfillmentId, status, location_id, items: lines }) => {
    if (fulfillmentId === moving || !isWaiting(status) || location_id === null) return [];
    return lines.flatMap(({ item_id, quantity }) =>
      items
        .filter(({ id }) => id === item_id)
        .flatMap((item) =>
          stockOf(item, quantity).map((demand) => ({
            ...demand,
            location_id,
            is_ready: status === 'ready_for_pickup',
          })),
        ),
    );
  });
}
