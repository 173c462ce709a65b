import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { call, type CallOptions, type Json, type Reply } from '../support/shop.ts';
import { type Person, register } from '../support/people.ts';
import { createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { appCode, enrollTotp, wrongCode } from '../support/totp.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());
beforeEach(async () => {
  await stack.owner.query('delete from login_failures');
});

const answered: string[] = [];
const post = async (path: string, body: Json, options: CallOptions = {}): Promise<Reply> => {
  const reply = await call(stack, 'POST', path, body, options);
  answered.push(reply.text);
  return reply;
};
const me = (token: string) => call(stack, 'GET', '/customers/me', undefined, { token });
const login = ({ email, password }: Person, totp_code?: string) =>
  post('/auth/login', { email, password, ...(totp_code !== undefined && { totp_code }) });
const recover = ({ email, password }: Person, recovery_code: string) =>
  post('/auth/totp/recovery', { email, password, recovery_code });
const refresh = (refresh_token: string) => post('/auth/refresh', { refresh_token });
const refusal = ({ status, body }: Reply) => [status, body.code, body.param];
/** So that a test needs no second half minute. */
const forgetUse = () => stack.owner.query('update accounts set totp_last_step = 0');
const count = (replies: Reply[], status: number) => replies.filter((reply) => reply.status === status).length;

describe('enrolling', () => {
  test('asks for the password, and changes nothing until a code was shown', async () => {
    const person = await register(stack);
    const { token, password } = person;
    const wrong = await post('/auth/totp/enroll', { password: 'not it' }, { token });
    expect(refusal(wrong)).toEqual([401, 'invalid_credentials', 'password']);
    expect(refusal(await post('/auth/totp/verify', { code: '000000' }, { token }))[1]).toBe('conflict');
    const first = await post('/auth/totp/enroll', { password }, { token });
    const { status, body } = await post('/auth/totp/enroll', { password }, { token });
    expect([first.status, status]).toEqual([200, 200]);
    expect(body.secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(body.secret).not.toBe(first.body.secret);
    const uri = new URL(body.otpauth_uri);
    expect(decodeURIComponent(uri.href)).toContain(`otpauth://totp/ecommerce-api:${person.email}?`);
    expect(Object.fromEntries(uri.searchParams)).toEqual({
      secret: body.secret,
      issuer: 'ecommerce-api',
      algorithm: 'SHA1',
      digits: '6',
      period: '30',
    });
    expect((await login(person)).status).toBe(200);
    const verify = (code: string) => post('/auth/totp/verify', { code }, { token });
    expect(refusal(await verify(wrongCode(body.secret)))).toEqual([401, 'totp_required', 'code']);
    expect((await login(person)).status).toBe(200);
    const active = await verify(appCode(body.secret));
    expect(active.status).toBe(200);
    expect(new Set(active.body.recovery_codes).size).toBe(10);
    for (const code of active.body.recovery_codes) expect(code).toMatch(/^[A-Z2-7]{4}(-[A-Z2-7]{4}){3}$/);
    expect(refusal(await login(person))).toEqual([401, 'totp_required', 'totp_code']);
    const again = await post('/auth/totp/enroll', { password }, { token: active.body.access_token });
    expect(refusal(again)[1]).toBe('conflict');
  });

  test('ends every token of before, and answers new ones', async () => {
    const person = await register(stack);
    const other = (await login(person)).body;
    const { token, refreshToken } = await enrollTotp(stack, person);
    for (const old of [person.token, other.access_token]) expect((await me(old)).status).toBe(401);
    for (const old of [person.refreshToken, other.refresh_token]) expect((await refresh(old)).status).toBe(401);
    expect((await me(token)).status).toBe(200);
    expect((await refresh(refreshToken)).status).toBe(200);
  });

  test('is open to nobody without a session', async () => {
    for (const [verb, body] of Object.entries({
      enroll: { password: 'x' },
      verify: { code: '123456' },
      disable: { password: 'x', code: '123456' },
    })) {
      expect((await post(`/auth/totp/${verb}`, body)).status).toBe(401);
    }
  });

  test('locks after five wrong passwords, so a stolen token does not serve to guess it', async () => {
    const { token, password } = await register(stack);
    const codes: string[] = [];
    for (let time = 0; time < 6; time += 1) {
      codes.push((await post('/auth/totp/enroll', { password: `${password}!` }, { token })).body.code);
    }
    expect(codes).toEqual([...Array.from({ length: 5 }, () => 'invalid_credentials'), 'login_locked']);
    const locked = await post('/auth/totp/enroll', { password }, { token });
    expect([locked.status, Number(locked.headers.get('retry-after')) > 0]).toEqual([429, true]);
  });

  test('ten times at once turns it on once', async () => {
    const { token, password } = await register(stack);
    const { secret }: Json = (await post('/auth/totp/enroll', { password }, { token })).body;
    const code = appCode(secret);
    const all = await Promise.all(Array.from({ length: 10 }, () => post('/auth/totp/verify', { code }, { token })));
    expect(count(all, 200)).toBe(1);
  });

  test('reads no Idempotency-Key', async () => {
    const { token, password } = await register(stack);
    const options = { token, key: 'one key for both' };
    const [one, other] = [
      await post('/auth/totp/enroll', { password }, options),
      await post('/auth/totp/enroll', { password }, options),
    ];
    expect(one.body.secret).not.toBe(other.body.secret);
    const { rows } = await stack.owner.query('select count(*)::int as n from idempotency_keys');
    expect(rows[0].n).toBe(0);
  });
});

describe('signing in with a code', () => {
  test('takes each code once, also of twenty at once', async () => {
    const person = await register(stack);
    const { secret } = await enrollTotp(stack, person);
    const code = appCode(secret, 1);
    const all = await Promise.all(Array.from({ length: 20 }, () => login(person, code)));
    expect(count(all, 200)).toBe(1);
    await stack.owner.query('delete from login_failures');
    expect(refusal(await login(person, code))).toEqual([401, 'totp_required', undefined]);
  });

  test('does not take the code that turned it on', async () => {
    const person = await register(stack);
    const { token, password } = person;
    const { secret }: Json = (await post('/auth/totp/enroll', { password }, { token })).body;
    const code = appCode(secret);
    expect((await post('/auth/totp/verify', { code }, { token })).status).toBe(200);
    expect((await login(person, code)).status).toBe(401);
  });

  test('takes the codes of a clock that is half a minute off, and no further', async () => {
    const person = await register(stack);
    const { secret } = await enrollTotp(stack, person);
    for (const [steps, status] of [
      [-2, 401],
      [-1, 200],
      [0, 200],
      [1, 200],
      [2, 401],
    ] as const) {
      await forgetUse();
      // What it asks for must not slip into the next half minute.
      await vi.waitUntil(() => (Date.now() / 1000) % 30 < 20, { timeout: 40_000, interval: 200 });
      expect([steps, (await login(person, appCode(secret, steps))).status]).toEqual([steps, status]);
    }
  });

  test('says that one is needed only to whoever has the password', async () => {
    const person = await register(stack);
    const { secret } = await enrollTotp(stack, person);
    await forgetUse();
    for (const code of [undefined, appCode(secret)]) {
      const wrong = await login({ ...person, password: 'not it' }, code);
      expect(refusal(wrong)).toEqual([401, 'invalid_credentials', undefined]);
    }
    // The right code was not spent by that.
    expect((await login(person, appCode(secret))).status).toBe(200);
  });

  test('locks after five wrong codes; a missing one counts nothing', async () => {
    const person = await register(stack);
    const { secret } = await enrollTotp(stack, person);
    await forgetUse();
    for (let time = 0; time < 6; time += 1) expect((await login(person)).status).toBe(401);
    for (let time = 0; time < 5; time += 1) {
      expect(refusal(await login(person, wrongCode(secret)))).toEqual([401, 'totp_required', undefined]);
    }
    expect(refusal(await login(person, appCode(secret)))[1]).toBe('login_locked');
  });
});

describe('a recovery code', () => {
  test('signs in once, however it is written', async () => {
    const person = await register(stack);
    const { recoveryCodes } = await enrollTotp(stack, person);
    const [one = '', other = ''] = recoveryCodes;
    const { status, body } = await recover(person, one);
    expect([status, body.customer.id]).toEqual([200, person.id]);
    expect((await me(body.access_token)).status).toBe(200);
    expect(refusal(await recover(person, one))).toEqual([401, 'totp_required', undefined]);
    expect((await recover(person, ` ${other.toLowerCase().replaceAll('-', ' ')} `)).status).toBe(200);
  });

  test('shown ten times at once signs in once', async () => {
    const person = await register(stack);
    const [code = ''] = (await enrollTotp(stack, person)).recoveryCodes;
    const all = await Promise.all(Array.from({ length: 10 }, () => recover(person, code)));
    expect(count(all, 200)).toBe(1);
  });

  test('does not do without the password, is another’s to nobody, and wrong ones lock', async () => {
    const [person, other] = [await register(stack), await register(stack)];
    const { recoveryCodes } = await enrollTotp(stack, person);
    const [own = ''] = recoveryCodes;
    const [theirs = ''] = (await enrollTotp(stack, other)).recoveryCodes;
    expect(refusal(await recover({ ...person, password: 'not it' }, own))[1]).toBe('invalid_credentials');
    for (let time = 0; time < 4; time += 1) {
      expect(refusal(await recover(person, theirs))).toEqual([401, 'totp_required', undefined]);
    }
    expect(refusal(await recover(person, own))[1]).toBe('login_locked');
    expect((await recover(other, theirs)).status).toBe(200);
  });

  test('is of no use where there is no second factor', async () => {
    const person = await register(stack);
    expect(refusal(await recover(person, 'AAAA-BBBB-CCCC-DDDD'))).toEqual([401, 'totp_required', undefined]);
  });

  test('is kept as a digest alone', async () => {
    const { recoveryCodes } = await enrollTotp(stack, await register(stack));
    const { rows } = await stack.owner.query('select r::text as row from recovery_codes r');
    const dump = rows.map(({ row }) => row).join('\n');
    for (const code of recoveryCodes) {
      expect(dump).not.toContain(code);
      expect(dump).not.toContain(code.replaceAll('-', ''));
    }
  });
});

describe('turning it off', () => {
  test('needs password and code, ends the other sessions and the recovery codes, and is in the audit log', async () => {
    const person = await register(stack);
    const { secret, token, recoveryCodes } = await enrollTotp(stack, person);
    const other = (await login(person, appCode(secret, 1))).body;
    await forgetUse();
    const { password } = person;
    const disable = (body: Json) => post('/auth/totp/disable', body, { token });
    const code = appCode(secret);
    expect(refusal(await disable({ password: 'not it', code }))).toEqual([401, 'invalid_credentials', 'password']);
    const wrong = await disable({ password, code: wrongCode(secret) });
    expect(refusal(wrong)).toEqual([401, 'totp_required', 'code']);
    const done = await disable({ password, code });
    expect([done.status, done.text]).toEqual([204, '']);
    expect((await me(token)).status).toBe(200);
    expect((await me(other.access_token)).status).toBe(401);
    expect((await refresh(other.refresh_token)).status).toBe(401);
    expect((await login(person)).status).toBe(200);
    expect((await recover(person, recoveryCodes[0] ?? '')).status).toBe(401);
    expect(refusal(await disable({ password, code: appCode(secret) }))[1]).toBe('conflict');
    const { rows } = await stack.owner.query(
      'select action, actor_kind, resource_id, details::text from audit_log where actor_id = $1 order by id',
      [person.id],
    );
    const entry = { actor_kind: 'customer', resource_id: person.id, details: '{}' };
    expect(rows).toEqual([
      { ...entry, action: 'accounts.enable_totp' },
      { ...entry, action: 'accounts.disable_totp' },
    ]);
    // It can be turned on again, with another secret.
    expect((await enrollTotp(stack, { token, password })).secret).not.toBe(secret);
  });

  test('by staff is possible outside production', async () => {
    const staff = await createStaff(stack, 'owner');
    const { secret, token } = await enrollTotp(stack, staff);
    await forgetUse();
    const body = { password: staff.password, code: appCode(secret) };
    expect((await post('/auth/totp/disable', body, { token })).status).toBe(204);
  });
});

test('no log line and no reply but the first holds a secret or a code', async () => {
  const person = await register(stack);
  const { secret, recoveryCodes } = await enrollTotp(stack, person);
  const code = appCode(secret, 1);
  expect((await login(person, code)).status).toBe(200);
  expect((await recover(person, recoveryCodes[0] ?? '')).status).toBe(200);
  const log = stack
    .logs()
    .map((line) => JSON.stringify(line))
    .join('\n');
  expect(log).toContain('/api/v1/auth/totp/recovery');
  for (const told of [secret, ...recoveryCodes, person.password, person.email]) {
    expect(log).not.toContain(told);
    expect(answered.slice(-2).join('\n').replaceAll(person.email, '')).not.toContain(told);
  }
});
