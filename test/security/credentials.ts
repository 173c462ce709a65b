import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { PERMISSIONS } from '../../src/domains/identity/permissions.ts';
import type { ApiOperation } from '../support/contract.ts';
import { call } from '../support/shop.ts';
import type { Cast, Session } from './cast.ts';
import { jwt, partsOf, unsigned } from './tokens.ts';

/** Who may call; `people` are staff without their API keys. */
export type Kind = ApiOperation['x-auth'] | 'people';
/** With what each kind of operation refuses a credential; one that is not named takes it. */
type Refusals = Partial<Record<Kind, 401 | 403>>;

export function kindOf(operation: ApiOperation): Kind {
  return operation['x-api-keys'] === 'refused' ? 'people' : operation['x-auth'];
}

export interface BadCredential {
  name: string;
  /** The bearer token; undefined sends no Authorization at all. */
  token(operation: ApiOperation): string | undefined;
  refusals: Refusals;
  /** It is tried while Redis does not answer. */
  isRedisSilent?: true;
  /** Only the database knows: an open route that does not ask it may answer as if nothing were there. */
  orAbsent?: true;
  /** Refused as nobody at all as soon as Redis has forgotten it. */
  orUnknown?: true;
}

const NOBODY: Refusals = { customer: 401, person: 401, staff: 401, people: 401, metrics: 401 };
const EVERYWHERE: Refusals = { ...NOBODY, none: 401, optional: 401 };
const WEAK_STAFF: Refusals = { customer: 403, staff: 403, people: 403, metrics: 401 };
const STRONG_KEY: Refusals = { customer: 403, person: 403, people: 403, metrics: 401 };
const WEAK_KEY: Refusals = { ...STRONG_KEY, staff: 403 };
const HOUR_S = 3600;

const fixed = (name: string, token: string | undefined, refusals: Refusals = EVERYWHERE): BadCredential => ({
  name,
  token: () => token,
  refusals,
});

/** Everything that must never open a door. Writes its people and keys, so make it before anything is compared. */
export async function badCredentials(cast: Cast, permissions: readonly string[]): Promise<BadCredential[]> {
  const owner = await cast.staff(['*']);
  return [
    fixed('no token', undefined, NOBODY),
    ...forged(cast, await cast.customer()),
    ...(await ended(cast)),
    ...(await badKeys(cast)),
    fixed('a customer', (await cast.customer()).token, { staff: 403, people: 403, metrics: 401 }),
    fixed('an owner', owner.token, { customer: 403, metrics: 401 }),
    fixed("an owner's key", await cast.key(owner.accountId, PERMISSIONS), STRONG_KEY),
    ...(await withoutPermission(cast, permissions)),
  ];
}

/** Of one good session: tokens that were changed in one thing each (RFC 8725). */
function forged({ header, secrets }: Cast, { claims, token, refreshToken }: Session): BadCredential[] {
  const changed = (changes: object) => jwt(header, { ...claims, ...changes }, secrets.access);
  const headed = (changes: object, digest?: string) => jwt({ ...header, ...changes }, claims, secrets.access, digest);
  const { kid: _kid, ...withoutKid } = header;
  const tokens: Record<string, string> = {
    garbage: 'garbage',
    'three dots': 'a.b.c',
    expired: changed({ iat: claims.iat - 2 * HOUR_S, exp: claims.iat - HOUR_S }),
    'from the future': changed({ iat: claims.iat + HOUR_S, exp: claims.exp + HOUR_S }),
    'not valid yet': changed({ nbf: claims.iat + HOUR_S }),
    HS384: headed({ alg: 'HS384' }, 'sha384'),
    HS512: headed({ alg: 'HS512' }, 'sha512'),
    'alg none': unsigned({ ...header, alg: 'none' }, claims),
    'no signature': unsigned(header, claims),
    'another secret': jwt(header, claims, randomBytes(32).toString('hex')),
    'the refresh secret': jwt(header, claims, secrets.refresh),
    'the refresh secret and its key id': jwt(partsOf(refreshToken).header, claims, secrets.refresh),
    'another audience': changed({ aud: 'elsewhere' }),
    'another issuer': changed({ iss: 'somebody' }),
    'another type': headed({ typ: 'at+jwt' }),
    'no key id': jwt(withoutKid, claims, secrets.access),
    'another key id': headed({ kid: 'another' }),
    'a refresh token': refreshToken,
    'a refresh token signed as an access token': changed({ token_use: 'refresh' }),
    'another account': token.replace(/\.[^.]+\./, `.${jwt({}, { ...claims, sub: randomUUID() }, '').split('.')[1]}.`),
  };
  return Object.entries(tokens).map(([name, text]) => fixed(name, text));
}

