export { auditAdminRoutes } from './admin-routes.ts';
export { auditEntry, type AuditEntry } from './queries.ts';
