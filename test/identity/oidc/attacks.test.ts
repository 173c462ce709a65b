import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { register } from '../../support/people.ts';
import { call, type Reply } from '../../support/shop.ts';
import { startStack, type Stack } from '../../support/stack.ts';
import { type OidcServer, startOidcServer, type TokenReply } from './provider.ts';
import { appear, callback, comeBack, newEmail, oidcBindings, REDIRECT_URI, signIn, start } from './shop-page.ts';

let stack: Stack;
let alpha: OidcServer;
let beta: OidcServer;
beforeAll(async () => {
  const options = { redirectUri: REDIRECT_URI, claimsAtUserinfoOnly: false };
  [alpha, beta] = [await startOidcServer(options), await startOidcServer(options)];
  stack = await startStack({ env: oidcBindings({ alpha, beta }) });
});
afterAll(async () => {
  await stack.close();
  await Promise.all([alpha.close(), beta.close()]);
});
afterEach(() => {
  alpha.tamper = null;
});

const SPENT = [401, 'unauthenticated', 'state'];
const refusal = ({ status, body }: Reply) => [status, body.code, body.param];
const nowS = () => Math.floor(Date.now() / 1000);

/** Of everything that a sign-in may leave behind. */
async function rowCounts(): Promise<Record<string, number>> {
  const { rows } = await stack.owner.query(`
    select (select count(*)::int from accounts) as accounts, (select count(*)::int from customers) as customers,
      (select count(*)::int from sessions) as sessions, (select count(*)::int from oidc_identities) as identities`);
  return rows[0];
}

/** How a sign-in is refused, and whether it left nothing. */
async function tried(attempt: () => Promise<Reply>): Promise<unknown[]> {
  const before = await rowCounts();
  const reply = await attempt();
  expect(await rowCounts()).toEqual(before);
  return refusal(reply);
}

const honest = () => appear(alpha, { email: newEmail(), email_verified: true });

describe('an answer of the provider', () => {
  test('is good once: its replay finds nothing, and asks the provider nothing', async () => {
    honest();
    const back = await comeBack(stack, 'alpha');
    expect((await callback(stack, back)).status).toBe(200);
    const asked = alpha.tokenRequests.length;
    expect(await tried(() => callback(stack, back))).toEqual(SPENT);
    expect(alpha.tokenRequests).toHaveLength(asked);
  });

  test('is good once of many at the same time', async () => {
    honest();
    const back = await comeBack(stack, 'alpha');
    const replies = await Promise.all([1, 2, 3, 4, 5].map(() => callback(stack, back)));
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401, 401, 401, 401]);
  });

  test('with a code that was used is refused by the provider', async () => {
    honest();
    const [first, second] = [await comeBack(stack, 'alpha'), await comeBack(stack, 'alpha')];
    expect((await callback(stack, first)).status).toBe(200);
    const reused = { ...second, answer: { ...second.answer, code: first.answer['code'] ?? '' } };
    expect(await tried(() => callback(stack, reused))).toEqual(SPENT);
  });

  test('with the code of another sign-in is refused: its PKCE verifier is another', async () => {
    honest();
    const [mine, theirs] = [await comeBack(stack, 'alpha'), await comeBack(stack, 'alpha')];
    const injected = { ...mine, answer: { ...mine.answer, code: theirs.answer['code'] ?? '' } };
    expect(await tried(() => callback(stack, injected))).toEqual(SPENT);
  });

  test('is refused by the provider when the PKCE verifier is not that of the challenge', async () => {
    honest();
    const back = await comeBack(stack, 'alpha');
    await stack.owner.query('update oidc_logins set code_verifier = $1', ['x'.repeat(43)]);
    expect(await tried(() => callback(stack, back))).toEqual(SPENT);
    expect(alpha.tokenRequests.at(-1)).toMatchObject({ code_verifier: 'x'.repeat(43) });
  });

  test.each([
    ['a state that nobody was given', (state: string) => state.replace(/^./, (char) => (char === 'A' ? 'B' : 'A'))],
    ['the state in another case', (state: string) => state.toUpperCase()],
  ])('with %s is refused', async (_name, change) => {
    honest();
    const back = await comeBack(stack, 'alpha');
    const answer = { ...back.answer, state: change(back.answer['state'] ?? '') };
    expect(await tried(() => callback(stack, { ...back, answer }))).toEqual(SPENT);
  });

  test('after ten minutes is too late', async () => {
    honest();
    const back = await comeBack(stack, 'alpha');
    await stack.owner.query(`update oidc_logins set expires_at = now() - interval '1 second'`);
    expect(await tried(() => callback(stack, back))).toEqual(SPENT);
  });

  test.each([
    ['none', undefined],
    ['that of another sign-in', 'A'.repeat(22)],
    ['garbage', 'x'],
  ])('brought by a browser that did not start it (verifier: %s) signs nobody in', async (_name, verifier) => {
    honest();
    const back = await comeBack(stack, 'alpha');
    const { answer, provider } = back;
    const before = await rowCounts();
    const query = new URLSearchParams({ state: answer['state'] ?? '', code: answer['code'] ?? '' });
    const headers = verifier === undefined ? {} : { 'x-login-verifier': verifier };
    const reply = await call(stack, 'GET', `/auth/oidc/${provider}/callback?${query}`, undefined, { headers });
    expect(reply.status).toBe(401);
    expect(await rowCounts()).toEqual(before);
  });

  test('that says access was denied is a refusal and no fault of ours', async () => {
    alpha.present = null;
    const back = await comeBack(stack, 'alpha');
    expect(back.answer['error']).toBe('access_denied');
    expect(await tried(() => callback(stack, back))).toEqual([401, 'unauthenticated', 'error']);
    expect(await tried(() => callback(stack, back))).toEqual(SPENT);
  });

  test('that says the provider is busy is 503', async () => {
    honest();
    const { answer, ...back } = await comeBack(stack, 'alpha');
    const { code: _code, ...rest } = answer;
    const busy = { ...back, answer: { ...rest, error: 'temporarily_unavailable' } };
    expect(await tried(() => callback(stack, busy))).toEqual([503, 'dependency_unavailable', undefined]);
  });
});

