import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type CallOptions, type Json } from '../support/shop.ts';
import { type Person, register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

const read = ({ token }: Person, headers: Record<string, string> = {}) =>
  call(stack, 'GET', '/customers/me', undefined, { token, headers });
const change = ({ token }: Person, body: Json, options: CallOptions = {}) =>
  call(stack, 'PATCH', '/customers/me', body, { token, ...options });

describe('a profile', () => {
  test('takes the fields that are sent, clears those that are null, and leaves the others', async () => {
    const person = await register(stack, { first_name: 'Ada', last_name: 'Byron' });
    const married = await change(person, { last_name: 'Lovelace', phone: '+1 555 0100' });
    expect(married.status).toBe(200);
    expect(married.body).toMatchObject({ first_name: 'Ada', last_name: 'Lovelace', phone: '+1 555 0100', version: 2 });
    const cleared = await change(person, { phone: null });
    expect(cleared.body).toEqual({ ...married.body, phone: null, version: 3 });
    expect((await read(person)).body).toEqual(cleared.body);
  });

  test('is changed under If-Match only while it is what was read', async () => {
    const person = await register(stack);
    const etag = (await read(person)).headers.get('etag') ?? '';
    const first = await change(person, { first_name: 'One' }, { headers: { 'if-match': etag } });
    const late = await change(person, { first_name: 'Two' }, { headers: { 'if-match': etag } });
    expect([first.status, late.status, late.body.code, late.body.param]).toEqual([
      200,
      412,
      'precondition_failed',
      'If-Match',
    ]);
    const again = { 'if-match': `W/${first.headers.get('etag')}` };
    expect((await change(person, { first_name: 'Two' }, { headers: again })).body.first_name).toBe('Two');
    const nothingNew = (await read(person)).headers.get('etag') ?? '';
    expect((await read(person, { 'if-none-match': nothingNew })).status).toBe(304);
  });

  test('keeps its e-mail, id and status whatever is sent', async () => {
    const person = await register(stack);
    for (const field of ['email', 'id', 'version', 'status', 'kind', 'password']) {
      const refused = await change(person, { [field]: 'x' });
      expect([refused.status, refused.body.param]).toEqual([422, field]);
    }
    expect((await read(person)).body.email).toBe(person.email);
  });

  test('changed with a key is changed once, and the reply is the same', async () => {
    const person = await register(stack);
    const key = randomUUID();
    const first = await change(person, { first_name: 'Once' }, { key });
    const again = await change(person, { first_name: 'Once' }, { key });
    expect([again.status, again.text]).toEqual([200, first.text]);
    expect((await read(person)).body.version).toBe(2);
    const other = await change(person, { first_name: 'Other' }, { key });
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
  });
});

describe('a new password', () => {
  const NEW = 'another one that nobody guesses';
  const choose = ({ token, password }: Person, body: Json = {}) =>
    call(
      stack,
      'POST',
      '/customers/me/password',
      { current_password: password, new_password: NEW, ...body },
      { token },
    );
  const login = (email: string, password: string) => call(stack, 'POST', '/auth/login', { email, password });
  const refresh = (refresh_token: string) => call(stack, 'POST', '/auth/refresh', { refresh_token });

  test('ends every session at once, access and refresh tokens alike, and begins a new one', async () => {
    const person = await register(stack);
    const elsewhere = (await login(person.email, person.password)).body;
    const { status, body } = await choose(person);
    expect([status, body.token_type]).toEqual([200, 'Bearer']);
    for (const token of [person.token, elsewhere.access_token]) {
      expect((await read({ ...person, token })).status).toBe(401);
    }
    for (const token of [person.refreshToken, elsewhere.refresh_token]) {
      expect((await refresh(token)).status).toBe(401);
    }
    expect((await read({ ...person, token: body.access_token })).body.id).toBe(person.id);
    expect((await refresh(body.refresh_token)).status).toBe(200);
    expect((await login(person.email, person.password)).status).toBe(401);
    expect((await login(person.email, NEW)).status).toBe(200);
  });

  test('needs the current one, and a wrong guess changes nothing', async () => {
    const person = await register(stack);
    const refused = await choose(person, { current_password: 'a guess of somebody' });
    expect([refused.status, refused.body.code, refused.body.param]).toEqual([
      401,
      'invalid_credentials',
      'current_password',
    ]);
    expect((await read(person)).status).toBe(200);
    expect((await login(person.email, person.password)).status).toBe(200);
  });

  test('cannot be guessed at with a stolen token: a few wrong ones lock', async () => {
    const person = await register(stack);
    const statuses = [];
    for (let i = 0; i < 7; i += 1)
      statuses.push((await choose(person, { current_password: `guess ${i} of it` })).status);
    expect(statuses.slice(0, 5)).toEqual([401, 401, 401, 401, 401]);
    expect(statuses.at(-1)).toBe(429);
    const locked = await choose(person);
    expect([locked.status, locked.body.code]).toEqual([429, 'login_locked']);
  });

  test.each(['short', 'password1234', 'aaaaaaaaaaaaaaa'])('%s is refused by name', async (new_password) => {
    const person = await register(stack);
    const refused = await choose(person, { new_password });
    expect([refused.status, refused.body.param]).toEqual([422, 'new_password']);
    expect((await read(person)).status).toBe(200);
  });

  test('chosen twice at once is chosen once', async () => {
    const person = await register(stack);
    const both = await Promise.all([
      choose(person),
      choose(person, { new_password: 'a third one that nobody guesses' }),
    ]);
    // The slower one finds its session ended, or the password changed under it.
    const statuses = both.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses[0]).toBe(200);
    expect([401, 409]).toContain(statuses[1]);
    const { rows } = await stack.owner.query(
      'select count(*)::int as n from sessions where account_id = $1 and revoked_at is null',
      [person.id],
    );
    expect(rows[0].n).toBe(1);
  });

  test('makes links that were mailed to set one void', async () => {
    const person = await register(stack);
    await stack.owner.query(
      `insert into account_tokens (digest, account_id, purpose, expires_at) values ($1, $2, 'password_reset', now() + interval '1 hour')`,
      [randomUUID(), person.id],
    );
    expect((await choose(person)).status).toBe(200);
    const { rows } = await stack.owner.query(
      `select count(*)::int as n from account_tokens where account_id = $1 and purpose = 'password_reset'`,
      [person.id],
    );
    expect(rows[0].n).toBe(0);
  });

  test('costs a read and a write', async () => {
    const person = await register(stack);
    stack.neon.clear();
    expect((await choose(person)).status).toBe(200);
    expect(stack.neon.exchanges).toHaveLength(2);
  });
});
