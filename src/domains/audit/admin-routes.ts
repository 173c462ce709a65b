import { Hono } from 'hono';
import { operation } from '../../platform/http/operation.ts';
import { query } from '../../platform/http/validate.ts';
import { reply } from '../../platform/http/reply.ts';
import type { AppEnv } from '../../platform/http/context.ts';
import { listAuditLog } from './service.ts';
import { AuditLogEntryList, AuditLogQuery } from './schema.ts';

export const auditAdminRoutes = new Hono<AppEnv>().get(
  '/admin/audit-log',
  operation({
    summary: 'Who did what, newest first',
    tag: 'Access',
    auth: 'staff',
    permission: 'audit_log:read',
    replies: { 200: AuditLogEntryList },
  }),
  query(AuditLogQuery),
  async (c) => reply(c, AuditLogEntryList, await listAuditLog(c.get('deps'), c.req.valid('query'))),
);
