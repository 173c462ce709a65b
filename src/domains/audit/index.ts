export { auditAdminRoutes } from './admin-routes.ts';
export { auditEntry, systemActor, type AuditEntry } from './queries.ts';
