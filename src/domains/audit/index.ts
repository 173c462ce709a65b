export { auditAdminRoutes } from './admin-routes.ts';
export { actorIdOf, auditEntry, removeOldEntries, type AuditEntry } from './queries.ts';
