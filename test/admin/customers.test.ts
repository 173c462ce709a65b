import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { register } from '../support/people.ts';
import { call, type Json } from '../support/shop.ts';
import { createApiKey, createStaff, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { as, auditOf, refusal, stateOf, withoutAuditLog, withoutRedis, type Asker } from './fixture.ts';

let stack: Stack;
let clerk: Staff;
let support: Asker;
beforeAll(async () => {
  stack = await startStack();
  clerk = await createStaff(stack, 'support');
  support = as(stack, clerk.token);
});
afterAll(() => stack.close());

const me = async (token: string) => (await call(stack, 'GET', '/customers/me', undefined, { token })).status;
const found = async (query: string) => (await support.get(`/customers?${query}`)).body.data.map(({ id }: Json) => id);

describe('customers', () => {
  test('are read one by one', async () => {
    const { id, email } = await register(stack, { first_name: 'Ada' });
    const { status, body, headers } = await support.get(`/customers/${id}`);
    expect([status, headers.get('etag')]).toEqual([200, expect.stringMatching(/^"1-/)]);
    expect(body).toEqual({
      id,
      version: 1,
      email,
      is_email_verified: false,
      first_name: 'Ada',
      last_name: null,
      phone: null,
      status: 'active',
      last_login_at: expect.any(String),
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
  });

  test('are listed newest first, each once, and nobody else is', async () => {
    const made = [await register(stack), await register(stack), await register(stack)];
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await support.get(`/customers?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      ids.push(...body.data.map(({ id }: Json) => id));
      cursor = body.next_cursor;
    }
    expect(ids.slice(0, 3)).toEqual(made.map(({ id }) => id).toReversed());
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).not.toContain(clerk.id);
  });

  test('are found by their whole e-mail in any case, and by nothing less', async () => {
    const { id, email } = await register(stack);
    expect(await found(`email=${email}`)).toEqual([id]);
    expect(await found(`email=${email.toUpperCase()}`)).toEqual([id]);
    const [local = ''] = email.split('@');
    for (const part of [`${local.slice(0, -1)}@people.example.test`, '%25@people.example.test', '_@example.test']) {
      const { status, body } = await support.get(`/customers?email=${part}`);
      expect([200, 422]).toContain(status);
      expect(body.data ?? []).toEqual([]);
    }
    expect(await found(`email=${clerk.email}`)).toEqual([]);
  });

  test.each([
    'password_hash=x',
    'kind=staff',
    'totp_secret=x',
    'status=erased',
    'email[like]=a',
    'phone=1',
    'sort=password_hash',
  ])('are not searched by ?%s', async (query) => {
    expect((await support.get(`/customers?${query}`)).status).toBe(422);
  });

  test('that were erased are not there', async () => {
    const { id, email } = await register(stack);
    await stack.owner.query(`update accounts set status = 'erased' where id = $1`, [id]);
    expect(await found(`email=${email}`)).toEqual([]);
    expect(refusal(await support.get(`/customers/${id}`))).toEqual([404, 'not_found', 'id']);
    expect(refusal(await support.patch(`/customers/${id}`, { status: 'active' }))).toEqual([404, 'not_found', 'id']);
  });

  test('are not staff', async () => {
    const before = await stateOf(stack, 'accounts', 'audit_log');
    for (const id of [clerk.id, randomUUID()]) {
      expect(refusal(await support.get(`/customers/${id}`))).toEqual([404, 'not_found', 'id']);
      expect(refusal(await support.patch(`/customers/${id}`, { phone: null }))).toEqual([404, 'not_found', 'id']);
    }
    expect(await stateOf(stack, 'accounts', 'audit_log')).toEqual(before);
  });

  test('are for those who hold the permission', async () => {
    const { id } = await register(stack);
    const reader = as(stack, (await createApiKey(stack, ['customers:read'])).key);
    expect((await reader.get(`/customers/${id}`)).status).toBe(200);
    expect(refusal(await reader.patch(`/customers/${id}`, { phone: '1' }))).toEqual([
      403,
      'forbidden',
      'Authorization',
    ]);
    const stranger = as(stack, (await createStaff(stack, ['orders:read'])).token);
    expect((await stranger.get(`/customers/${id}`)).status).toBe(403);
  });
});

describe('a change', () => {
  test('sets what it names, clears what is null, and leaves the rest', async () => {
    const { id } = await register(stack, { first_name: 'Ada', last_name: 'Byron' });
    const { status, body, headers } = await support.patch(`/customers/${id}`, {
      first_name: null,
      phone: '+1 555 0100',
    });
    expect([status, headers.get('etag')]).toEqual([200, expect.stringMatching(/^"2-/)]);
    expect(body).toMatchObject({ first_name: null, last_name: 'Byron', phone: '+1 555 0100', version: 2 });
    expect((await support.get(`/customers/${id}`)).body).toEqual(body);
  });

  test.each([
    ['nothing', {}, 'body'],
    ['an e-mail', { email: 'x@example.test' }, 'email'],
    ['the erased', { status: 'erased' }, 'status'],
    ['a password', { password: 'x' }, 'password'],
  ])('of %s is refused', async (_name, patch, param) => {
    const { id } = await register(stack);
    expect(refusal(await support.patch(`/customers/${id}`, patch))).toEqual([422, 'validation_failed', param]);
  });

  test('needs If-Match, and the version that is there', async () => {
    const { id } = await register(stack);
    const path = `/customers/${id}`;
    const etag = (await support.get(path)).headers.get('etag') ?? '';
    const without = [428, 'precondition_required', 'If-Match'];
    expect(refusal(await support.patch(path, { phone: '1' }, { ifMatch: null }))).toEqual(without);
    expect((await support.patch(path, { phone: '1' }, { ifMatch: etag })).status).toBe(200);
    const stale = [412, 'precondition_failed', 'If-Match'];
    expect(refusal(await support.patch(path, { phone: '2' }, { ifMatch: etag }))).toEqual(stale);
    expect((await support.get(path)).body.phone).toBe('1');
  });

  test('is done once under one key', async () => {
    const { id } = await register(stack);
    const key = randomUUID();
    for (let time = 0; time < 2; time += 1) {
      expect((await support.patch(`/customers/${id}`, { phone: '1' }, { key })).body.version).toBe(2);
    }
    expect(await auditOf(stack, id)).toHaveLength(1);
  });

  test('leaves an entry without a word of the person, or is not done', async () => {
    const { id } = await register(stack);
    await support.patch(`/customers/${id}`, { last_name: 'Secretname', phone: '+1 555 0199' });
    expect(await auditOf(stack, id)).toEqual([
      {
        action: 'customers.update',
        actor_kind: 'staff',
        actor_id: clerk.id,
        details: { fields: ['last_name', 'phone'] },
      },
    ]);
    const [log = ''] = await stateOf(stack, 'audit_log');
    expect(log).not.toMatch(/@|Secretname|555 0199/);
    const before = await stateOf(stack, 'accounts', 'customers', 'sessions');
    await withoutAuditLog(stack, async () => {
      expect((await support.patch(`/customers/${id}`, { status: 'deactivated' })).status).toBe(500);
    });
    expect(await stateOf(stack, 'accounts', 'customers', 'sessions')).toEqual(before);
  });
});

describe('a customer who is deactivated', () => {
  test('is refused at once, and after being let in again signs in anew', async () => {
    const { id, token, refreshToken, email, password } = await register(stack);
    const login = async () => (await call(stack, 'POST', '/auth/login', { email, password })).status;
    expect(await me(token)).toBe(200);
    expect((await support.patch(`/customers/${id}`, { status: 'deactivated' })).body.status).toBe('deactivated');
    expect(await me(token)).toBe(401);
    expect((await call(stack, 'POST', '/auth/refresh', { refresh_token: refreshToken })).status).toBe(401);
    expect(await login()).toBe(401);
    expect(await found(`email=${email}&status=deactivated`)).toEqual([id]);
    expect((await support.patch(`/customers/${id}`, { status: 'active' })).body.status).toBe('active');
    expect([await me(token), await login()]).toEqual([401, 200]);
  });

  test('is refused while Redis is away', async () => {
    const { id, token } = await register(stack);
    await withoutRedis(stack, async () => {
      await support.patch(`/customers/${id}`, { status: 'deactivated' });
      expect(await me(token)).toBe(401);
    });
  });
});
