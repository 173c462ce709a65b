export { emitEvent, emitEventIf } from './queries.ts';
export { drainOutbox } from './service.ts';
