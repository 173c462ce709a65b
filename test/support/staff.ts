import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { call } from './shop.ts';
import type { Stack } from './stack.ts';

export interface Staff {
  id: string;
  email: string;
  password: string;
  /** Of the one role that was given. */
  roleId: string;
  /** Access token, for CallOptions. */
  token: string;
  refreshToken: string;
}

export interface ApiKey {
  id: string;
  /** The staff member who made it. */
  accountId: string;
  /** What goes into Authorization. */
  key: string;
}

const PASSWORD = 'a password of staff in tests';
/** Its hash with the product's own parameters, so that no sign-in makes a new one. */
const HASH = 'scrypt$16384$8$5$AAAAAAAAAAAAAAAAAAAAAA==$devGuujYs3wyQ+yxF+a3pBUDEMDcUfiQbs+4fOLd+dU=';

/** A role of its own with these permissions; its id. */
export async function createRole(stack: Stack, permissions: readonly string[]): Promise<string> {
  const id = randomUUID();
  await stack.owner.query(`insert into roles (id, code, name, permissions) values ($1, $2, 'Test', $3)`, [
    id,
    `test-${id.slice(-12)}`,
    permissions,
  ]);
  return id;
}

/** A staff member who holds a built-in role by its code, or a role of their own with these permissions. */
export async function createStaff(
  stack: Stack,
  role: string | readonly string[],
  { name = 'Staff of a test' } = {},
): Promise<Staff> {
  const id = randomUUID();
  const email = `${id}@staff.example.test`;
  const roleId = typeof role === 'string' ? await roleByCode(stack, role) : await createRole(stack, role);
  await stack.owner.query(
    `insert into accounts (id, kind, email, name, password_hash) values ($1, 'staff', $2, $3, $4)`,
    [id, email, name, HASH],
  );
  await stack.owner.query('insert into account_roles (account_id, role_id) values ($1, $2)', [id, roleId]);
  return { id, email, password: PASSWORD, roleId, ...(await signIn(stack, email)) };
}

/** A new session of somebody whom createStaff() made. */
export async function signIn(stack: Stack, email: string): Promise<{ token: string; refreshToken: string }> {
  const { status, body, text } = await call(stack, 'POST', '/auth/login', { email, password: PASSWORD });
  if (status !== 200) throw new Error(`not signed in: ${text}`);
  return { token: body.access_token, refreshToken: body.refresh_token };
}

/** A live key with these permissions; of `accountId`, or of a new staff member who holds the same. */
export async function createApiKey(
  stack: Stack,
  permissions: readonly string[],
  { accountId, expiresAt = null }: { accountId?: string; expiresAt?: Date | null } = {},
): Promise<ApiKey> {
  const owner = accountId ?? (await createStaff(stack, permissions)).id;
  const [id, key] = [randomUUID(), `sk_${randomBytes(32).toString('base64url')}`];
  const digest = createHash('sha256').update(key).digest('hex');
  await stack.owner.query(
    `insert into api_keys (id, account_id, name, digest, hint, permissions, expires_at)
     values ($1, $2, 'Key of a test', $3, $4, $5, $6)`,
    [id, owner, digest, key.slice(0, 7), permissions, expiresAt],
  );
  return { id, accountId: owner, key };
}

async function roleByCode(stack: Stack, code: string): Promise<string> {
  const { rows } = await stack.owner.query<{ id: string }>('select id from roles where code = $1', [code]);
  if (!rows[0]) throw new Error(`no role ${code}`);
  return rows[0].id;
}
