import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { register, type Person } from '../support/people.ts';
import { call, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

interface SignedIn {
  token: string;
  refreshToken: string;
}

const list = (token: string) => call(stack, 'GET', '/auth/sessions', undefined, { token });
const end = (token: string, id: string) => call(stack, 'DELETE', `/auth/sessions/${id}`, undefined, { token });
const endOthers = (token: string) => call(stack, 'DELETE', '/auth/sessions', undefined, { token });
const refresh = (refresh_token: string) => call(stack, 'POST', '/auth/refresh', { refresh_token });
const refusal = ({ status, body }: Reply) => [status, body?.code, body?.param];
const currentOf = async (token: string): Promise<string> =>
  (await list(token)).body.data.find((session: { current: boolean }) => session.current).id;

async function login({ email, password }: Pick<Person, 'email' | 'password'>): Promise<SignedIn> {
  const { body } = await call(stack, 'POST', '/auth/login', { email, password });
  return { token: body.access_token, refreshToken: body.refresh_token };
}

async function expectEnded({ token, refreshToken }: SignedIn): Promise<void> {
  expect(refusal(await list(token))).toEqual([401, 'unauthenticated', 'Authorization']);
  expect(refusal(await refresh(refreshToken))).toEqual([401, 'unauthenticated', 'refresh_token']);
}

test('a person sees their live sessions, the latest used first, and which one is asking', async () => {
  const person = await register(stack);
  const other = await login(person);
  const gone = await login(person);
  await call(stack, 'POST', '/auth/logout', { refresh_token: gone.refreshToken });
  await refresh(person.refreshToken);
  const { status, body } = await list(other.token);
  expect([status, body.has_more, body.next_cursor]).toEqual([200, false, null]);
  expect(body.data.map((each: { current: boolean }) => each.current)).toEqual([false, true]);
  expect(Object.keys(body.data[0]).toSorted()).toEqual(['created_at', 'current', 'expires_at', 'id', 'last_used_at']);
  expect(Date.parse(body.data[0].last_used_at)).toBeGreaterThan(Date.parse(body.data[1].last_used_at));
});

test('a session that was ended is refused at once, the others go on', async () => {
  const person = await register(stack);
  const other = await login(person);
  expect((await end(person.token, await currentOf(other.token))).status).toBe(204);
  await expectEnded(other);
  expect((await list(person.token)).body.data).toHaveLength(1);
  expect((await refresh(person.refreshToken)).status).toBe(200);
});

test('ending a session twice is the same, also the own one', async () => {
  const person = await register(stack);
  const other = await login(person);
  const id = await currentOf(other.token);
  for (let turn = 0; turn < 2; turn += 1) expect((await end(person.token, id)).status).toBe(204);
  expect((await end(person.token, await currentOf(person.token))).status).toBe(204);
  await expectEnded(person);
});

test('all others are ended at once, the own one goes on', async () => {
  const person = await register(stack);
  const others = [await login(person), await login(person)];
  for (let turn = 0; turn < 2; turn += 1) expect((await endOthers(person.token)).status).toBe(204);
  for (const other of others) await expectEnded(other);
  expect((await list(person.token)).body.data).toHaveLength(1);
});

test("somebody else's session reads like one that does not exist, and goes on", async () => {
  const [person, stranger] = [await register(stack), await register(stack)];
  const theirs = await currentOf(stranger.token);
  const headers = { 'x-request-id': 'same' };
  const replies = [theirs, randomUUID()].map((id) =>
    call(stack, 'DELETE', `/auth/sessions/${id}`, undefined, { token: person.token, headers }),
  );
  const [taken, missing] = await Promise.all(replies);
  expect(taken && refusal(taken)).toEqual([404, 'not_found', 'id']);
  expect(taken?.text).toBe(missing?.text);
  await endOthers(person.token);
  expect((await list(stranger.token)).status).toBe(200);
});

test('staff have a list of their own, guests have none', async () => {
  const staff = await login({ email: 'admin@demo.test', password: 'demo-admin-password' });
  expect(await currentOf(staff.token)).toEqual(expect.any(String));
  expect((await call(stack, 'GET', '/auth/sessions')).status).toBe(401);
});
