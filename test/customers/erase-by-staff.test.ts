import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, type Json } from '../support/shop.ts';
import { createApiKey, createStaff } from '../support/staff.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { liveThere, registerKnown, tracesOf } from './fixture.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

const rowsOf = async (text: string, ...values: unknown[]): Promise<Json[]> =>
  (await stack.owner.query(text, values)).rows;

const ask = (id: string, token: string, { match = '*', key }: { match?: string; key?: string } = {}) =>
  call(stack, 'DELETE', `/admin/customers/${id}`, undefined, {
    token,
    ...(key !== undefined && { key }),
    headers: { ...(match !== '' && { 'if-match': match }) },
  });

test('staff who may erase do so by the version they read, once for a key', async () => {
  const person = await registerKnown(stack);
  await liveThere(stack, person);
  const owner = await createStaff(stack, 'owner');
  const [{ version }] = await rowsOf('select version from accounts where id = $1', person.id);
  const refusal = async (match: string) => (await ask(person.id, owner.token, { match })).body.code;
  expect(await refusal('')).toBe('precondition_required');
  expect(await refusal(`"${version + 1}"`)).toBe('precondition_failed');
  const options = { match: `"${version}"`, key: randomUUID() };
  expect((await ask(person.id, owner.token, options)).status).toBe(204);
  expect((await ask(person.id, owner.token, options)).status).toBe(204);
  expect(await tracesOf(stack, person.strings)).toEqual([]);
  expect((await call(stack, 'GET', '/customers/me', undefined, { token: person.token })).status).toBe(401);
  const audit = await rowsOf('select actor_kind, actor_id, action from audit_log where resource_id = $1', person.id);
  expect(audit).toEqual([{ actor_kind: 'staff', actor_id: owner.id, action: 'customers.erase' }]);
});

test('staff erase one whose account is deactivated', async () => {
  const person = await registerKnown(stack);
  await rowsOf(`update accounts set status = 'deactivated' where id = $1`, person.id);
  const { key } = await createApiKey(stack, ['customers:erase']);
  expect((await ask(person.id, key)).status).toBe(204);
  expect(await tracesOf(stack, person.strings)).toEqual([]);
});

test('staff who may not are refused, and who is no customer is not there', async () => {
  const person = await registerKnown(stack);
  const support = await createStaff(stack, 'support');
  expect((await ask(person.id, support.token)).status).toBe(403);
  expect((await ask(person.id, person.token)).status).toBe(403);
  const owner = await createStaff(stack, 'owner');
  const gone = await registerKnown(stack);
  expect((await ask(gone.id, owner.token)).status).toBe(204);
  for (const id of [randomUUID(), owner.id, gone.id, 'nonsense']) {
    const refused = await ask(id, owner.token);
    expect([refused.status, refused.body.code]).toEqual([404, 'not_found']);
  }
  const [row] = await rowsOf('select status from accounts where id = $1', owner.id);
  expect(row.status).toBe('active');
});
