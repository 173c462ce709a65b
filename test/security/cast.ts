import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { call, type Json } from '../support/shop.ts';
import { createRole } from '../support/staff.ts';
import { startStack, type Stack, type StackOptions } from '../support/stack.ts';
import { jwt, partsOf } from './tokens.ts';

const HOUR_S = 3600;
const random = (): string => randomBytes(32).toString('hex');

/** Known to the test, so that it mints what it wants. */
export interface Secrets {
  access: string;
  refresh: string;
  metrics: string;
}

/** A session that was made by SQL, with its tokens. */
export interface Session {
  accountId: string;
  sessionId: string;
  claims: Json;
  token: string;
  refreshToken: string;
}

export interface Cast {
  stack: Stack;
  secrets: Secrets;
  /** The header of a good access token, with its `kid`. */
  header: Json;
  customer(): Promise<Session>;
  /** Staff of a role of their own with these permissions; `scope` is what the token says of them. */
  staff(permissions: readonly string[], scope?: readonly string[]): Promise<Session>;
  /** Another session of an account. */
  open(accountId: string, claims: Json): Promise<Session>;
  /** A live API key of an account; the text for Authorization. */
  key(accountId: string, permissions: readonly string[]): Promise<string>;
}

/** A Worker whose secrets the test knows, which reads a client's address from a header that tests may write. */
export async function startCast(options: StackOptions = {}): Promise<Cast> {
  const secrets = { access: random(), refresh: random(), metrics: random() };
  const env = {
    JWT_ACCESS_SECRET: secrets.access,
    JWT_REFRESH_SECRET: secrets.refresh,
    METRICS_TOKEN: secrets.metrics,
    TRUSTED_IP_HEADER: 'x-real-ip',
    ...options.env,
  };
  return await castOf(await startStack({ ...options, env }), secrets);
}

async function castOf(stack: Stack, secrets: Secrets): Promise<Cast> {
  const login = { email: 'buyer@demo.test', password: 'demo-buyer-password' };
  const { body } = await call(stack, 'POST', '/auth/login', login);
  const [access, refresh] = [partsOf(body.access_token), partsOf(body.refresh_token)];

  const open = async (accountId: string, claims: Json): Promise<Session> => {
    const sessionId = randomUUID();
    const { rows } = await stack.owner.query(
      `insert into sessions (id, account_id, expires_at) values ($1, $2, now() + interval '1 hour')
       returning floor(extract(epoch from rotated_at))::int as rotated, floor(extract(epoch from expires_at))::int as expires`,
      [sessionId, accountId],
    );
    const nowS = Math.floor(Date.now() / 1000);
    const own = { ...access.claims, sub: accountId, sid: sessionId, kind: 'customer', ...claims };
    const lived = { ...own, jti: randomUUID(), iat: nowS, exp: nowS + HOUR_S };
    const { scope: _scope, mfa: _mfa, ...person } = own;
    const renewed = { ...person, token_use: 'refresh', jti: `${sessionId}.1`, gen: 1, iat: rows[0].rotated };
    return {
      accountId,
      sessionId,
      claims: lived,
      token: jwt(access.header, lived, secrets.access),
      refreshToken: jwt(refresh.header, { ...renewed, exp: rows[0].expires }, secrets.refresh),
    };
  };
  const account = async (kind: 'customer' | 'staff'): Promise<string> => {
    const id = randomUUID();
    await stack.owner.query('insert into accounts (id, kind, email) values ($1, $2, $3)', [
      id,
      kind,
      `${id}@cast.example.test`,
    ]);
    return id;
  };
  return {
    stack,
    secrets,
    header: access.header,
    open,
    async customer() {
      const id = await account('customer');
      await stack.owner.query('insert into customers (id) values ($1)', [id]);
      return await open(id, {});
    },
    async staff(permissions, scope = permissions) {
      const [id, role] = await Promise.all([account('staff'), createRole(stack, permissions)]);
      await stack.owner.query('insert into account_roles (account_id, role_id) values ($1, $2)', [id, role]);
      return await open(id, { kind: 'staff', scope: scope.join(' '), mfa: true });
    },
    async key(accountId, permissions) {
      const key = `sk_${randomBytes(32).toString('base64url')}`;
      const digest = createHash('sha256').update(key).digest('hex');
      await stack.owner.query(
        `insert into api_keys (id, account_id, name, digest, hint, permissions) values ($1, $2, 'Key', $3, $4, $5)`,
        [randomUUID(), accountId, digest, key.slice(0, 7), permissions],
      );
      return key;
    },
  };
}
