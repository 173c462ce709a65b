import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/shop.ts';
import { createApiKey, createStaff, type Staff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
let reader: Staff;
beforeAll(async () => {
  stack = await startStack();
  reader = await createStaff(stack, ['audit_log:read']);
});
afterAll(() => stack.close());

const log = (query: string, token = reader.token) =>
  call(stack, 'GET', `/admin/audit-log?${query}`, undefined, { token });

async function entries(count: number, resource: string, action = 'things.touch'): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const id = `0199${index.toString(16).padStart(4, '0')}-${randomUUID().slice(9)}`;
    await stack.owner.query(
      `insert into audit_log (id, actor_kind, actor_id, action, resource_type, resource_id, details, request_id)
       values ($1, 'staff', $2, $3, 'thing', $4, '{"fields": ["name"]}', 'r-1')`,
      [id, reader.id, action, resource],
    );
    ids.unshift(id);
  }
  return ids;
}

test('pages go from the newest to the oldest, each entry once', async () => {
  const resource = randomUUID();
  const ids = await entries(7, resource);
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const after: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const { status, body } = await log(`resource_type=thing&resource_id=${resource}&limit=3${after}`);
    expect(status).toBe(200);
    seen.push(...body.data.map((entry: { id: string }) => entry.id));
    cursor = body.next_cursor;
  }
  expect(seen).toEqual(ids);
});

test('an entry says who, what, on what and in which request', async () => {
  const resource = randomUUID();
  const [id] = await entries(1, resource);
  const { body } = await log(`resource_id=${resource}`);
  expect(body.data).toEqual([
    {
      id,
      actor_kind: 'staff',
      actor_id: reader.id,
      action: 'things.touch',
      resource_type: 'thing',
      resource_id: resource,
      details: { fields: ['name'] },
      request_id: 'r-1',
      created_at: expect.any(String),
    },
  ]);
});

test('every filter narrows', async () => {
  const [one, other] = [randomUUID(), randomUUID()];
  const [id] = await entries(1, one, 'things.create');
  await entries(1, other);
  const found = async (query: string) => (await log(query)).body.data.map((entry: { id: string }) => entry.id);
  expect(await found(`resource_id=${one}`)).toEqual([id]);
  expect(await found(`action=things.create`)).toEqual([id]);
  expect(await found(`actor_id=${reader.id}&resource_id=${one}`)).toEqual([id]);
  expect(await found(`actor_id=${randomUUID()}&resource_id=${one}`)).toEqual([]);
  expect(await found(`resource_type=other&resource_id=${one}`)).toEqual([]);
});

test('is for those who hold audit_log:read, people and keys', async () => {
  const key = await createApiKey(stack, ['audit_log:read']);
  expect((await log('', key.key)).status).toBe(200);
  const others = await createStaff(stack, ['orders:read']);
  const refused = await log('', others.token);
  expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
  expect((await call(stack, 'GET', '/admin/audit-log')).status).toBe(401);
});

test('a page is one round trip to the database', async () => {
  stack.neon.clear();
  await log('limit=1');
  expect(stack.neon.exchanges).toHaveLength(1);
});

test('the Worker can neither change nor take away an entry', async () => {
  for (const right of ['update', 'delete', 'truncate']) {
    const { rows } = await stack.owner.query(`select has_table_privilege('ecommerce_app', 'audit_log', $1) as can`, [
      right,
    ]);
    expect([right, rows[0].can]).toEqual([right, false]);
  }
});
