import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { register } from '../support/people.ts';
import { awaitMail, mailsTo, tokenIn } from '../support/mails.ts';
import { call, type Json } from '../support/shop.ts';
import { createRole, createStaff, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { CATALOG, HR, MANAGER, OWNER, as, auditOf, refusal, stateOf, withoutAuditLog, type Asker } from './fixture.ts';

let stack: Stack;
let boss: Staff;
let owner: Asker;
beforeAll(async () => {
  stack = await startStack();
  boss = await createStaff(stack, 'owner');
  owner = as(stack, boss.token);
});
afterAll(() => stack.close());

const newEmail = () => `${randomUUID()}@staff.example.test`;
const invite = (details: Json = {}) => ({ email: newEmail(), name: 'Ada', role_ids: [CATALOG], ...details });

describe('inviting', () => {
  test('makes an account with roles and without a password', async () => {
    const input = invite();
    const { status, body, headers } = await owner.post('/users', input);
    expect([status, headers.get('etag')]).toEqual([201, expect.stringMatching(/^"1-/)]);
    expect(body).toEqual({
      id: expect.any(String),
      version: 1,
      email: input.email,
      name: 'Ada',
      status: 'active',
      has_second_factor: false,
      roles: [{ id: CATALOG, code: 'catalog', name: 'Catalog' }],
      last_login_at: null,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    const { rows } = await stack.owner.query('select kind, password_hash from accounts where id = $1', [body.id]);
    expect(rows).toEqual([{ kind: 'staff', password_hash: null }]);
  });

  test('lets whoever reads the mail choose a password and sign in', async () => {
    const { email } = (await owner.post('/users', invite({ role_ids: [MANAGER] }))).body;
    const token = tokenIn(await awaitMail(stack, email, 'invited'));
    const password = `password of ${email}`;
    expect((await call(stack, 'POST', '/auth/login', { email, password })).status).toBe(401);
    expect((await call(stack, 'POST', '/auth/password/reset', { token, password })).status).toBe(204);
    const { status, body } = await call(stack, 'POST', '/auth/login', { email, password });
    expect([status, (await as(stack, body.access_token).get('/audit-log?limit=1')).status]).toEqual([200, 200]);
  });

  test('is refused for an address that has an account, of whatever kind', async () => {
    const customer = await register(stack);
    for (const email of [boss.email, customer.email, customer.email.toUpperCase()]) {
      expect(refusal(await owner.post('/users', invite({ email })))).toEqual([409, 'email_taken', 'email']);
    }
  });

  test('is refused with a role that does not exist', async () => {
    const refused = await owner.post('/users', invite({ role_ids: [CATALOG, randomUUID()] }));
    expect(refusal(refused)).toEqual([422, 'validation_failed', 'role_ids']);
  });

  test('gives nobody more than who invites holds', async () => {
    const hr = as(stack, (await createStaff(stack, [...HR, 'orders:read'])).token);
    const within = await createRole(stack, ['orders:read']);
    const before = await stateOf(stack, 'accounts', 'account_roles', 'audit_log');
    for (const role_ids of [[OWNER], [MANAGER], [within, CATALOG], [await createRole(stack, ['refunds:write'])]]) {
      expect(refusal(await hr.post('/users', invite({ role_ids })))).toEqual([403, 'forbidden', 'role_ids']);
    }
    expect(await stateOf(stack, 'accounts', 'account_roles', 'audit_log')).toEqual(before);
    expect((await hr.post('/users', invite({ role_ids: [within] }))).status).toBe(201);
  });

  test('twice under one key makes one account', async () => {
    const key = randomUUID();
    const input = invite();
    const [first, second] = [await owner.post('/users', input, { key }), await owner.post('/users', input, { key })];
    expect([first.status, second.status, second.body.id]).toEqual([201, 201, first.body.id]);
    await awaitMail(stack, input.email, 'invited');
    expect(mailsTo(stack, input.email)).toHaveLength(1);
  });

  test('whose reply is lost answers the account when it is asked again', async () => {
    const [key, input] = [randomUUID(), invite()];
    stack.neon.inject(({ requestBody }) => requestBody.includes('audit_log'), 'drop_reply', 1);
    const { status, body } = await owner.post('/users', input, { key });
    expect([status, body.email]).toEqual([201, input.email]);
    expect((await auditOf(stack, body.id)).map(({ action }) => action)).toEqual(['users.create']);
    await awaitMail(stack, input.email, 'invited');
  });
});

describe('the list', () => {
  test('shows staff only, newest first, each once', async () => {
    const customer = await register(stack);
    const made = await owner.post('/users', invite());
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await owner.get(`/users?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`);
      ids.push(...body.data.map(({ id }: Json) => id));
      cursor = body.next_cursor;
    }
    expect(ids).toEqual(expect.arrayContaining([made.body.id, boss.id]));
    expect(ids).not.toContain(customer.id);
    expect(ids).toEqual([...new Set(ids)].toSorted().toReversed());
  });

  test('is narrowed by a whole e-mail and by status', async () => {
    const { id, email } = await createStaff(stack, []);
    const found = async (query: string) => (await owner.get(`/users?${query}`)).body.data.map((each: Json) => each.id);
    expect(await found(`email=${email.toUpperCase()}`)).toEqual([id]);
    expect(await found(`email=${email}&status=deactivated`)).toEqual([]);
    expect(await found(`email=${(await register(stack)).email}`)).toEqual([]);
  });
});

test('a customer is not found among the staff', async () => {
  const { id } = await register(stack);
  const before = await stateOf(stack, 'accounts', 'account_roles', 'sessions', 'audit_log');
  for (const missing of [id, randomUUID()]) {
    expect(refusal(await owner.get(`/users/${missing}`))).toEqual([404, 'not_found', 'id']);
    expect(refusal(await owner.patch(`/users/${missing}`, { name: 'X' }))).toEqual([404, 'not_found', 'id']);
    expect(refusal(await owner.remove(`/users/${missing}`))).toEqual([404, 'not_found', 'id']);
  }
  expect(await stateOf(stack, 'accounts', 'account_roles', 'sessions', 'audit_log')).toEqual(before);
});

describe('a change', () => {
  test('sets name and roles, raises the version and answers the whole user', async () => {
    const { id } = await createStaff(stack, 'catalog');
    const read = await owner.get(`/users/${id}`);
    const etag = read.headers.get('etag') ?? '';
    const { status, body, headers } = await owner.patch(
      `/users/${id}`,
      { name: 'Grace', role_ids: [MANAGER] },
      { ifMatch: etag },
    );
    expect([status, body.name, body.version, body.roles[0].code]).toEqual([200, 'Grace', 2, 'manager']);
    expect(headers.get('etag')).toMatch(/^"2-/);
    expect((await owner.get(`/users/${id}`)).body).toEqual(body);
  });

  test('needs If-Match, and the version that is there', async () => {
    const { id } = await createStaff(stack, []);
    const etag = (await owner.get(`/users/${id}`)).headers.get('etag') ?? '';
    const path = `/users/${id}`;
    const without = [428, 'precondition_required', 'If-Match'];
    expect(refusal(await owner.patch(path, { name: 'X' }, { ifMatch: null }))).toEqual(without);
    expect(refusal(await owner.remove(path, { ifMatch: null }))).toEqual(without);
    expect((await owner.patch(path, { name: 'First' }, { ifMatch: `W/${etag}` })).status).toBe(200);
    const stale = [412, 'precondition_failed', 'If-Match'];
    expect(refusal(await owner.patch(path, { name: 'Second' }, { ifMatch: etag }))).toEqual(stale);
    expect(refusal(await owner.remove(path, { ifMatch: etag }))).toEqual(stale);
    expect((await owner.get(path)).body).toMatchObject({ name: 'First', status: 'active', version: 2 });
  });

  test('of ten at once on one version is done once', async () => {
    const { id } = await createStaff(stack, []);
    const etag = (await owner.get(`/users/${id}`)).headers.get('etag') ?? '';
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        owner.patch(`/users/${id}`, { name: `Name ${index}` }, { ifMatch: etag }),
      ),
    );
    const statuses = replies.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([200, ...Array<number>(9).fill(412)]);
    expect(await auditOf(stack, id)).toHaveLength(1);
  });

  test('is one round trip to the database, as a read is', async () => {
    const { id } = await createStaff(stack, []);
    const trips = async (work: () => Promise<unknown>) => {
      stack.neon.clear();
      await work();
      return stack.neon.exchanges.length;
    };
    expect(await trips(() => owner.get(`/users/${id}`))).toBe(1);
    expect(await trips(() => owner.patch(`/users/${id}`, { name: 'X' }))).toBe(1);
    expect(await trips(() => owner.remove(`/users/${id}`))).toBe(1);
  });

  test.each([
    ['nothing', {}, 'body'],
    ['an e-mail', { email: 'x@example.test' }, 'email'],
    ['a password', { password_hash: 'x' }, 'password_hash'],
    ['another kind', { kind: 'customer' }, 'kind'],
    ['the erased', { status: 'erased' }, 'status'],
  ])('of %s is refused', async (_name, patch, param) => {
    const { id } = await createStaff(stack, []);
    expect(refusal(await owner.patch(`/users/${id}`, patch))).toEqual([422, 'validation_failed', param]);
  });
});

describe('the audit log', () => {
  test('has every change, with ids and names of fields only', async () => {
    const { body } = await owner.post('/users', invite({ name: 'Very Personal' }));
    await owner.patch(`/users/${body.id}`, { name: 'More Personal', role_ids: [] });
    await owner.remove(`/users/${body.id}`);
    const by = { actor_kind: 'staff', actor_id: boss.id };
    expect(await auditOf(stack, body.id)).toEqual([
      { ...by, action: 'users.create', details: { role_ids: [CATALOG] } },
      { ...by, action: 'users.update', details: { fields: ['name', 'role_ids'], role_ids: [] } },
      { ...by, action: 'users.deactivate', details: { fields: ['status'], status: 'deactivated' } },
    ]);
    const [log = ''] = await stateOf(stack, 'audit_log');
    expect(log).not.toMatch(/@|Personal/);
  });

  test('is written with the change or the change is not', async () => {
    const { id } = await createStaff(stack, 'catalog');
    const tables = ['accounts', 'account_roles', 'sessions', 'account_tokens'];
    const before = await stateOf(stack, ...tables);
    await withoutAuditLog(stack, async () => {
      expect((await owner.post('/users', invite())).status).toBe(500);
      expect((await owner.patch(`/users/${id}`, { name: 'X', role_ids: [] })).status).toBe(500);
      expect((await owner.remove(`/users/${id}`)).status).toBe(500);
    });
    expect(await stateOf(stack, ...tables)).toEqual(before);
  });
});
