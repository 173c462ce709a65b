import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Json } from '../support/shop.ts';
import { createApiKey, createStaff, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { as, auditOf, refusal, stateOf, withoutAuditLog, withoutRedis, type Asker } from './fixture.ts';

const MAKER = ['api_keys:read', 'api_keys:write', 'audit_log:read'];
const READS_LOG = { name: 'Exporter', permissions: ['audit_log:read'] };

let stack: Stack;
let boss: Staff;
let owner: Asker;
let makerStaff: Staff;
let maker: Asker;
beforeAll(async () => {
  stack = await startStack();
  boss = await createStaff(stack, 'owner');
  owner = as(stack, boss.token);
  makerStaff = await createStaff(stack, MAKER);
  maker = as(stack, makerStaff.token);
});
afterAll(() => stack.close());

const works = async (key: string) => (await as(stack, key).get('/audit-log?limit=1')).status;
const make = async (by = maker, input: Json = READS_LOG): Promise<Json> => (await by.post('/api-keys', input)).body;

describe('a key', () => {
  test('is shown once, works at once, and is stored as a digest alone', async () => {
    const { status, body, headers } = await maker.post('/api-keys', READS_LOG);
    expect([status, headers.get('etag')]).toEqual([201, expect.stringMatching(/^"1-/)]);
    const { key, ...shown } = body;
    expect(key).toMatch(/^sk_[\w-]{43}$/);
    expect(shown).toEqual({
      ...READS_LOG,
      id: expect.any(String),
      version: 1,
      account_id: makerStaff.id,
      hint: key.slice(0, 7),
      created_at: expect.any(String),
      expires_at: null,
      last_used_at: null,
      revoked_at: null,
    });
    expect(await works(key)).toBe(200);
    // Noted after the reply.
    const read = await vi.waitFor(
      async () => {
        const reply = await maker.get(`/api-keys/${body.id}`);
        expect(reply.body).toMatchObject({ ...shown, last_used_at: expect.anything() });
        return reply;
      },
      { timeout: 30_000 },
    );
    const list = await maker.get('/api-keys');
    expect(list.body.data[0].id).toBe(body.id);
    const secret = key.slice(7);
    const stored = await stateOf(stack, 'api_keys', 'audit_log', 'idempotency_keys');
    for (const text of [read.text, list.text, ...stored, JSON.stringify(stack.logs())]) {
      expect(text).not.toContain(secret);
    }
  });

  test('is new each time, under one Idempotency-Key too', async () => {
    const key = randomUUID();
    const [first, second] = [
      await maker.post('/api-keys', READS_LOG, { key }),
      await maker.post('/api-keys', READS_LOG, { key }),
    ];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(first.body.key).not.toBe(second.body.key);
  });

  test('says when it was last used', async () => {
    const { id, key } = await make();
    expect((await maker.get(`/api-keys/${id}`)).body.last_used_at).toBeNull();
    await works(key);
    await vi.waitFor(
      async () => {
        const { last_used_at } = (await maker.get(`/api-keys/${id}`)).body;
        expect(Date.now() - Date.parse(last_used_at)).toBeLessThan(60_000);
      },
      { timeout: 30_000 },
    );
  });

  test.each([
    ['a time that has passed', { expires_at: '2020-01-01T00:00:00.000Z' }, 'expires_at'],
    ['no permission', { permissions: [] }, 'permissions'],
    ['the right to make users', { permissions: ['users:write'] }, 'permissions[0]'],
    ['the right to make roles', { permissions: ['roles:write'] }, 'permissions[0]'],
    ['the right to make keys', { permissions: ['api_keys:write'] }, 'permissions[0]'],
    ['everything', { permissions: ['*'] }, 'permissions[0]'],
    ['another maker', { account_id: randomUUID() }, 'account_id'],
  ])('cannot have %s', async (_name, details, param) => {
    const refused = await owner.post('/api-keys', { ...READS_LOG, ...details });
    expect(refusal(refused)).toEqual([422, 'validation_failed', param]);
  });

  test('that is unknown is not found', async () => {
    for (const id of [randomUUID(), boss.id]) {
      expect(refusal(await owner.get(`/api-keys/${id}`))).toEqual([404, 'not_found', 'id']);
      expect(refusal(await owner.remove(`/api-keys/${id}`))).toEqual([404, 'not_found', 'id']);
    }
  });
});

describe('a key never grants more than its maker holds', () => {
  test('when it is made', async () => {
    const before = await stateOf(stack, 'api_keys', 'audit_log');
    const refused = await maker.post('/api-keys', { name: 'X', permissions: ['audit_log:read', 'refunds:write'] });
    expect(refusal(refused)).toEqual([403, 'forbidden', 'permissions']);
    expect(await stateOf(stack, 'api_keys', 'audit_log')).toEqual(before);
  });

  test('when its maker is demoted afterwards', async () => {
    const staff = await createStaff(stack, MAKER);
    const { key } = await make(as(stack, staff.token));
    expect(await works(key)).toBe(200);
    await owner.patch(`/users/${staff.id}`, { role_ids: [] });
    expect(await works(key)).toBe(403);
  });

  test('when its maker is gone', async () => {
    const staff = await createStaff(stack, MAKER);
    const { key } = await make(as(stack, staff.token));
    expect(await works(key)).toBe(200);
    await owner.remove(`/users/${staff.id}`);
    expect(await works(key)).toBe(401);
  });

  test('nor more than it says, whatever its maker holds', async () => {
    const { key } = await make(owner, { name: 'X', permissions: ['orders:read'] });
    expect(await works(key)).toBe(403);
  });

  test('and makes or revokes no other key', async () => {
    const { key } = await createApiKey(stack, MAKER, { accountId: boss.id });
    const { id } = await make();
    const refused = [403, 'forbidden', 'Authorization'];
    expect((await as(stack, key).get('/api-keys')).status).toBe(200);
    expect(refusal(await as(stack, key).post('/api-keys', READS_LOG))).toEqual(refused);
    expect(refusal(await as(stack, key).remove(`/api-keys/${id}`))).toEqual(refused);
  });
});

describe('a key ends', () => {
  test('at once when it is revoked, and revoking it twice is the same', async () => {
    const { id, key } = await make();
    expect([await works(key), await works(key)]).toEqual([200, 200]);
    expect((await maker.remove(`/api-keys/${id}`)).status).toBe(204);
    expect(await works(key)).toBe(401);
    const { revoked_at } = (await maker.get(`/api-keys/${id}`)).body;
    expect(revoked_at).not.toBeNull();
    expect((await maker.remove(`/api-keys/${id}`)).status).toBe(204);
    expect((await maker.get(`/api-keys/${id}`)).body.revoked_at).toBe(revoked_at);
  });

  test('at once while Redis is away, and stays so when Redis is back with what it knew', async () => {
    const { id, key } = await make();
    expect([await works(key), await works(key)]).toEqual([200, 200]);
    await withoutRedis(stack, async () => {
      expect((await maker.remove(`/api-keys/${id}`)).status).toBe(204);
      expect(await works(key)).toBe(401);
    });
    expect(await works(key)).toBe(401);
  });

  test('when its time is over, though Redis knows it still', async () => {
    const { id, key, expires_at } = await make(maker, { ...READS_LOG, expires_at: '2099-01-01T00:00:00.000Z' });
    expect(expires_at).toBe('2099-01-01T00:00:00.000Z');
    expect([await works(key), await works(key)]).toEqual([200, 200]);
    await stack.owner.query(`update api_keys set expires_at = now() - interval '1 second' where id = $1`, [id]);
    expect(await works(key)).toBe(401);
    const late = await createApiKey(stack, ['audit_log:read'], { accountId: boss.id, expiresAt: new Date(0) });
    expect(await works(late.key)).toBe(401);
  });

  test('when the reply of its end was lost and it was sent again', async () => {
    const { id, key } = await make();
    expect(await works(key)).toBe(200);
    stack.neon.inject(({ requestBody }) => requestBody.includes('audit_log'), 'drop_reply', 1);
    expect((await maker.remove(`/api-keys/${id}`, { key: randomUUID() })).status).toBe(204);
    expect(await works(key)).toBe(401);
    expect((await auditOf(stack, id)).map(({ action }) => action)).toEqual(['api_keys.create', 'api_keys.revoke']);
  });
});

test('revoking needs If-Match, and the version that is there', async () => {
  const { id } = await make();
  const path = `/api-keys/${id}`;
  const etag = (await maker.get(path)).headers.get('etag') ?? '';
  expect(refusal(await maker.remove(path, { ifMatch: null }))).toEqual([428, 'precondition_required', 'If-Match']);
  expect(refusal(await maker.remove(path, { ifMatch: '"7"' }))).toEqual([412, 'precondition_failed', 'If-Match']);
  expect((await maker.remove(path, { ifMatch: etag })).status).toBe(204);
  expect(refusal(await maker.remove(path, { ifMatch: etag }))).toEqual([412, 'precondition_failed', 'If-Match']);
});

test('a change is written with its entry in the audit log, or not at all', async () => {
  const { id } = await make();
  const before = await stateOf(stack, 'api_keys');
  await withoutAuditLog(stack, async () => {
    expect((await maker.post('/api-keys', READS_LOG)).status).toBe(500);
    expect((await maker.remove(`/api-keys/${id}`)).status).toBe(500);
  });
  expect(await stateOf(stack, 'api_keys')).toEqual(before);
});
