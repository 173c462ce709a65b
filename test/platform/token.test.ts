import { sign } from 'hono/jwt';
import { describe, expect, test } from 'vitest';
import { checkClaims, issueTokens, readToken } from '../../src/platform/auth/token.ts';
import { signingKey } from '../../src/platform/auth/keys.ts';
import { createIds } from '../../src/platform/id.ts';
import { parseConfig } from '../../src/platform/config.ts';
import { BINDINGS } from './bindings.ts';

const config = parseConfig(BINDINGS);
const NOW_S = 1_800_000_000;
const at = (seconds: number) => ({ now: () => new Date(seconds * 1000) });
const clock = at(NOW_S);
const subject = {
  accountId: '0199a1b2-0000-7000-8000-000000000001',
  sessionId: '0199a1b2-0000-7000-8000-000000000002',
  kind: 'customer',
  generation: 3,
  rotatedAt: new Date(NOW_S * 1000).toISOString(),
  expiresAt: new Date((NOW_S + config.JWT_REFRESH_TTL) * 1000).toISOString(),
  permissions: [],
  mfa: false,
} as const;
const ids = createIds(clock);
const claims = {
  iss: config.SERVICE_NAME,
  aud: 'api',
  sub: subject.accountId,
  sid: subject.sessionId,
  jti: 'of this test',
  kind: 'customer',
  token_use: 'access',
  iat: NOW_S,
  exp: NOW_S + 900,
};
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
const refusal = { code: 'unauthenticated' };

describe('issued tokens', () => {
  test('are read back, each for its own use', async () => {
    const tokens = await issueTokens(config, clock, ids, subject);
    expect(tokens).toMatchObject({ token_type: 'Bearer', expires_in: config.JWT_ACCESS_TTL });
    const access = await readToken(config, clock, tokens.access_token, 'access');
    expect(access).toMatchObject({ sub: subject.accountId, sid: subject.sessionId, kind: 'customer' });
    expect(access.exp - access.iat).toBe(config.JWT_ACCESS_TTL);
    const refresh = await readToken(config, clock, tokens.refresh_token, 'refresh');
    expect(refresh).toMatchObject({ sub: subject.accountId, gen: 3 });
    expect(refresh.exp - refresh.iat).toBe(config.JWT_REFRESH_TTL);
  });

  test('are refused for the other use', async () => {
    const tokens = await issueTokens(config, clock, ids, subject);
    await expect(readToken(config, clock, tokens.refresh_token, 'access')).rejects.toMatchObject(refusal);
    await expect(readToken(config, clock, tokens.access_token, 'refresh')).rejects.toMatchObject(refusal);
  });

  test('hold nothing of the person but ids', async () => {
    const { access_token } = await issueTokens(config, clock, ids, subject);
    const payload: unknown = JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString());
    expect(Object.keys(payload as object).toSorted()).toEqual(Object.keys(claims).toSorted());
  });

  test('end when they say, give or take half a minute between two clocks', async () => {
    const { access_token } = await issueTokens(config, clock, ids, subject);
    const end = NOW_S + config.JWT_ACCESS_TTL;
    await expect(readToken(config, at(end + 29), access_token, 'access')).resolves.toBeDefined();
    await expect(readToken(config, at(end + 30), access_token, 'access')).rejects.toMatchObject(refusal);
    await expect(readToken(config, at(NOW_S - 30), access_token, 'access')).resolves.toBeDefined();
    await expect(readToken(config, at(NOW_S - 31), access_token, 'access')).rejects.toMatchObject(refusal);
  });
});

/** Signed as ours are, under our key id, whatever the secret. */
const signed = (payload: object, secret = config.JWT_ACCESS_SECRET, alg: 'HS256' | 'HS384' = 'HS256') =>
  sign({ ...payload }, { ...signingKey(config, 'access'), alg, k: Buffer.from(secret).toString('base64url') });

describe('a forged token is refused', () => {
  const good = () => signed(claims);
  const forged: Record<string, () => string | Promise<string>> = {
    'signed with another secret': () => signed(claims, 'x'.repeat(64)),
    'signed with the refresh secret': () => signed(claims, config.JWT_REFRESH_SECRET),
    'signed with another algorithm': () => signed(claims, config.JWT_ACCESS_SECRET, 'HS384'),
    'alg none, no signature': () => `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`,
    'alg none, its old signature': async () =>
      `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.${(await good()).split('.')[2]}`,
    'payload changed': async () => {
      const [header, , signature] = (await good()).split('.');
      return `${header}.${encode({ ...claims, kind: 'staff' })}.${signature}`;
    },
    'cut short': async () => (await good()).slice(0, -5),
    'without a signature': async () => (await good()).split('.').slice(0, 2).join('.'),
    'of another issuer': () => signed({ ...claims, iss: 'somebody' }),
    'for another audience': () => signed({ ...claims, aud: 'elsewhere' }),
    'without a key id': () => sign(claims, config.JWT_ACCESS_SECRET, 'HS256'),
    'no token': () => 'nonsense',
  };

  test.each(Object.entries(forged))('%s', async (_name, forge) => {
    await expect(readToken(config, clock, await forge(), 'access')).rejects.toMatchObject(refusal);
  });

  test('while the one it was forged from is good', async () => {
    await expect(readToken(config, clock, await good(), 'access')).resolves.toMatchObject({ sub: claims.sub });
  });
});

describe('a claim that is missing or wrong', () => {
  const wrong: [string, unknown][] = [
    ['exp', undefined],
    ['exp', '9999999999'],
    ['iat', undefined],
    ['sub', undefined],
    ['sub', 'not a uuid'],
    ['sid', undefined],
    ['kind', 'root'],
    ['token_use', 'refresh'],
    ['token_use', undefined],
    ['gen', 0],
  ];
  test.each(wrong)('%s: %s', (name, value) => {
    expect(checkClaims({ ...claims, [name]: value }, 'access', NOW_S)).toBeNull();
  });

  test('while all of them together hold', () => {
    expect(checkClaims(claims, 'access', NOW_S)).toMatchObject({ sub: claims.sub });
    expect(checkClaims('a text', 'access', NOW_S)).toBeNull();
    expect(checkClaims(null, 'access', NOW_S)).toBeNull();
  });
});
