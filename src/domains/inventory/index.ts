export { releaseReserved, requireReserved, reserveStock, takeReserved, type Demand } from './queries.ts';