describe('a mix-up of providers', () => {
  test('the state of one is nothing at the other, and is spent by the try', async () => {
    honest();
    const back = await comeBack(stack, 'alpha');
    expect(await tried(() => callback(stack, { ...back, provider: 'beta' }))).toEqual(SPENT);
    expect(await tried(() => callback(stack, back))).toEqual(SPENT);
    expect(beta.tokenRequests).toEqual([]);
  });

  test.each([
    ['of another provider', () => beta.issuer],
    ['that is missing although the provider always sends it', () => undefined],
    ['that is the same but for a slash', () => `${alpha.issuer}/`],
  ])('an issuer in the answer %s is refused before the code is sent', async (_name, issuer) => {
    honest();
    const back = await comeBack(stack, 'alpha');
    expect(back.answer['iss']).toBe(alpha.issuer);
    const { iss: _iss, ...rest } = back.answer;
    const iss = issuer();
    const asked = alpha.tokenRequests.length;
    const answer = { ...rest, ...(iss !== undefined && { iss }) };
    expect(await tried(() => callback(stack, { ...back, answer }))).toEqual(SPENT);
    expect(alpha.tokenRequests).toHaveLength(asked);
  });

  test('the same subject at another provider is somebody else', async () => {
    const subject = randomUUID();
    appear(alpha, { email: newEmail(), email_verified: true }, subject);
    appear(beta, { email: newEmail(), email_verified: true }, subject);
    const [one, two] = [await signIn(stack, 'alpha'), await signIn(stack, 'beta')];
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(two.body.customer.id).not.toBe(one.body.customer.id);
  });
});

