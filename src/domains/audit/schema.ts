import * as z from 'zod';
import { listOf, timestamp, uuid } from '../../platform/http/schema.ts';
import { pageQuery } from '../../platform/http/page.ts';

/** `actor_id` is an account, or an API key where `actor_kind` is `key`; `details` holds ids and names of fields only. */
const AuditLogEntry = z
  .object({
    id: z.string(),
    actor_kind: z.enum(['guest', 'customer', 'staff', 'key', 'system']),
    actor_id: z.string().nullable(),
    action: z.string(),
    resource_type: z.string(),
    resource_id: z.string().nullable(),
    details: z.record(z.string(), z.unknown()),
    request_id: z.string().nullable(),
    created_at: timestamp,
  })
  .meta({ id: 'AuditLogEntry' });

export const AuditLogEntryList = listOf(AuditLogEntry).meta({ id: 'AuditLogEntryList' });

export const AuditLogQuery = z.strictObject({
  ...pageQuery,
  actor_id: uuid.optional(),
  action: z
    .string()
    .max(100)
    .regex(/^[a-z_]+\.[a-z_]+$/, 'must be such as users.create')
    .optional(),
  resource_type: z
    .string()
    .max(100)
    .regex(/^[a-z_]+$/, 'must be such as user')
    .optional(),
  resource_id: z
    .string()
    .max(100)
    .regex(/^[\w-]+$/, 'must be an id')
    .optional(),
});
