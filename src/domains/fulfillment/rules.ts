export const METHODS = ['shipment', 'pickup', 'digital'] as const;
export type Method = (typeof METHODS)[number];

export const FULFILLMENT_STATUSES = ['pending', 'shipped', 'ready_for_pickup', 'delivered', 'canceled'] as const;
export type FulfillmentStatus = (typeof FULFILLMENT_STATUSES)[number];

type Moves = Readonly<Partial<Record<FulfillmentStatus, readonly FulfillmentStatus[]>>>;

/** Every move there is; a state without an entry is final. */
export const FULFILLMENT_MOVES: Readonly<Record<Method, Moves>> = {
  shipment: { pending: ['shipped', 'canceled'], shipped: ['delivered'] },
  pickup: { pending: ['ready_for_pickup', 'canceled'], ready_for_pickup: ['delivered', 'canceled'] },
  digital: { pending: ['delivered', 'canceled'] },
};

export function fulfillmentMoves(method: Method, from: FulfillmentStatus): readonly FulfillmentStatus[] {
  return FULFILLMENT_MOVES[method][from] ?? [];
}

/** What a new fulfillment may be at once: in preparation, or one move further. */
export function initialStatuses(method: Method): FulfillmentStatus[] {
  return ['pending', ...fulfillmentMoves(method, 'pending').filter((status) => status !== 'canceled')];
}

/** Whether the units are off the shelf in this state: sent or collected. */
export function hasLeft(status: FulfillmentStatus): boolean {
  return status === 'shipped' || status === 'delivered';
}

/** Whether the units are set aside and still promised. */
export function isWaiting(status: FulfillmentStatus): boolean {
  return status === 'pending' || status === 'ready_for_pickup';
}
