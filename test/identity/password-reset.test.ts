import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awaitMail, CHANGED, mailsTo, RESET, tokenIn, VERIFY } from '../support/mails.ts';
import { register, type Person } from '../support/people.ts';
import { call, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { PASSWORD_RESET_URL: 'https://shop.example.test/reset#token={token}' } });
});
afterAll(() => stack.close());

const forgot = (email: string, headers = {}) => call(stack, 'POST', '/auth/password/forgot', { email }, { headers });
const reset = (token: string, password: string) => call(stack, 'POST', '/auth/password/reset', { token, password });
const login = (email: string, password: string) => call(stack, 'POST', '/auth/login', { email, password });
const me = (token: string) => call(stack, 'GET', '/customers/me', undefined, { token });
const refresh = (refresh_token: string) => call(stack, 'POST', '/auth/refresh', { refresh_token });
const refusal = ({ status, body }: Reply) => [status, body?.code, body?.param];
const newPassword = () => `chosen ${randomUUID()}`;
const INVALID = [422, 'token_invalid', 'token'];

/** As if a minute had passed, so that another mail may be sent. */
const age = ({ id }: Person) =>
  stack.owner.query(`update account_tokens set created_at = created_at - interval '61 s' where account_id = $1`, [id]);

async function forgotten(count = 1, person?: Person): Promise<{ person: Person; token: string }> {
  const somebody = person ?? (await register(stack));
  expect((await forgot(somebody.email)).status).toBe(202);
  return { person: somebody, token: tokenIn(await awaitMail(stack, somebody.email, RESET, count)) };
}

/** Every row of every table, as text. */
async function dump(): Promise<string> {
  const { rows } = await stack.owner.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
  );
  const tables = await Promise.all(
    rows.map(({ name }) => stack.owner.query<{ row: string }>(`select t::text as row from "${name}" t`)),
  );
  return tables.flatMap((table) => table.rows.map(({ row }) => row)).join('\n');
}

describe('a forgotten password', () => {
  test('is replaced with the token of the mail', async () => {
    const { person, token } = await forgotten();
    const mail = mailsTo(stack, person.email, RESET)[0];
    expect(mail?.from).toBe('Test shop <shop@example.test>');
    expect(mail?.text).toContain(`https://shop.example.test/reset#token=${token}\n`);
    expect(mail?.text).toContain('for 60 minutes');
    const password = newPassword();
    const { status, text } = await reset(token, password);
    expect([status, text]).toEqual([204, '']);
    expect((await login(person.email, password)).status).toBe(200);
    expect(refusal(await login(person.email, person.password))).toEqual([401, 'invalid_credentials', undefined]);
  });

  test('is told of by mail, and the address counts as proven', async () => {
    const { person, token } = await forgotten();
    await reset(token, newPassword());
    await awaitMail(stack, person.email, CHANGED);
    const { rows } = await stack.owner.query('select email_verified_at from accounts where id = $1', [person.id]);
    expect(rows[0].email_verified_at).not.toBeNull();
  });

  test('of staff is replaced in the same way', async () => {
    expect((await forgot('admin@demo.test')).status).toBe(202);
    const token = tokenIn(await awaitMail(stack, 'admin@demo.test', RESET));
    const password = newPassword();
    expect((await reset(token, password)).status).toBe(204);
    expect((await login('admin@demo.test', password)).status).toBe(200);
  });

  test('ends every session at once: old access and refresh tokens are refused by the next request', async () => {
    const person = await register(stack);
    const other = (await login(person.email, person.password)).body;
    const { token } = await forgotten(1, person);
    expect((await reset(token, newPassword())).status).toBe(204);
    for (const access of [person.token, other.access_token]) {
      expect(refusal(await me(access))).toEqual([401, 'unauthenticated', 'Authorization']);
    }
    for (const spent of [person.refreshToken, other.refresh_token]) {
      expect(refusal(await refresh(spent))).toEqual([401, 'unauthenticated', 'refresh_token']);
    }
  });

  test('lifts the lock that failed sign-ins have brought', async () => {
    const person = await register(stack);
    const replies: Reply[] = [];
    for (let tries = 0; tries < 12; tries += 1) replies.push(await login(person.email, 'a wrong password'));
    expect(replies.at(-1)?.body.code).toBe('login_locked');
    const { token } = await forgotten(1, person);
    const password = newPassword();
    await reset(token, password);
    expect((await login(person.email, password)).status).toBe(200);
  });
});

