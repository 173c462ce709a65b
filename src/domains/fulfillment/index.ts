export {
  fulfillmentById,
  fulfillmentsOf,
  insertFulfillment,
  moveFulfillment,
  replaceParcels,
  shipmentsOf,
} from './queries.ts';
export { fulfillmentMoves, hasLeft, initialStatuses, isWaiting, type FulfillmentStatus, type Method } from './rules.ts';
export { Fulfillment, FulfillmentPatch, LineInputs, NewFulfillment, Shipment, ShipmentList } from './schema.ts';
