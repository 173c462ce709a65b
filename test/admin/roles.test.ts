import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json } from '../support/shop.ts';
import { createApiKey, createRole, createStaff, signIn, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { as, auditOf, refusal, stateOf, withoutAuditLog, type Asker } from './fixture.ts';

const BUILT_IN = ['owner', 'manager', 'support', 'catalog', 'read-only'];
const KEEPER = ['roles:read', 'roles:write', 'orders:read', 'audit_log:read'];

let stack: Stack;
let boss: Staff;
let owner: Asker;
let keeperStaff: Staff;
let keeper: Asker;
beforeAll(async () => {
  stack = await startStack();
  boss = await createStaff(stack, 'owner');
  owner = as(stack, boss.token);
  keeperStaff = await createStaff(stack, KEEPER);
  keeper = as(stack, keeperStaff.token);
});
afterAll(() => stack.close());

const newRole = (permissions: string[] = ['orders:read']): Json => ({
  code: `r-${randomUUID().slice(0, 8)}`,
  name: 'Clerk',
  permissions,
});
const make = async (permissions?: string[]): Promise<Json> => (await owner.post('/roles', newRole(permissions))).body;

test('a role is made, read, listed and deleted', async () => {
  const input = newRole(['orders:write', 'orders:read', 'orders:read']);
  const { status, body, headers } = await owner.post('/roles', input);
  expect([status, headers.get('etag')]).toEqual([201, expect.stringMatching(/^"1-/)]);
  expect(body).toEqual({
    ...input,
    permissions: ['orders:read', 'orders:write'],
    id: expect.any(String),
    version: 1,
    built_in: false,
    created_at: expect.any(String),
    updated_at: expect.any(String),
  });
  expect((await owner.get(`/roles/${body.id}`)).body).toEqual(body);
  const list = (await owner.get('/roles?limit=100')).body.data;
  expect(list.map(({ code }: Json) => code)).toEqual(expect.arrayContaining([input.code, ...BUILT_IN]));
  expect((await owner.remove(`/roles/${body.id}`)).status).toBe(204);
  expect(refusal(await owner.get(`/roles/${body.id}`))).toEqual([404, 'not_found', 'id']);
  expect(refusal(await owner.remove(`/roles/${body.id}`))).toEqual([404, 'not_found', 'id']);
  expect((await auditOf(stack, body.id)).map(({ action }) => action)).toEqual(['roles.create', 'roles.delete']);
});

test('pages of roles hold each once', async () => {
  const ids: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const { body } = await owner.get(`/roles?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
    ids.push(...body.data.map(({ id }: Json) => id));
    cursor = body.next_cursor;
  }
  expect(ids.length).toBeGreaterThanOrEqual(BUILT_IN.length);
  expect(new Set(ids).size).toBe(ids.length);
});

test('a code is taken once', async () => {
  const { code } = await make();
  expect(refusal(await owner.post('/roles', { ...newRole(), code }))).toEqual([409, 'conflict', 'code']);
});

test.each([['*'], ['orders:*'], ['orders:delete'], ['']])('the permission %j does not exist', async (permission) => {
  const refused = [422, 'validation_failed', 'permissions[0]'];
  expect(refusal(await owner.post('/roles', newRole([permission])))).toEqual(refused);
  const { id } = await make();
  expect(refusal(await owner.patch(`/roles/${id}`, { permissions: [permission] }))).toEqual(refused);
});

test('built-in roles stay as they are', async () => {
  const { rows } = await stack.owner.query('select id from roles where built_in');
  expect(rows).toHaveLength(BUILT_IN.length);
  for (const { id } of rows) {
    expect(refusal(await owner.patch(`/roles/${id}`, { name: 'X' }))).toEqual([409, 'conflict', 'id']);
    expect(refusal(await owner.remove(`/roles/${id}`))).toEqual([409, 'conflict', 'id']);
  }
});

describe('nobody', () => {
  const refused = [403, 'forbidden', 'permissions'];

  test('makes a role that holds more than they do', async () => {
    const before = await stateOf(stack, 'roles', 'audit_log');
    expect(refusal(await keeper.post('/roles', newRole(['orders:read', 'refunds:write'])))).toEqual(refused);
    expect(await stateOf(stack, 'roles', 'audit_log')).toEqual(before);
    expect((await keeper.post('/roles', newRole(KEEPER))).status).toBe(201);
  });

  test('adds to a role what they do not hold, be it their own', async () => {
    const { id } = await make();
    for (const role of [id, keeperStaff.roleId]) {
      const patch = { permissions: [...KEEPER, 'refunds:write'] };
      expect(refusal(await keeper.patch(`/roles/${role}`, patch))).toEqual(refused);
    }
    expect((await keeper.get('/roles')).status).toBe(200);
    expect((await keeper.patch(`/roles/${id}`, { permissions: ['audit_log:read'] })).status).toBe(200);
  });

  test('goes on with what was taken from them a moment ago', async () => {
    const staff = await createStaff(stack, [...KEEPER, 'refunds:write']);
    await stack.owner.query('update roles set permissions = $2 where id = $1', [staff.roleId, KEEPER]);
    expect(refusal(await as(stack, staff.token).post('/roles', newRole(['refunds:write'])))).toEqual(refused);
  });

  test('with an API key changes roles, whatever the key says', async () => {
    const { id } = await make();
    const key = as(stack, (await createApiKey(stack, KEEPER, { accountId: boss.id })).key);
    const notForKeys = [403, 'forbidden', 'Authorization'];
    expect((await key.get(`/roles/${id}`)).status).toBe(200);
    expect(refusal(await key.post('/roles', newRole()))).toEqual(notForKeys);
    expect(refusal(await key.patch(`/roles/${id}`, { name: 'X' }))).toEqual(notForKeys);
    expect(refusal(await key.remove(`/roles/${id}`))).toEqual(notForKeys);
  });
});

describe('a change of permissions', () => {
  const works = async (token: string) => (await as(stack, token).get('/audit-log?limit=1')).status;

  test('ends the sessions of its members, and counts from their next sign-in', async () => {
    const { id, email, token, roleId } = await createStaff(stack, ['audit_log:read']);
    const { key } = await createApiKey(stack, ['audit_log:read'], { accountId: id });
    expect([await works(token), await works(key)]).toEqual([200, 200]);
    expect((await owner.patch(`/roles/${roleId}`, { name: 'Renamed' })).status).toBe(200);
    expect((await owner.patch(`/roles/${roleId}`, { permissions: ['audit_log:read'] })).status).toBe(200);
    expect(await works(token)).toBe(200);
    expect((await owner.patch(`/roles/${roleId}`, { permissions: ['orders:read'] })).status).toBe(200);
    expect([await works(token), await works(key)]).toEqual([401, 403]);
    expect(await works((await signIn(stack, email)).token)).toBe(403);
    await owner.patch(`/roles/${roleId}`, { permissions: ['orders:read', 'audit_log:read'] });
    expect(await works((await signIn(stack, email)).token)).toBe(200);
  });
});

describe('a role that somebody has', () => {
  test('cannot be deleted', async () => {
    const { roleId } = await createStaff(stack, []);
    expect(refusal(await owner.remove(`/roles/${roleId}`))).toEqual([409, 'conflict', 'id']);
  });

  test('is never lost when it is given and deleted at once', async () => {
    const { id: userId } = await createStaff(stack, []);
    for (let round = 0; round < 5; round += 1) {
      const role = await createRole(stack, []);
      const [given, deleted] = await Promise.all([
        owner.patch(`/users/${userId}`, { role_ids: [role] }),
        owner.remove(`/roles/${role}`),
      ]);
      expect([
        [200, 409],
        [422, 204],
      ]).toContainEqual([given.status, deleted.status]);
    }
  });
});

test('a change needs If-Match, and the version that is there', async () => {
  const { id } = await make();
  const path = `/roles/${id}`;
  const etag = (await owner.get(path)).headers.get('etag') ?? '';
  const without = [428, 'precondition_required', 'If-Match'];
  expect(refusal(await owner.patch(path, { name: 'X' }, { ifMatch: null }))).toEqual(without);
  expect(refusal(await owner.remove(path, { ifMatch: null }))).toEqual(without);
  expect((await owner.patch(path, { name: 'First' }, { ifMatch: etag })).body.version).toBe(2);
  const stale = [412, 'precondition_failed', 'If-Match'];
  expect(refusal(await owner.patch(path, { name: 'Second' }, { ifMatch: etag }))).toEqual(stale);
  expect(refusal(await owner.remove(path, { ifMatch: etag }))).toEqual(stale);
});

test('a key replays what it answered', async () => {
  const [key, input] = [randomUUID(), newRole()];
  const [first, second] = [await owner.post('/roles', input, { key }), await owner.post('/roles', input, { key })];
  expect([first.status, second.status, second.body.id]).toEqual([201, 201, first.body.id]);
  const gone = randomUUID();
  for (let time = 0; time < 2; time += 1) {
    expect((await owner.remove(`/roles/${first.body.id}`, { key: gone })).status).toBe(204);
  }
});

test('a change is written with its entry in the audit log, or not at all', async () => {
  const { id } = await make();
  const before = await stateOf(stack, 'roles', 'sessions');
  await withoutAuditLog(stack, async () => {
    expect((await owner.post('/roles', newRole())).status).toBe(500);
    expect((await owner.patch(`/roles/${id}`, { permissions: [] })).status).toBe(500);
    expect((await owner.remove(`/roles/${id}`)).status).toBe(500);
  });
  expect(await stateOf(stack, 'roles', 'sessions')).toEqual(before);
});
