import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADDRESS, call, type CallOptions, type Json, type Reply } from '../support/shop.ts';
import { type Person, register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';

let stack: Stack;
let owner: Person;
let stranger: Person;
beforeAll(async () => {
  stack = await startStack();
  [owner, stranger] = await Promise.all([register(stack), register(stack)]);
});
afterAll(() => stack.close());

const PATH = '/customers/me/addresses';
const ABSENT = '0199a1b2-0000-7000-8000-000000000001';
const VOLATILE = new Set(['date', 'ratelimit-remaining', 'ratelimit-reset', 'traceparent']);

const add = ({ token }: Person, body: Json = {}, options: CallOptions = {}) =>
  call(stack, 'POST', PATH, { ...ADDRESS, ...body }, { token, ...options });
const change = ({ token }: Person, id: string, body: Json, options: CallOptions = {}) =>
  call(stack, 'PATCH', `${PATH}/${id}`, body, { token, ...options });
const remove = ({ token }: Person, id: string, options: CallOptions = {}) =>
  call(stack, 'DELETE', `${PATH}/${id}`, undefined, { token, ...options });
const list = async ({ token }: Person, query = ''): Promise<Json> =>
  (await call(stack, 'GET', `${PATH}${query}`, undefined, { token })).body;

const visible = ({ status, headers, text }: Reply) => ({
  status,
  text,
  headers: [...headers].filter(([name]) => !VOLATILE.has(name)),
});

describe('an address', () => {
  test('is kept, changed field by field, and forgotten', async () => {
    const person = await register(stack);
    const added = await add(person, { company: 'Engines Ltd', phone: '+1 555 0100' });
    expect(added.status).toBe(201);
    expect(added.body).toEqual({
      ...ADDRESS,
      company: 'Engines Ltd',
      phone: '+1 555 0100',
      id: expect.any(String),
      is_default_shipping: false,
      is_default_billing: false,
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    const moved = await change(person, added.body.id, { city: 'Shelbyville', company: null });
    expect(moved.body).toEqual({
      ...added.body,
      city: 'Shelbyville',
      company: null,
      updated_at: moved.body.updated_at,
    });
    expect((await list(person)).data).toEqual([moved.body]);
    const gone = await remove(person, added.body.id);
    expect([gone.status, gone.text]).toEqual([204, '']);
    expect((await list(person)).data).toEqual([]);
    expect((await remove(person, added.body.id)).status).toBe(404);
  });

  test('lists newest first, page by page', async () => {
    const person = await register(stack);
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) ids.unshift((await add(person, { line1: `${i} Way` })).body.id);
    const first = await list(person, '?limit=3');
    const second = await list(person, `?limit=3&cursor=${first.next_cursor}`);
    expect([...first.data, ...second.data].map(({ id }: Json) => id)).toEqual(ids);
    expect([first.has_more, second.has_more, second.next_cursor]).toEqual([true, false, null]);
  });

  test('with a key is kept once', async () => {
    const person = await register(stack);
    const key = randomUUID();
    const replies = [await add(person, {}, { key }), await add(person, {}, { key })];
    expect(replies.map(({ status, text }) => [status, text])).toEqual([1, 2].map(() => [201, replies[0]?.text]));
    expect((await list(person)).data).toHaveLength(1);
    const [removal, id] = [randomUUID(), replies[0]?.body.id];
    expect((await remove(person, id, { key: removal })).status).toBe(204);
    expect((await remove(person, id, { key: removal })).status).toBe(204);
  });

  test('number fifty-one is refused, also when many come at once', async () => {
    const person = await register(stack);
    await stack.owner.query(
      `insert into customer_addresses (id, customer_id, address) select gen_random_uuid(), $1, $2 from generate_series(1, 47)`,
      [person.id, JSON.stringify(ADDRESS)],
    );
    const replies = await Promise.all(Array.from({ length: 8 }, () => add(person)));
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(3);
    const refused = replies.filter(({ status }) => status !== 201);
    expect(refused.map(({ status, body }) => [status, body.code])).toEqual(
      Array.from({ length: 5 }, () => [422, 'validation_failed']),
    );
  });
});

describe('the default', () => {
  const defaultsOf = async (person: Person) => {
    const { data } = await list(person);
    const named = (flag: string) => data.filter((each: Json) => each[flag]).map(({ id }: Json) => id);
    return { shipping: named('is_default_shipping'), billing: named('is_default_billing') };
  };

  test('of each kind is one: another takes it over, and it can be given up', async () => {
    const person = await register(stack);
    const first = (await add(person, { is_default_shipping: true, is_default_billing: true })).body.id;
    const second = (await add(person, { is_default_shipping: true })).body.id;
    expect(await defaultsOf(person)).toEqual({ shipping: [second], billing: [first] });
    await change(person, second, { is_default_billing: true });
    expect(await defaultsOf(person)).toEqual({ shipping: [second], billing: [second] });
    await change(person, second, { is_default_shipping: false });
    expect(await defaultsOf(person)).toEqual({ shipping: [], billing: [second] });
  });

  test('claimed by many at once is still one', async () => {
    const person = await register(stack);
    const ids = await Promise.all(Array.from({ length: 6 }, async () => (await add(person)).body.id));
    const replies = await Promise.all([
      ...ids.map((id) => change(person, id, { is_default_shipping: true })),
      add(person, { is_default_shipping: true }),
    ]);
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 201]);
    expect((await defaultsOf(person)).shipping).toHaveLength(1);
  });
});

test("a stranger's address looks like one that never existed", async () => {
  const { id } = (await add(owner)).body;
  const options = { headers: { 'x-request-id': 'same' } };
  for (const ask of [
    (each: string) => change(stranger, each, { city: 'Mine' }, options),
    (each: string) => remove(stranger, each, options),
  ]) {
    const refused = await ask(id);
    expect([refused.status, refused.body.code]).toEqual([404, 'not_found']);
    expect(visible(refused)).toEqual(visible(await ask(ABSENT)));
  }
  expect((await list(stranger)).data).toEqual([]);
  expect((await list(owner)).data.map((each: Json) => each.id)).toContain(id);
});

test("a stranger's default stays when another customer makes one", async () => {
  const mine = (await add(owner, { is_default_shipping: true })).body;
  await add(stranger, { is_default_shipping: true });
  expect((await list(owner)).data).toContainEqual(mine);
});

test('each change is one round trip to the database', async () => {
  const person = await register(stack);
  const { id } = (await add(person)).body;
  for (const ask of [
    () => add(person, { is_default_shipping: true }),
    () => list(person),
    () => change(person, id, { is_default_billing: true }),
    () => remove(person, id),
  ]) {
    stack.neon.clear();
    await ask();
    expect(stack.neon.exchanges).toHaveLength(1);
  }
});
