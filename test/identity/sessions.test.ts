import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type CallOptions, type Json, type Reply } from '../support/shop.ts';
import { register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

/** Everything that was answered, to look for what must never be in it. */
const answered: string[] = [];
const post = async (path: string, body: Json, options: CallOptions = {}): Promise<Reply> => {
  const reply = await call(stack, 'POST', path, body, options);
  answered.push(reply.text);
  return reply;
};
const me = (token: string) => call(stack, 'GET', '/customers/me', undefined, { token });
const login = (email: string, password: string) => post('/auth/login', { email, password });
const refresh = (refresh_token: string) => post('/auth/refresh', { refresh_token });
const logout = (refresh_token: string) => post('/auth/logout', { refresh_token });
const newEmail = () => `${randomUUID()}@people.example.test`;
const refusal = ({ status, body }: Reply) => [status, body.code, body.param];

describe('registering', () => {
  test('opens an account and signs in', async () => {
    const email = newEmail();
    const { status, body } = await post('/auth/register', { email, password: 'long enough', first_name: 'Ada' });
    expect(status).toBe(201);
    expect(body).toEqual({
      customer: {
        id: expect.any(String),
        version: 1,
        email,
        first_name: 'Ada',
        last_name: null,
        phone: null,
        created_at: expect.any(String),
      },
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
    });
    expect((await me(body.access_token)).body).toEqual(body.customer);
  });

  test('with an e-mail that has an account is 409, in whatever case it is written', async () => {
    const { email } = await register(stack);
    for (const again of [email, email.toUpperCase()]) {
      const taken = await post('/auth/register', { email: again, password: 'long enough' });
      expect(refusal(taken)).toEqual([409, 'email_taken', 'email']);
    }
    const { rows } = await stack.owner.query('select count(*)::int as n from accounts where lower(email) = $1', [
      email,
    ]);
    expect(rows[0].n).toBe(1);
  });

  test('twice at once makes one account', async () => {
    const email = newEmail();
    const both = await Promise.all([1, 2].map(() => post('/auth/register', { email, password: 'long enough' })));
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409]);
  });

  test.each([
    ['123456789', 'password'],
    ['x'.repeat(201), 'password'],
  ])('with the password %s is refused', async (password, param) => {
    const refused = await post('/auth/register', { email: newEmail(), password });
    expect(refusal(refused)).toEqual([422, 'validation_failed', param]);
  });

  test('leaves nothing of the password but its hash', async () => {
    const { id, password } = await register(stack);
    const { rows } = await stack.owner.query('select a::text as row from accounts a where id = $1', [id]);
    expect(rows[0].row).not.toContain(password);
    expect(rows[0].row).toContain('scrypt$16384$8$5$');
  });
});

