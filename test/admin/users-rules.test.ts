import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type Json } from '../support/shop.ts';
import { createApiKey, createStaff, signIn, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { CATALOG, HR, MANAGER, OWNER, as, refusal, withoutRedis, type Asker } from './fixture.ts';

let stack: Stack;
let boss: Staff;
let owner: Asker;
beforeAll(async () => {
  stack = await startStack();
  boss = await createStaff(stack, 'owner');
  owner = as(stack, boss.token);
});
afterAll(() => stack.close());

const invite = (role_ids: string[]): Json => ({ email: `${randomUUID()}@staff.example.test`, name: 'Ada', role_ids });

const works = async (token: string) => (await as(stack, token).get('/audit-log?limit=1')).status;

/** How often Redis was told of ended sessions. */
const published = () =>
  stack.redis.exchanges.filter(({ requestBody }) => requestBody.includes('"set","revoked:')).length;

describe('sessions and keys', () => {
  test('of a deactivated user are refused at once, and so is signing in', async () => {
    const { id, token, refreshToken, email, password } = await createStaff(stack, ['audit_log:read']);
    const { key } = await createApiKey(stack, ['audit_log:read'], { accountId: id });
    expect([await works(token), await works(key)]).toEqual([200, 200]);
    stack.redis.clear();
    expect((await owner.remove(`/users/${id}`)).status).toBe(204);
    expect(published()).toBe(1);
    expect([await works(token), await works(key)]).toEqual([401, 401]);
    expect((await call(stack, 'POST', '/auth/refresh', { refresh_token: refreshToken })).status).toBe(401);
    expect((await call(stack, 'POST', '/auth/login', { email, password })).status).toBe(401);
    expect((await owner.get(`/users/${id}`)).body.status).toBe('deactivated');
    expect((await owner.patch(`/users/${id}`, { status: 'active' })).status).toBe(200);
    expect(await works(token)).toBe(401);
    expect(await works((await signIn(stack, email)).token)).toBe(200);
  });

  test('of a deactivated user are refused while Redis is away, too', async () => {
    const { id, token } = await createStaff(stack, ['audit_log:read']);
    const { key } = await createApiKey(stack, ['audit_log:read'], { accountId: id });
    expect([await works(token), await works(key)]).toEqual([200, 200]);
    await withoutRedis(stack, async () => {
      expect((await owner.remove(`/users/${id}`)).status).toBe(204);
      expect([await works(token), await works(key)]).toEqual([401, 401]);
    });
  });

  test('end with a change of roles, and with no other', async () => {
    const { id, email, token, roleId } = await createStaff(stack, ['audit_log:read']);
    await owner.patch(`/users/${id}`, { name: 'Renamed', role_ids: [roleId] });
    expect(await works(token)).toBe(200);
    await owner.patch(`/users/${id}`, { role_ids: [roleId, CATALOG] });
    expect(await works(token)).toBe(401);
    const again = await signIn(stack, email);
    expect((await as(stack, again.token).get('/audit-log')).status).toBe(200);
    await owner.patch(`/users/${id}`, { role_ids: [] });
    expect(await works((await signIn(stack, email)).token)).toBe(403);
  });

  test('that ended are published again when the reply of the change was lost', async () => {
    const { id, token } = await createStaff(stack, ['audit_log:read']);
    stack.redis.clear();
    stack.neon.inject(({ requestBody }) => requestBody.includes('audit_log'), 'drop_reply', 1);
    expect((await owner.remove(`/users/${id}`, { key: randomUUID() })).status).toBe(204);
    expect(await works(token)).toBe(401);
    expect(published()).toBe(1);
  });
});

describe('nobody', () => {
  test('raises their own roles', async () => {
    const hr = await createStaff(stack, HR);
    const asker = as(stack, hr.token);
    for (const role_ids of [[OWNER], [hr.roleId, MANAGER], [hr.roleId, CATALOG]]) {
      expect(refusal(await asker.patch(`/users/${hr.id}`, { role_ids }))).toEqual([403, 'forbidden', 'role_ids']);
    }
    expect((await owner.get(`/users/${hr.id}`)).body.roles).toMatchObject([{ id: hr.roleId }]);
  });

  test('gives others roles beyond their own, but may take such away', async () => {
    const hr = as(stack, (await createStaff(stack, HR)).token);
    const { id } = await createStaff(stack, 'manager');
    expect(refusal(await hr.patch(`/users/${id}`, { role_ids: [MANAGER, CATALOG] }))).toEqual([
      403,
      'forbidden',
      'role_ids',
    ]);
    expect((await hr.patch(`/users/${id}`, { role_ids: [MANAGER], name: 'Same' })).status).toBe(200);
    expect((await hr.patch(`/users/${id}`, { role_ids: [] })).status).toBe(200);
  });

  test('lets somebody in again who holds more than they do', async () => {
    const hr = as(stack, (await createStaff(stack, HR)).token);
    const { id } = await createStaff(stack, 'manager');
    expect((await hr.remove(`/users/${id}`)).status).toBe(204);
    expect(refusal(await hr.patch(`/users/${id}`, { status: 'active' }))).toEqual([403, 'forbidden', 'status']);
    expect((await hr.patch(`/users/${id}`, { status: 'active', role_ids: [] })).status).toBe(200);
  });

  test('but an owner changes an owner', async () => {
    const hr = as(stack, (await createStaff(stack, HR)).token);
    const other = await createStaff(stack, 'owner');
    for (const patch of [{ name: 'X' }, { status: 'deactivated' }, { role_ids: [] }]) {
      expect(refusal(await hr.patch(`/users/${other.id}`, patch))).toEqual([403, 'forbidden', 'id']);
    }
    expect(refusal(await hr.remove(`/users/${other.id}`))).toEqual([403, 'forbidden', 'id']);
    expect((await owner.remove(`/users/${other.id}`)).status).toBe(204);
  });

  test('goes on with a permission that was taken away a moment ago', async () => {
    const hr = await createStaff(stack, HR);
    await stack.owner.query('delete from account_roles where account_id = $1', [hr.id]);
    expect(refusal(await as(stack, hr.token).post('/users', invite([])))).toEqual([403, 'forbidden', 'Authorization']);
  });

  test('with an API key changes users, whatever the key says', async () => {
    const key = as(stack, (await createApiKey(stack, HR, { accountId: boss.id })).key);
    expect((await key.get('/users')).status).toBe(200);
    const refused = [403, 'forbidden', 'Authorization'];
    expect(refusal(await key.post('/users', invite([])))).toEqual(refused);
    expect(refusal(await key.patch(`/users/${boss.id}`, { name: 'X' }))).toEqual(refused);
    expect(refusal(await key.remove(`/users/${boss.id}`))).toEqual(refused);
  });
});

describe('an owner who can sign in is always left', () => {
  /** Owners of this test alone: all others are put out of the way. */
  async function onlyOwners(count: number): Promise<Staff[]> {
    await stack.owner.query(`delete from account_roles where role_id = $1 and account_id <> $2`, [OWNER, boss.id]);
    const made = await Promise.all(Array.from({ length: count - 1 }, () => createStaff(stack, 'owner')));
    return [{ ...boss, ...(await signIn(stack, boss.email)) }, ...made];
  }

  test('the last one can neither leave nor step down', async () => {
    const [last] = await onlyOwners(1);
    const asker = as(stack, last?.token ?? '');
    const refused = [409, 'conflict', 'id'];
    expect(refusal(await asker.remove(`/users/${boss.id}`))).toEqual(refused);
    expect(refusal(await asker.patch(`/users/${boss.id}`, { status: 'deactivated' }))).toEqual(refused);
    expect(refusal(await asker.patch(`/users/${boss.id}`, { role_ids: [MANAGER] }))).toEqual(refused);
  });

  test('one who was invited and has no way to sign in yet does not count', async () => {
    const [last] = await onlyOwners(1);
    const asker = as(stack, last?.token ?? '');
    expect((await asker.post('/users', invite([OWNER]))).status).toBe(201);
    expect(refusal(await asker.remove(`/users/${boss.id}`))).toEqual([409, 'conflict', 'id']);
  });

  test('two who demote or deactivate each other at once: one does', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [one, two] = await onlyOwners(2);
      if (!one || !two) throw new Error('no owners');
      const [first, second] = await Promise.all([
        as(stack, one.token).patch(`/users/${two.id}`, round % 2 ? { role_ids: [] } : { status: 'deactivated' }),
        as(stack, two.token).patch(`/users/${one.id}`, { role_ids: [] }),
      ]);
      expect([first.status, second.status].filter((status) => status === 200)).toHaveLength(1);
      const { rows } = await stack.owner.query(
        `select count(*)::int as n from accounts a join account_roles r on r.account_id = a.id
         where r.role_id = $1 and a.status = 'active' and a.password_hash is not null`,
        [OWNER],
      );
      expect(rows[0].n).toBe(1);
      await stack.owner.query(
        `insert into account_roles (account_id, role_id) values ($1, $2) on conflict do nothing`,
        [boss.id, OWNER],
      );
      await stack.owner.query(`update accounts set status = 'active' where id = $1`, [boss.id]);
      owner = as(stack, (await signIn(stack, boss.email)).token);
    }
  });
});