describe('asking for it', () => {
  test('answers the same for known and unknown addresses, after the same work', async () => {
    const { email } = await register(stack);
    const [known, unknown] = [randomUUID(), randomUUID()];
    const replies = [
      await forgot(email, { 'x-request-id': known }),
      await forgot(`${randomUUID()}@nobody.example.test`, { 'x-request-id': unknown }),
    ];
    await awaitMail(stack, email, RESET);
    const own = new Set(['x-request-id', 'traceparent', 'date', 'ratelimit-remaining', 'ratelimit-reset']);
    const shown = replies.map(({ status, text, headers }) => {
      const rest = [...headers].filter(([name]) => !own.has(name));
      return { status, text, rest };
    });
    expect(shown[0]).toEqual(shown[1]);
    expect(shown[0]).toMatchObject({ status: 202, text: '' });
    const lines = [known, unknown].map((id) => stack.logs().find((line) => line['request_id'] === id));
    expect(lines.map((line) => [line?.['db_round_trips'], line?.['redis_round_trips']])).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });

  test('never waits for the token to be stored or mailed', async () => {
    const { email } = await register(stack);
    const held = Promise.withResolvers<void>();
    const isStoring = ({ requestBody }: { requestBody: string }) => requestBody.includes('insert into account_tokens');
    const { fired } = stack.neon.inject(isStoring, { hold_request: held.promise });
    expect((await forgot(email)).status).toBe(202);
    await fired;
    expect(mailsTo(stack, email, RESET)).toEqual([]);
    held.resolve();
    await awaitMail(stack, email, RESET);
  });

  test('takes the address in any case, and mails to the one that is known', async () => {
    const { email } = await register(stack);
    await forgot(email.toUpperCase());
    expect((await awaitMail(stack, email, RESET)).to).toBe(email);
  });

  test('again and again within a minute sends one mail', async () => {
    const { person } = await forgotten();
    for (let more = 0; more < 3; more += 1) await forgot(person.email);
    await age(person);
    await forgotten(2, person);
    expect(mailsTo(stack, person.email, RESET)).toHaveLength(2);
  });

  test('for a closed account sends none', async () => {
    const closed = await register(stack);
    await stack.owner.query(`update accounts set status = 'deactivated' where id = $1`, [closed.id]);
    expect((await forgot(closed.email)).status).toBe(202);
    await forgotten();
    expect(mailsTo(stack, closed.email, RESET)).toEqual([]);
  });
});

