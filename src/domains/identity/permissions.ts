import * as z from 'zod';

/** The closed list, `resource:action`. A route that needs another one adds it here, and to the roles that should hold it. */
export const PERMISSIONS = [
  'products:read',
  'products:write',
  'categories:read',
  'categories:write',
  'inventory:read',
  'inventory:write',
  'prices:read',
  'prices:write',
  'promotions:read',
  'promotions:write',
  'settings:read',
  'settings:write',
  'orders:read',
  'orders:write',
  'fulfillments:write',
  'payments:read',
  'payments:write',
  'refunds:write',
  'customers:read',
  'customers:write',
  'customers:erase',
  'users:read',
  'users:write',
  'roles:read',
  'roles:write',
  'api_keys:read',
  'api_keys:write',
  'events:read',
  'events:write',
  'audit_log:read',
  'metrics:write',
] as const;

export const Permission = z.enum(PERMISSIONS).meta({ id: 'Permission' });
export type Permission = z.output<typeof Permission>;
