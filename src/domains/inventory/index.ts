export { releaseReserved, requireReserved, reserveStock, takeReserved } from './queries.ts';
