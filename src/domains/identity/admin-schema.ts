import * as z from 'zod';
import { email, listOf, moment, text, timestamp, uuid } from '../../platform/http/schema.ts';
import { pageQuery } from '../../platform/http/page.ts';
import { Permission, PERMISSIONS } from './permissions.ts';

const ROLES_MAX = 20;
const EMPTY = 'must name a field to change';
const isChange = (patch: object) => Object.keys(patch).length > 0;

const permissions = z.array(Permission).max(PERMISSIONS.length);

export const Role = z
  .object({
    id: z.string(),
    version: z.int(),
    code: z.string(),
    name: z.string(),
    /** Of the closed list; `*`, which only the owner's role has, is all there are. */
    permissions: z.array(z.string()),
    built_in: z.boolean(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Role' });
export type Role = z.output<typeof Role>;
export const RoleList = listOf(Role).meta({ id: 'RoleList' });

export const NewRole = z.strictObject({
  code: z.string().regex(/^[a-z0-9-]{1,40}$/, 'must be 1 to 40 lower-case letters, digits and hyphens'),
  name: text(100),
  permissions,
});
export type NewRole = z.output<typeof NewRole>;

export const RolePatch = NewRole.pick({ name: true, permissions: true }).partial().refine(isChange, EMPTY);
export type RolePatch = z.output<typeof RolePatch>;

const status = z.enum(['active', 'deactivated']);

/** Somebody of the staff. */
export const User = z
  .object({
    id: z.string(),
    version: z.int(),
    email: z.string(),
    name: z.string().nullable(),
    status,
    has_second_factor: z.boolean(),
    roles: z.array(z.object({ id: z.string(), code: z.string(), name: z.string() })),
    last_login_at: timestamp.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'User' });
export type User = z.output<typeof User>;
export const UserList = listOf(User).meta({ id: 'UserList' });

const roleIds = z.array(uuid).max(ROLES_MAX);

export const NewUser = z.strictObject({ email, name: text(200), role_ids: roleIds });
export type NewUser = z.output<typeof NewUser>;

export const UserPatch = z
  .strictObject({ name: text(200), status, role_ids: roleIds })
  .partial()
  .refine(isChange, EMPTY);
export type UserPatch = z.output<typeof UserPatch>;

export const UserQuery = z.strictObject({ ...pageQuery, email: email.optional(), status: status.optional() });
export const AccessQuery = z.strictObject(pageQuery);

/** What decides over access stays with people. */
const KeyPermission = Permission.exclude(['users:write', 'roles:write', 'api_keys:write']).meta({
  id: 'KeyPermission',
});

/** The key itself is shown once, when it is made; `hint` is how it begins. */
export const ApiKey = z
  .object({
    id: z.string(),
    version: z.int(),
    account_id: z.string(),
    name: z.string(),
    hint: z.string(),
    permissions: z.array(z.string()),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    last_used_at: timestamp.nullable(),
    revoked_at: timestamp.nullable(),
  })
  .meta({ id: 'ApiKey' });
export type ApiKey = z.output<typeof ApiKey>;
export const ApiKeyList = listOf(ApiKey).meta({ id: 'ApiKeyList' });

export const ShownApiKey = ApiKey.extend({ key: z.string() }).meta({ id: 'ShownApiKey' });
export type ShownApiKey = z.output<typeof ShownApiKey>;

/** Without `expires_at` a key is good until it is revoked. */
export const NewApiKey = z.strictObject({
  name: text(100),
  permissions: z.array(KeyPermission).min(1).max(PERMISSIONS.length),
  expires_at: moment.nullish(),
});
export type NewApiKey = z.output<typeof NewApiKey>;
