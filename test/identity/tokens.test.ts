import { sign } from 'hono/jwt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type Json } from '../support/shop.ts';
import { type Person, register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';

const ACCESS_SECRET = 'known to this test alone, for forging';
const REFRESH_SECRET = 'known to this test alone, for refresh';

let stack: Stack;
let person: Person;
let claims: Json;
beforeAll(async () => {
  stack = await startStack({ env: { JWT_ACCESS_SECRET: ACCESS_SECRET, JWT_REFRESH_SECRET: REFRESH_SECRET } });
  person = await register(stack);
  claims = JSON.parse(Buffer.from(person.token.split('.')[1] ?? '', 'base64url').toString());
});
afterAll(() => stack.close());

const encode = (part: Json) => Buffer.from(JSON.stringify(part)).toString('base64url');
/** Under the key id that our own tokens name, whatever the secret. */
const signed = (changes: Json = {}, secret = ACCESS_SECRET) => {
  const { kid } = JSON.parse(Buffer.from(person.token.split('.')[0] ?? '', 'base64url').toString());
  const key = { kty: 'oct', k: Buffer.from(secret).toString('base64url'), alg: 'HS256', kid };
  return sign({ ...claims, ...changes }, key);
};
const read = (authorization: string) => call(stack, 'GET', '/customers/me', undefined, { headers: { authorization } });

const HOUR_S = 3600;
const forged: Record<string, () => string | Promise<string>> = {
  expired: () => signed({ iat: claims.iat - 2 * HOUR_S, exp: claims.iat - HOUR_S }),
  'issued in the future': () => signed({ iat: claims.iat + HOUR_S, exp: claims.iat + 2 * HOUR_S }),
  'without an end': () => signed({ exp: undefined }),
  'signed with another secret': () => signed({}, 'somebody else thought this secret up'),
  'signed with the refresh secret': () => signed({}, REFRESH_SECRET),
  'a refresh token': () => person.refreshToken,
  'a refresh token signed as an access token': () => signed({ token_use: 'refresh' }),
  'alg none': () => `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims)}.`,
  'alg None with the old signature': () =>
    `${encode({ alg: 'None', typ: 'JWT' })}.${encode(claims)}.${person.token.split('.')[2]}`,
  'its account changed': () => {
    const [header, , signature] = person.token.split('.');
    return `${header}.${encode({ ...claims, sub: '0199a1b2-0000-7000-8000-000000000001' })}.${signature}`;
  },
  'its signature changed': () => person.token.replace(/.{4}$/, 'AAAA'),
  'from another issuer': () => signed({ iss: 'somebody' }),
  'for another audience': () => signed({ aud: 'elsewhere' }),
  'of an unknown kind': () => signed({ kind: 'root' }),
  'not a token': () => 'nonsense',
};

describe('a token that was tampered with is refused, and costs no look at the database', () => {
  test.each(Object.entries(forged))('%s', async (_name, forge) => {
    const token = await forge();
    stack.neon.clear();
    for (const path of ['/customers/me', '/orders', '/products']) {
      const refused = await call(stack, 'GET', path, undefined, { token });
      expect([refused.status, refused.body.code]).toEqual([401, 'unauthenticated']);
      expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    }
    expect(stack.neon.exchanges).toEqual([]);
  });

  test.each(['', 'Bearer', 'Bearer ', 'Basic YTpi', 'Token abc', 'Bearer a b', `Bearer ${'a'.repeat(4097)}`])(
    'the header %j is no identity, and never taken for a guest',
    async (authorization) => {
      const refused = await read(authorization);
      expect([refused.status, refused.body.code]).toEqual([401, 'unauthenticated']);
    },
  );

  test('without one a protected route says what to do', async () => {
    for (const path of ['/customers/me', '/orders', '/customers/me/orders']) {
      const refused = await call(stack, 'GET', path);
      expect([refused.status, refused.body.code, refused.body.param]).toEqual([
        401,
        'unauthenticated',
        'Authorization',
      ]);
    }
  });

  test('while one made the same way is good', async () => {
    for (const authorization of [`Bearer ${await signed()}`, `bearer ${person.token}`]) {
      expect((await read(authorization)).body.id).toBe(person.id);
    }
  });

  test('a good one of an account that is gone or closed is refused', async () => {
    const closed = await register(stack);
    await stack.owner.query(`update accounts set status = 'deactivated' where id = $1`, [closed.id]);
    const gone = await signed({ sub: '0199a1b2-0000-7000-8000-000000000001' });
    for (const token of [gone, closed.token]) {
      const refused = await call(stack, 'GET', '/customers/me', undefined, { token });
      expect([refused.status, refused.body.code]).toEqual([401, 'unauthenticated']);
    }
  });
});