describe('signing in', () => {
  test('takes the e-mail in any case', async () => {
    const { id, email, password } = await register(stack);
    for (const written of [email, email.toUpperCase()]) {
      const { status, body } = await login(written, password);
      expect([status, body.customer.id, body.customer.email]).toEqual([200, id, email]);
      expect((await me(body.access_token)).status).toBe(200);
    }
  });

  test('answers a wrong password, an unknown e-mail and a closed account all the same', async () => {
    const [known, closed] = [await register(stack), await register(stack)];
    await stack.owner.query(`update accounts set status = 'deactivated' where id = $1`, [closed.id]);
    const headers = { 'x-request-id': 'same' };
    const replies = await Promise.all(
      [
        { email: known.email, password: `${known.password}!` },
        { email: newEmail(), password: known.password },
        { email: closed.email, password: closed.password },
      ].map((body) => post('/auth/login', body, { headers })),
    );
    const [first] = replies;
    expect(first && refusal(first)).toEqual([401, 'invalid_credentials', undefined]);
    for (const { status, text, headers: own } of replies) {
      expect([status, text]).toEqual([401, first?.text]);
      expect(own.get('www-authenticate')).toBe('Bearer');
    }
  });

  test('as staff answers no customer, and a customer route is closed to it', async () => {
    const { status, body } = await login('admin@demo.test', 'demo-admin-password');
    expect([status, body.customer]).toEqual([200, null]);
    expect(refusal(await me(body.access_token))).toEqual([403, 'forbidden', 'Authorization']);
  });

  test('the demo customer can', async () => {
    const { status, body } = await login('buyer@demo.test', 'demo-buyer-password');
    expect([status, body.customer.first_name]).toEqual([200, 'Bailey']);
  });

  test('forty at once are served or told to come back, nothing else', async () => {
    const { email, password } = await register(stack);
    const replies = await Promise.all(Array.from({ length: 40 }, () => login(email, password)));
    for (const reply of replies) {
      if (reply.status === 200) continue;
      expect(refusal(reply)).toEqual([503, 'overloaded', undefined]);
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    // Two that are hashed and sixteen that wait are always served.
    expect(replies.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(18);
    expect((await login(email, password)).status).toBe(200);
  });
});

describe('a refresh token', () => {
  test('is traded for new ones, again and again', async () => {
    const person = await register(stack);
    let { refreshToken } = person;
    for (let turn = 0; turn < 3; turn += 1) {
      const { status, body } = await refresh(refreshToken);
      expect(status).toBe(200);
      expect(body).not.toHaveProperty('customer');
      expect((await me(body.access_token)).body.id).toBe(person.id);
      expect(body.refresh_token).not.toBe(refreshToken);
      refreshToken = body.refresh_token;
    }
  });

  const ageOf = (person: { id: string }, seconds: number) =>
    stack.owner.query(`update sessions set rotated_at = rotated_at - make_interval(secs => $2) where account_id = $1`, [
      person.id,
      seconds,
    ]);

  test.each([2, 3])('that comes back after %i trades is refused and ends the session', async (trades) => {
    const { refreshToken: first } = await register(stack);
    let latest = first;
    for (let turn = 0; turn < trades; turn += 1) latest = (await refresh(latest)).body.refresh_token;
    expect(refusal(await refresh(first))).toEqual([401, 'unauthenticated', 'refresh_token']);
    // Whoever holds the newest one cannot go on either: one of the two stole it.
    expect((await refresh(latest)).status).toBe(401);
  });

  test('that comes back after one trade answers the same successor for seconds, and then ends the session', async () => {
    const person = await register(stack);
    const first = await refresh(person.refreshToken);
    const again = await refresh(person.refreshToken);
    expect([again.status, again.body.refresh_token]).toEqual([200, first.body.refresh_token]);
    await ageOf(person, 11);
    expect((await refresh(person.refreshToken)).status).toBe(401);
    const me401 = await me(again.body.access_token);
    expect(me401.status).toBe(401);
    expect((await refresh(first.body.refresh_token)).status).toBe(401);
    const { rows } = await stack.owner.query('select reused_at from sessions where account_id = $1', [person.id]);
    expect(rows[0].reused_at).not.toBeNull();
  });

  test('that comes back ends its own session only', async () => {
    const person = await register(stack);
    const other = (await login(person.email, person.password)).body.refresh_token;
    const next = (await refresh(person.refreshToken)).body.refresh_token;
    await refresh(next);
    expect((await refresh(person.refreshToken)).status).toBe(401);
    expect((await refresh(other)).status).toBe(200);
  });

  test('traded by twenty at once has one successor', async () => {
    const { refreshToken } = await register(stack);
    const replies = await Promise.all(Array.from({ length: 20 }, () => refresh(refreshToken)));
    expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(new Set(replies.map(({ body }) => body.refresh_token)).size).toBe(1);
  });

  test('of a session that has run out, or of a closed account, is refused', async () => {
    const [late, closed] = [await register(stack), await register(stack)];
    await stack.owner.query(`update sessions set expires_at = now() where account_id = $1`, [late.id]);
    await stack.owner.query(`update accounts set status = 'deactivated' where id = $1`, [closed.id]);
    expect((await refresh(late.refreshToken)).status).toBe(401);
    expect((await refresh(closed.refreshToken)).status).toBe(401);
  });

  test('is no access token, and an access token is no refresh token', async () => {
    const { token, refreshToken } = await register(stack);
    expect((await me(refreshToken)).status).toBe(401);
    for (const path of ['/auth/refresh', '/auth/logout']) {
      expect((await post(path, { refresh_token: token })).status).toBe(401);
    }
    expect((await refresh(refreshToken)).status).toBe(200);
  });
});

describe('signing out', () => {
  test('ends the session, and again is the same', async () => {
    const { refreshToken } = await register(stack);
    for (let time = 0; time < 2; time += 1) {
      const { status, text } = await logout(refreshToken);
      expect([status, text]).toEqual([204, '']);
    }
    expect((await refresh(refreshToken)).status).toBe(401);
  });

  test('ends its access token at once, in whatever isolate it is shown', async () => {
    const person = await register(stack);
    expect((await me(person.token)).status).toBe(200);
    await logout(person.refreshToken);
    expect(refusal(await me(person.token))).toEqual([401, 'unauthenticated', 'Authorization']);
  });

  test('ends its access token also where Redis has gone away since', async () => {
    const person = await register(stack);
    await logout(person.refreshToken);
    stack.redis.inject(() => true, 'drop_request', 2);
    const write = await call(stack, 'POST', '/carts', {}, { token: person.token });
    expect(refusal(write)).toEqual([401, 'unauthenticated', 'Authorization']);
    expect((await me(person.token)).status).toBe(401);
  });

  test('leaves the other sessions of the account', async () => {
    const { email, password, refreshToken } = await register(stack);
    const other = (await login(email, password)).body.refresh_token;
    await logout(refreshToken);
    expect((await refresh(other)).status).toBe(200);
  });
});

test('no reply of all these holds a password or a hash, and no log line holds those or a token', async () => {
  const person = await register(stack);
  const signedIn = await login(person.email, person.password);
  await login(person.email, 'a wrong password indeed');
  await refresh(signedIn.body.refresh_token);
  const log = stack
    .logs()
    .map((line) => JSON.stringify(line))
    .join('\n');
  expect(log).toContain('/api/v1/auth/login');
  const secrets = [person.password, 'a wrong password indeed', 'demo-admin-password', 'demo-buyer-password', 'scrypt$'];
  for (const secret of secrets) {
    expect(answered.join('\n')).not.toContain(secret);
    expect(log).not.toContain(secret);
  }
  for (const token of [person.token, person.refreshToken, signedIn.body.access_token]) expect(log).not.toContain(token);
  expect(log).not.toContain(person.email);
  expect(log).not.toContain('eyJ');
});
