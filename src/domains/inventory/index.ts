export { inventoryAdminRoutes } from './admin-routes/index.ts';
export {
  becauseOf,
  componentsOf,
  lockKits,
  lockLevels,
  requireReserved,
  reserveStock,
  type Demand,
} from './queries/reserve.ts';
export {
  commitReserved,
  lockReservations,
  putBack,
  releaseAllOverdue,
  releaseOverdueOf,
  releaseReserved,
  releaseUnits,
  requireLoose,
  setAside,
  shipReserved,
  type Packed,
} from './queries/release.ts';
export { requireLocation } from './queries/levels.ts';
export { stockChanged } from './service.ts';
