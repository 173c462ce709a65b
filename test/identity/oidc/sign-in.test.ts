import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { register } from '../../support/people.ts';
import { call, type Reply } from '../../support/shop.ts';
import { startStack, type Stack } from '../../support/stack.ts';
import { browse, type OidcServer, startOidcServer } from './provider.ts';
import { appear, callback, comeBack, newEmail, oidcBindings, REDIRECT_URI, signIn, start } from './shop-page.ts';

let stack: Stack;
/** Says everything in the ID token. */
let alpha: OidcServer;
/** Says only the subject there. */
let beta: OidcServer;
beforeAll(async () => {
  alpha = await startOidcServer({ redirectUri: REDIRECT_URI, claimsAtUserinfoOnly: false });
  beta = await startOidcServer({ redirectUri: REDIRECT_URI, claimsAtUserinfoOnly: true });
  stack = await startStack({ env: oidcBindings({ alpha, beta }) });
});
afterAll(async () => {
  await stack.close();
  await Promise.all([alpha.close(), beta.close()]);
});
beforeEach(() => {
  for (const server of [alpha, beta]) Object.assign(server, { requests: [], tokenRequests: [] });
});

const me = (token: string) => call(stack, 'GET', '/customers/me', undefined, { token });
const refusal = ({ status, body }: Reply) => [status, body.code, body.param];
const count = async (table: string, email: string): Promise<number> => {
  const { rows } = await stack.owner.query(
    `select count(*)::int as n from ${table} t join accounts a on a.id = t.${table === 'accounts' ? 'id' : 'account_id'}
     where a.email = $1`,
    [email],
  );
  return rows[0].n;
};
const verify = (email: string) =>
  stack.owner.query('update accounts set email_verified_at = now() where email = $1', [email]);

describe('somebody new', () => {
  test('gets a customer account with a verified e-mail and no password', async () => {
    const email = newEmail();
    appear(alpha, { email, email_verified: true, given_name: 'Grace', family_name: 'Hopper' });
    const { status, body, headers } = await signIn(stack, 'alpha');
    expect(status).toBe(200);
    expect(body).toEqual({
      customer: {
        id: expect.any(String),
        version: 1,
        email,
        first_name: 'Grace',
        last_name: 'Hopper',
        phone: null,
        created_at: expect.any(String),
      },
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
    });
    expect(headers.get('cache-control')).toBe('no-store');
    expect((await me(body.access_token)).body).toEqual(body.customer);
    expect((await call(stack, 'POST', '/auth/refresh', { refresh_token: body.refresh_token })).status).toBe(200);
    const { rows } = await stack.owner.query(
      'select kind, password_hash, email_verified_at is not null as verified from accounts where email = $1',
      [email],
    );
    expect(rows).toEqual([{ kind: 'customer', password_hash: null, verified: true }]);
    expect(await count('oidc_identities', email)).toBe(1);
  });

  test('cannot sign in with any password', async () => {
    const email = newEmail();
    appear(alpha, { email, email_verified: true });
    expect((await signIn(stack, 'alpha')).status).toBe(200);
    for (const password of ['null', 'undefined', ' ', 'some password']) {
      expect((await call(stack, 'POST', '/auth/login', { email, password })).status).toBe(401);
    }
  });

  test('comes back to the same account, also under another e-mail', async () => {
    const subject = appear(alpha, { email: newEmail(), email_verified: true });
    const first = await signIn(stack, 'alpha');
    alpha.people.set(subject, { email: newEmail(), email_verified: false });
    const second = await signIn(stack, 'alpha');
    expect([second.status, second.body.customer]).toEqual([200, first.body.customer]);
    expect(second.body.access_token).not.toBe(first.body.access_token);
  });

  test('is asked about at the userinfo endpoint when the ID token says only the subject', async () => {
    const email = newEmail();
    appear(beta, { email, email_verified: true, given_name: 'Grace' });
    const { status, body } = await signIn(stack, 'beta');
    expect([status, body.customer.email, body.customer.first_name]).toEqual([200, email, 'Grace']);
    expect(beta.requests).toContain('/me');
  });

  test('twice at once gets one account', async () => {
    const email = newEmail();
    appear(alpha, { email, email_verified: true });
    const returns = await Promise.all([1, 2, 3, 4].map(() => comeBack(stack, 'alpha')));
    const replies = await Promise.all(returns.map((each) => callback(stack, each)));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(new Set(replies.map(({ body }) => body.customer.id)).size).toBe(1);
    expect([await count('accounts', email), await count('oidc_identities', email)]).toEqual([1, 1]);
  });

  test('has names only as far as they fit', async () => {
    appear(alpha, { email: newEmail(), email_verified: true, given_name: 'x'.repeat(101), family_name: ' \0 ' });
    const { status, body } = await signIn(stack, 'alpha');
    expect([status, body.customer.first_name, body.customer.last_name]).toEqual([200, null, null]);
  });
});

