import { afterAll, beforeAll, expect, test } from 'vitest';
import { register } from '../../support/people.ts';
import { call, type Reply } from '../../support/shop.ts';
import { startStack, type Stack } from '../../support/stack.ts';
import { appCode, type Enrolled, enrollTotp, wrongCode } from '../../support/totp.ts';
import { type OidcServer, startOidcServer } from './provider.ts';
import { appear, oidcBindings, REDIRECT_URI, signIn } from './shop-page.ts';

let stack: Stack;
let alpha: OidcServer;
beforeAll(async () => {
  alpha = await startOidcServer({ redirectUri: REDIRECT_URI, claimsAtUserinfoOnly: false });
  stack = await startStack({ env: oidcBindings({ alpha }) });
});
afterAll(async () => {
  await stack.close();
  await alpha.close();
});

const refusal = ({ status, body }: Reply) => [status, body.code, body.param];
const WRONG_CODE = [401, 'totp_required', 'code'];
const SPENT = [401, 'unauthenticated', 'login_ticket'];
const complete = (login_ticket: string, code: string) =>
  call(stack, 'POST', '/auth/oidc/alpha/complete', { login_ticket, code });

interface Protected extends Enrolled {
  id: string;
  email: string;
}

/** A customer with a second factor who has an identity at the provider and is at the browser. */
async function protectedPerson(): Promise<Protected> {
  const person = await register(stack);
  await stack.owner.query('update accounts set email_verified_at = now() where id = $1', [person.id]);
  const enrolled = await enrollTotp(stack, person);
  appear(alpha, { email: person.email, email_verified: true });
  return { id: person.id, email: person.email, ...enrolled };
}

/** The ticket that a sign-in without the second factor answers. */
async function ticket(): Promise<string> {
  const reply = await signIn(stack, 'alpha');
  expect(refusal(reply)).toEqual(WRONG_CODE);
  expect(reply.body).not.toHaveProperty('access_token');
  return reply.body.login_ticket;
}

const sessionsOf = async (id: string): Promise<number> => {
  const { rows } = await stack.owner.query(
    'select count(*)::int as n from sessions where account_id = $1 and revoked_at is null',
    [id],
  );
  return rows[0].n;
};

test('an account with a second factor gets no session from the provider alone, and one with a code', async () => {
  const { id, email, secret } = await protectedPerson();
  const before = await sessionsOf(id);
  const login_ticket = await ticket();
  expect(await sessionsOf(id)).toBe(before);
  const { status, body, headers } = await complete(login_ticket, appCode(secret, 1));
  expect([status, body.customer.email]).toEqual([200, email]);
  expect(headers.get('cache-control')).toBe('no-store');
  expect((await call(stack, 'GET', '/customers/me', undefined, { token: body.access_token })).status).toBe(200);
  const { rows } = await stack.owner.query('select mfa from sessions where account_id = $1 order by id desc', [id]);
  expect(rows[0]).toEqual({ mfa: true });
});

test('a ticket is good for one session, also of many at once', async () => {
  const { secret } = await protectedPerson();
  const login_ticket = await ticket();
  const replies = await Promise.all([1, 2, 3, 4].map(() => complete(login_ticket, appCode(secret, 1))));
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(refusal(await complete(login_ticket, appCode(secret, 1)))).toEqual(SPENT);
});

test('a recovery code stands in for the app, once', async () => {
  const { recoveryCodes } = await protectedPerson();
  const [code = ''] = recoveryCodes;
  expect((await complete(await ticket(), code)).status).toBe(200);
  const again = await complete(await ticket(), code);
  expect([again.status, again.body.code]).toEqual([401, 'totp_required']);
});

test('a wrong code leaves the ticket, and five of them lock the account for all of its tickets', async () => {
  const { secret } = await protectedPerson();
  const [first, second] = [await ticket(), await ticket()];
  for (const login_ticket of [first, second, first, second, first]) {
    expect(refusal(await complete(login_ticket, wrongCode(secret)))).toEqual(WRONG_CODE);
  }
  for (const login_ticket of [first, second]) {
    const locked = await complete(login_ticket, appCode(secret, 1));
    expect([locked.status, locked.body.code]).toEqual([429, 'login_locked']);
    expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(0);
  }
});

test('a code that was used before is refused', async () => {
  const { secret } = await protectedPerson();
  const code = appCode(secret, 1);
  expect((await complete(await ticket(), code)).status).toBe(200);
  expect(refusal(await complete(await ticket(), code))).toEqual(WRONG_CODE);
});

test('a ticket is of its account alone, and of its time', async () => {
  const [one, two] = [await protectedPerson(), await protectedPerson()];
  const login_ticket = await ticket();
  const [, secret = ''] = login_ticket.split('.');
  expect(refusal(await complete(`${one.id}.${secret}`, appCode(one.secret, 1)))).toEqual(SPENT);
  await stack.owner.query(`update account_tokens set expires_at = now() - interval '1 second' where account_id = $1`, [
    two.id,
  ]);
  expect(refusal(await complete(login_ticket, appCode(two.secret, 1)))).toEqual(SPENT);
});

test('a ticket of an account that was closed meanwhile is good for nothing', async () => {
  const { id, secret } = await protectedPerson();
  const login_ticket = await ticket();
  await stack.owner.query(`update accounts set status = 'deactivated' where id = $1`, [id]);
  expect(refusal(await complete(login_ticket, appCode(secret, 1)))).toEqual(SPENT);
});

test('a ticket is no token of another kind', async () => {
  await protectedPerson();
  const login_ticket = await ticket();
  const [, secret = ''] = login_ticket.split('.');
  const reset = await call(stack, 'POST', '/auth/password/reset', {
    token: secret,
    password: 'a new password of mine',
  });
  expect([reset.status, reset.body.code]).toEqual([422, 'token_invalid']);
  const me = await call(stack, 'GET', '/customers/me', undefined, { token: login_ticket });
  expect(me.status).toBe(401);
});
