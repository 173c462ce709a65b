export { emitEvent } from './queries.ts';
export { drainOutbox } from './service.ts';
