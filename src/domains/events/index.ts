export { emitEvent, type DomainEvent } from './queries.ts';
export { drainOutbox } from './service.ts';