describe('somebody with an account', () => {
  test('is tied to it when both sides have verified the e-mail, in whatever case it is written', async () => {
    const person = await register(stack);
    await verify(person.email);
    appear(alpha, { email: person.email.toUpperCase(), email_verified: true });
    const { status, body } = await signIn(stack, 'alpha');
    expect([status, body.customer.id]).toEqual([200, person.id]);
    expect((await call(stack, 'POST', '/auth/login', { email: person.email, password: person.password })).status).toBe(
      200,
    );
  });

  test('can come from two providers', async () => {
    const email = newEmail();
    appear(alpha, { email, email_verified: true });
    appear(beta, { email, email_verified: true });
    const [one, two] = [await signIn(stack, 'alpha'), await signIn(stack, 'beta')];
    expect(two.body.customer.id).toBe(one.body.customer.id);
    expect(await count('oidc_identities', email)).toBe(2);
  });

  test('that is closed is refused, whether it was tied before or not', async () => {
    const email = newEmail();
    appear(alpha, { email, email_verified: true });
    expect((await signIn(stack, 'alpha')).status).toBe(200);
    await stack.owner.query(`update accounts set status = 'deactivated' where email = $1`, [email]);
    expect(refusal(await signIn(stack, 'alpha'))).toEqual([401, 'unauthenticated', 'state']);
    appear(alpha, { email, email_verified: true });
    expect(refusal(await signIn(stack, 'alpha'))).toEqual([401, 'unauthenticated', 'state']);
  });

  test('of staff signs in only when it was tied by hand, and is never tied by e-mail', async () => {
    const subject = appear(alpha, { email: 'admin@demo.test', email_verified: true });
    await verify('admin@demo.test');
    expect(refusal(await signIn(stack, 'alpha'))).toEqual([409, 'account_not_linked', 'email']);
    expect(await count('oidc_identities', 'admin@demo.test')).toBe(0);
    await stack.owner.query(
      `insert into oidc_identities (provider, subject, account_id) select 'alpha', $1, id from accounts where email = $2`,
      [subject, 'admin@demo.test'],
    );
    const { status, body } = await signIn(stack, 'alpha');
    expect([status, body.customer]).toEqual([200, null]);
    expect((await me(body.access_token)).status).toBe(403);
  });
});

describe('the conversation with the provider', () => {
  test('has a state, a nonce and a PKCE challenge, and the code goes with the verifier of that challenge', async () => {
    appear(alpha, { email: newEmail(), email_verified: true });
    const { body, headers } = await start(stack, 'alpha');
    expect(headers.get('cache-control')).toBe('no-store');
    const url = new URL(body.authorization_url);
    const asked = Object.fromEntries(url.searchParams);
    expect(asked).toEqual({
      response_type: 'code',
      client_id: alpha.client.client_id,
      redirect_uri: REDIRECT_URI,
      scope: 'openid email profile',
      state: body.state,
      nonce: expect.stringMatching(/^[\w-]{22}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    });
    const answer = await browse(body.authorization_url, REDIRECT_URI);
    const reply = await callback(stack, { provider: 'alpha', answer, verifier: body.login_verifier });
    expect(reply.status).toBe(200);
    const [sent] = alpha.tokenRequests;
    expect(createHash('sha256').update(String(sent?.['code_verifier'])).digest('base64url')).toBe(
      asked['code_challenge'],
    );
  });

  test('asks for metadata and keys once for many sign-ins, and for two round trips to the database each', async () => {
    appear(alpha, { email: newEmail(), email_verified: true });
    for (const _ of [1, 2, 3]) expect((await signIn(stack, 'alpha')).status).toBe(200);
    const background = alpha.requests.filter((path) => path === '/jwks' || path.startsWith('/.well-known/'));
    expect(background.length).toBeLessThanOrEqual(2);
    const lines = stack.logs().filter(({ route }) => String(route).endsWith('/callback'));
    expect(lines.at(-1)).toMatchObject({ db_round_trips: 2, redis_round_trips: 1 });
  });

  test('leaves no login behind, and none that could be read from the database', async () => {
    appear(alpha, { email: newEmail(), email_verified: true });
    const { answer, verifier, provider } = await comeBack(stack, 'alpha');
    const { rows } = await stack.owner.query('select l::text as row from oidc_logins l');
    for (const secret of [answer['state'], answer['code'], verifier])
      expect(JSON.stringify(rows)).not.toContain(secret);
    expect((await callback(stack, { provider, answer, verifier })).status).toBe(200);
    expect((await stack.owner.query('select from oidc_logins')).rows).toHaveLength(rows.length - 1);
  });

  test('is not in the log', async () => {
    const email = newEmail();
    const subject = appear(alpha, { email, email_verified: true });
    const back = await comeBack(stack, 'alpha');
    await callback(stack, back);
    await callback(stack, back);
    const log = JSON.stringify(stack.logs());
    const secrets = [
      email,
      subject,
      back.verifier,
      back.answer['code'],
      back.answer['state'],
      alpha.client.client_secret,
    ];
    for (const secret of [...secrets, 'eyJ']) expect(log).not.toContain(secret);
  });
});