/** Sessions that were good once. */
async function ended(cast: Cast): Promise<BadCredential[]> {
  const { stack } = cast;
  const people = async () => [await cast.customer(), await cast.staff(['*'])] as const;
  const [loggedOut, revoked, deactivated] = [await people(), await people(), await people()];
  for (const { refreshToken } of loggedOut) {
    const { status } = await call(stack, 'POST', '/auth/logout', { refresh_token: refreshToken });
    if (status !== 204) throw new Error(`not logged out: ${status}`);
  }
  const ids = revoked.map(({ sessionId }) => sessionId);
  await stack.owner.query('update sessions set revoked_at = now() where id = any($1)', [ids]);
  const accounts = deactivated.map(({ accountId }) => accountId);
  await stack.owner.query(`update accounts set status = 'deactivated' where id = any($1)`, [accounts]);
  const ofStaff: Refusals = { ...EVERYWHERE, customer: 403 };
  const ofCustomer: Refusals = { ...EVERYWHERE, staff: 403, people: 403 };
  const [unheard, silent] = [{ orAbsent: true }, { orAbsent: true, isRedisSilent: true }] as const;
  return [
    fixed('a customer who logged out', loggedOut[0].token),
    fixed('staff who logged out', loggedOut[1].token),
    { ...fixed('staff whose session ended unheard of by Redis', revoked[1].token, ofStaff), ...unheard },
    { ...fixed('staff who were deactivated', deactivated[1].token, ofStaff), ...unheard },
    { ...fixed('a customer whose session ended', revoked[0].token, ofCustomer), ...silent },
    { ...fixed('a customer who was deactivated', deactivated[0].token, ofCustomer), ...silent },
    { ...fixed('staff whose session ended', revoked[1].token, ofStaff), ...silent },
  ];
}

async function badKeys(cast: Cast): Promise<BadCredential[]> {
  const { stack } = cast;
  const change = (key: string, assignment: string) =>
    stack.owner.query(`update api_keys set ${assignment} where digest = $1`, [
      createHash('sha256').update(key).digest('hex'),
    ]);
  const { accountId } = await cast.staff(['*']);
  const { accountId: goneId } = await cast.staff(['*']);
  const [revoked, expired, known, orphan] = await Promise.all(
    [accountId, accountId, accountId, goneId].map((id) => cast.key(id, PERMISSIONS)),
  );
  // Used once, so that Redis has it: only the database knows of its end.
  await call(stack, 'GET', '/markets', undefined, { token: known ?? '' });
  await change(revoked ?? '', 'revoked_at = now()');
  await change(expired ?? '', 'expires_at = now()');
  await change(known ?? '', 'revoked_at = now()');
  await stack.owner.query(`update accounts set status = 'deactivated' where id = $1`, [goneId]);
  return [
    fixed('a key that was never made', `sk_${randomBytes(32).toString('base64url')}`),
    fixed('a key of another length', 'sk_short'),
    fixed('a revoked key', revoked),
    fixed('an expired key', expired),
    fixed('a key of somebody who was deactivated', orphan),
    {
      ...fixed('a revoked key that Redis knows', known, { ...EVERYWHERE, customer: 403, person: 403, people: 403 }),
      orAbsent: true,
      orUnknown: true,
    },
  ];
}

/** Staff and keys that may do everything but what is asked of them. */
async function withoutPermission(cast: Cast, permissions: readonly string[]): Promise<BadCredential[]> {
  const kinds = ['role', 'demoted', 'key', 'overScoped'] as const;
  const tokens = new Map<string, Record<(typeof kinds)[number], string>>();
  for (const permission of new Set([...permissions, PERMISSIONS[0]])) {
    const others = PERMISSIONS.filter((each) => each !== permission);
    const [weak, demoted] = [await cast.staff(others), await cast.staff(others, PERMISSIONS)];
    tokens.set(permission, {
      role: weak.token,
      demoted: demoted.token,
      key: await cast.key((await cast.staff(['*'])).accountId, others),
      overScoped: await cast.key(demoted.accountId, PERMISSIONS),
    });
  }
  const of = (kind: (typeof kinds)[number], name: string, refusals: Refusals): BadCredential => ({
    name,
    token: (operation) => tokens.get(operation['x-permission'] ?? PERMISSIONS[0])?.[kind],
    refusals,
  });
  return [
    of('role', 'staff without the permission', WEAK_STAFF),
    of('demoted', 'staff who have lost the permission', WEAK_STAFF),
    of('key', 'a key without the permission', WEAK_KEY),
    of('overScoped', 'a key with more than its maker has', WEAK_KEY),
  ];
}
