export { emitEvent, emitEventIf, emitEventsFrom, removeDead, removeDelivered } from './queries.ts';
export { drainOutbox } from './service.ts';