describe('the token of the mail', () => {
  test('is good once', async () => {
    const { person, token } = await forgotten();
    const password = newPassword();
    expect((await reset(token, password)).status).toBe(204);
    expect(refusal(await reset(token, newPassword()))).toEqual(INVALID);
    expect((await login(person.email, password)).status).toBe(200);
  });

  test('used by twenty at once sets one password', async () => {
    const { person, token } = await forgotten();
    const passwords = Array.from({ length: 20 }, newPassword);
    const replies = await Promise.all(passwords.map((password) => reset(token, password)));
    const won = passwords.filter((_, index) => replies[index]?.status === 204);
    expect(won).toHaveLength(1);
    // An isolate hashes so many passwords at a time, and tells the rest to come back.
    const others = new Set(replies.map(({ body }) => body?.code).filter((code) => code !== undefined));
    expect([...others].filter((code) => code !== 'overloaded')).toEqual(['token_invalid']);
    expect((await login(person.email, won[0] ?? '')).status).toBe(200);
  });

  test('is void once another one was sent', async () => {
    const { person, token } = await forgotten();
    await age(person);
    const { token: later } = await forgotten(2, person);
    expect(refusal(await reset(token, newPassword()))).toEqual(INVALID);
    expect((await reset(later, newPassword())).status).toBe(204);
  });

  test('is void an hour later, and when the account is closed or has another address', async () => {
    const changes = [
      `update account_tokens set expires_at = now() where account_id = $1`,
      `update accounts set status = 'deactivated' where id = $1`,
      `update accounts set email = 'moved-' || email where id = $1`,
    ];
    for (const change of changes) {
      const { person, token } = await forgotten();
      const { rows } = await stack.owner.query(
        `select extract(epoch from expires_at - created_at)::int as life_s from account_tokens
         where account_id = $1 and purpose = 'password_reset'`,
        [person.id],
      );
      expect(rows[0].life_s).toBe(3_600);
      await stack.owner.query(change, [person.id]);
      expect(refusal(await reset(token, newPassword()))).toEqual(INVALID);
    }
  });

  test('is of no use for another purpose, nor one of another purpose here', async () => {
    const { person, token } = await forgotten();
    const verification = tokenIn(await awaitMail(stack, person.email, VERIFY));
    expect(refusal(await reset(verification, newPassword()))).toEqual(INVALID);
    expect(refusal(await call(stack, 'POST', '/auth/email/verify', { token }))).toEqual(INVALID);
    expect((await reset(token, newPassword())).status).toBe(204);
  });

  test('that was tampered with, or made up, is refused', async () => {
    const { token } = await forgotten();
    const flipped = (token.startsWith('A') ? 'B' : 'A') + token.slice(1);
    for (const wrong of [flipped, token.toLowerCase().replace(/^./, '_'), 'A'.repeat(22)]) {
      expect(refusal(await reset(wrong, newPassword()))).toEqual(INVALID);
    }
    for (const malformed of [`${token}=`, token.slice(1), `${token}'`, '']) {
      expect(refusal(await reset(malformed, newPassword()))).toEqual([422, 'validation_failed', 'token']);
    }
    expect((await reset(token, newPassword())).status).toBe(204);
  });

  test('outlives a password that is refused for being weak', async () => {
    const { person, token } = await forgotten();
    for (const weak of ['password123', person.email, 'ecommerce-api1']) {
      expect(refusal(await reset(token, weak))).toEqual([422, 'validation_failed', 'password']);
    }
    expect((await reset(token, newPassword())).status).toBe(204);
  });

  test('is in no table and in no log', async () => {
    const { person, token } = await forgotten();
    const password = newPassword();
    expect(await dump()).not.toContain(token);
    await reset(token, password);
    await awaitMail(stack, person.email, CHANGED);
    const logs = JSON.stringify(stack.logs());
    for (const secret of [token, password, person.email]) expect(logs).not.toContain(secret);
    expect(await dump()).not.toContain(password);
  });
});

test('the tick removes tokens that have expired, and no others', async () => {
  const [expired, live] = [await forgotten(), await forgotten()];
  await stack.owner.query(
    `update account_tokens set expires_at = now() where account_id = $1 and purpose = 'password_reset'`,
    [expired.person.id],
  );
  await stack.worker.scheduled({ cron: '* * * * *' });
  const { rows } = await stack.owner.query(
    `select account_id from account_tokens where purpose = 'password_reset' and account_id = any($1)`,
    [[expired.person.id, live.person.id]],
  );
  expect(rows).toEqual([{ account_id: live.person.id }]);
});

test('a reset costs one read and one batch', async () => {
  const { token } = await forgotten();
  const id = randomUUID();
  const headers = { 'x-request-id': id };
  await call(stack, 'POST', '/auth/password/reset', { token, password: newPassword() }, { headers });
  await awaitLine(id);
  expect(stack.logs().find((line) => line['request_id'] === id)?.['db_round_trips']).toBe(2);
});

async function awaitLine(id: string): Promise<void> {
  await expect.poll(() => stack.logs().some((line) => line['request_id'] === id)).toBe(true);
}
