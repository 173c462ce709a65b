export { releaseReserved, requireReserved, reserveStock, takeReserved } from './queries.ts';
export { stockChanged } from './service.ts';
