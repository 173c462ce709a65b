export { auditAdminRoutes } from './admin-routes.ts';
export { actorIdOf, auditEntry, type AuditEntry } from './queries.ts';
