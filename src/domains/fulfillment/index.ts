export {
  fulfillmentById,
  fulfillmentsOf,
  insertFulfillment,
  moveFulfillment,
  replaceParcels,
  shipmentsOf,
} from './queries.ts';
export {
  FULFILLMENT_MOVES,
  FULFILLMENT_STATUSES,
  fulfillmentMoves,
  hasLeft,
  initialStatuses,
  METHODS,
  type FulfillmentStatus,
  type Method,
} from './rules.ts';
export {
  Fulfillment,
  FulfillmentPatch,
  LineInputs,
  NewFulfillment,
  Shipment,
  ShipmentList,
  type LineInput,
} from './schema.ts';