describe('an ID token', () => {
  const forged: [string, (reply: TokenReply) => string | undefined][] = [
    ['with another nonce', ({ id_token }) => alpha.resign(id_token, { nonce: 'A'.repeat(22) })],
    ['without a nonce', ({ id_token }) => alpha.resign(id_token, { nonce: undefined })],
    ['for another client', ({ id_token }) => alpha.resign(id_token, { aud: 'another-shop' })],
    [
      'for several, of which we are not the party',
      ({ id_token }) => alpha.resign(id_token, { aud: [alpha.client.client_id, 'other'], azp: 'other' }),
    ],
    ['of another issuer', ({ id_token }) => alpha.resign(id_token, { iss: beta.issuer })],
    ['that has expired', ({ id_token }) => alpha.resign(id_token, { exp: nowS() - 120 })],
    ['that is not good yet', ({ id_token }) => alpha.resign(id_token, { nbf: nowS() + 3_600 })],
    ['without a subject', ({ id_token }) => alpha.resign(id_token, { sub: undefined })],
    ['with an empty subject', ({ id_token }) => alpha.resign(id_token, { sub: '' })],
    ['with a subject beyond 255 characters', ({ id_token }) => alpha.resign(id_token, { sub: 'x'.repeat(256) })],
    ['without a signature (alg none)', ({ id_token }) => alpha.resign(id_token, {}, { alg: 'none' })],
    ['signed with the client secret', ({ id_token }) => alpha.resign(id_token, {}, { alg: 'HS256' })],
    ['signed with a key of another provider', ({ id_token }) => beta.resign(id_token, {})],
    [
      'whose signature is of other claims',
      ({ id_token }) => {
        const [header, , signature] = id_token.split('.');
        return [header, alpha.resign(id_token, { email: 'victim@example.test' }).split('.')[1], signature].join('.');
      },
    ],
    ['with an unknown kid', ({ id_token }) => alpha.resign(id_token, {}, { kid: 'unknown' })],
    ['with a critical extension', ({ id_token }) => alpha.resign(id_token, {}, { crit: ['x'], x: 1 })],
    ['that is garbage', () => 'garbage'],
    ['that is not there', () => undefined],
  ];
  test.each(forged)('%s is refused', async (_name, forge) => {
    honest();
    const back = await comeBack(stack, 'alpha');
    alpha.tamper = (reply) => ({ ...reply, id_token: forge(reply) });
    expect(await tried(() => callback(stack, back))).toEqual(SPENT);
  });

  test('that is as it should be goes through the same hands', async () => {
    honest();
    const back = await comeBack(stack, 'alpha');
    alpha.tamper = (reply) => ({ ...reply, id_token: alpha.resign(reply.id_token, {}) });
    expect((await callback(stack, back)).status).toBe(200);
  });
});

describe('taking an account over', () => {
  const NOT_LINKED = [409, 'account_not_linked', 'email'];

  test.each([
    ['false', false],
    ['missing', undefined],
    ['the text "true"', 'true'],
    ['1', 1],
  ])('by an e-mail whose email_verified is %s is refused', async (_name, email_verified) => {
    const victim = await register(stack);
    await stack.owner.query('update accounts set email_verified_at = now() where id = $1', [victim.id]);
    appear(alpha, { email: victim.email, ...(email_verified !== undefined && { email_verified }) });
    expect(await tried(() => signIn(stack, 'alpha'))).toEqual(NOT_LINKED);
  });

  test('that was opened in advance with the e-mail of its later owner is refused', async () => {
    const squatter = await register(stack);
    appear(alpha, { email: squatter.email, email_verified: true });
    expect(await tried(() => signIn(stack, 'alpha'))).toEqual(NOT_LINKED);
    const me = await call(stack, 'GET', '/customers/me', undefined, { token: squatter.token });
    expect(me.status).toBe(200);
  });

  test('an e-mail that is not verified reads the same with and without an account', async () => {
    const known = await register(stack);
    const headers = { 'x-request-id': 'same' };
    const texts = [];
    for (const email of [known.email, newEmail()]) {
      appear(alpha, { email, email_verified: false });
      const reply = await callback(stack, await comeBack(stack, 'alpha'), { headers });
      expect(refusal(reply)).toEqual(NOT_LINKED);
      texts.push(reply.text);
    }
    expect(texts[1]).toBe(texts[0]);
  });

  test.each([
    ['no e-mail at all', {}],
    ['an e-mail that is none', { email: 'nobody', email_verified: true }],
    ['an e-mail with NUL', { email: 'a\0@example.test', email_verified: true }],
    ['an e-mail beyond 254 characters', { email: `${'x'.repeat(250)}@example.test`, email_verified: true }],
  ])('with %s opens nothing', async (_name, claims) => {
    appear(alpha, claims);
    expect(await tried(() => signIn(stack, 'alpha'))).toEqual(NOT_LINKED);
  });
});

describe('a start', () => {
  test.each([
    'https://shop.example.test/signed-in/',
    'https://shop.example.test/signed-in?x=1',
    'https://SHOP.example.test/signed-in',
    'https://shop.example.test.evil.test/signed-in',
    'http://shop.example.test/signed-in',
    'https://evil.test/',
    'javascript:alert(1)',
  ])('with the redirect_uri %s, which is not listed, is refused', async (uri) => {
    expect(refusal(await start(stack, 'alpha', uri))).toEqual([422, 'validation_failed', 'redirect_uri']);
  });

  test('at a provider that is not configured is 404, as is its callback', async () => {
    for (const name of ['gamma', 'constructor', 'toString', '__proto__']) {
      expect(refusal(await start(stack, name))).toEqual([404, 'not_found', 'provider']);
      const reply = await call(stack, 'GET', `/auth/oidc/${name}/callback`);
      expect(refusal(reply)).toEqual([404, 'not_found', 'provider']);
    }
  });
});
