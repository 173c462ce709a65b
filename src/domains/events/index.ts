export { emitEvent, emitEventIf, emitEventsFrom } from './queries.ts';
export { drainOutbox } from './service.ts';
