import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  ADDRESS,
  call,
  type CallOptions,
  createSku,
  type Json,
  MANUAL,
  placeOrder,
  readyCart,
} from '../support/shop.ts';
import { type Person, register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { awaitStored } from '../support/stored.ts';

let stack: Stack;
let person: Person;
let skuId: string;
beforeAll(async () => {
  stack = await startStack();
  person = await register(stack);
  skuId = (await createSku(stack, { stock: 100 })).id;
});
afterAll(() => stack.close());

async function order(options: CallOptions) {
  const { token } = options;
  const cart = await readyCart(stack, [{ sku_id: skuId, quantity: 1 }], token === undefined ? {} : { token });
  const send = () => placeOrder(stack, cart.id, MANUAL, options);
  return { send, first: await send() };
}

const KEYED: [
  string,
  () => Promise<{ key: string; send: () => Promise<Json>; moveOn: (id: string) => Promise<unknown> }>,
][] = [
  [
    'an address',
    async () => {
      const key = randomUUID();
      const send = () => call(stack, 'POST', '/customers/me/addresses', ADDRESS, { token: person.token, key });
      const moveOn = (id: string) =>
        call(stack, 'PATCH', `/customers/me/addresses/${id}`, { city: 'Elsewhere' }, { token: person.token });
      return { key, send, moveOn };
    },
  ],
  [
    "a customer's cart",
    async () => {
      const key = randomUUID();
      const body = { email: person.email, shipping_address: ADDRESS, note: 'by the door' };
      const send = () => call(stack, 'POST', '/carts', body, { token: person.token, key });
      const moveOn = (id: string) => call(stack, 'PATCH', `/carts/${id}`, { note: 'x' }, { token: person.token });
      return { key, send, moveOn };
    },
  ],
];

test.each(KEYED)('the stored reply of %s says nothing, and is answered byte for byte', async (_name, prepare) => {
  const { key, send, moveOn } = await prepare();
  const first = await send();
  expect(first.status).toBe(201);
  const body = await awaitStored(stack, key);
  expect(body).toMatch(/^[\w-]+$/);
  const clear = Buffer.from(body, 'base64url').toString('latin1');
  for (const part of [ADDRESS.last_name, ADDRESS.line1, first.body.id]) expect(clear).not.toContain(part);
  await moveOn(first.body.id);
  const again = await send();
  expect([again.status, again.text, again.headers.get('idempotent-replayed')]).toEqual([201, first.text, 'true']);
});

test.each(['a guest', 'a customer'])('the stored order of %s is answered byte for byte', async (who) => {
  const key = randomUUID();
  const { send, first } = await order(who === 'a guest' ? { key } : { key, token: person.token });
  expect(first.status).toBe(201);
  expect(await awaitStored(stack, key)).toMatch(/^[\w-]+$/);
  await stack.owner.query(`update orders set note = 'moved on' where id = $1`, [first.body.id]);
  const again = await send();
  expect([again.status, again.text, again.headers.get('idempotent-replayed')]).toEqual([201, first.text, 'true']);
});

test('the same reply stored twice is not the same text', async () => {
  const [one, two] = [randomUUID(), randomUUID()];
  for (const key of [one, two]) {
    await call(stack, 'PATCH', '/customers/me', { first_name: 'Same' }, { token: person.token, key });
  }
  expect((await awaitStored(stack, one)).slice(0, 32)).not.toBe((await awaitStored(stack, two)).slice(0, 32));
});

test.each(['nonsense', '', 'not base64url!', '{"id":"in clear"}'])(
  'a stored reply that does not open (%s) is answered with what is there now, and nothing is done twice',
  async (body) => {
    const key = randomUUID();
    const send = () => call(stack, 'POST', '/customers/me/addresses', ADDRESS, { token: person.token, key });
    const { id } = (await send()).body;
    await awaitStored(stack, key);
    await stack.owner.query('update idempotency_keys set body = $2 where key = $1', [key, body]);
    await call(stack, 'PATCH', `/customers/me/addresses/${id}`, { city: 'Elsewhere' }, { token: person.token });
    const again = await send();
    expect([again.status, again.body.id, again.body.city]).toEqual([201, id, 'Elsewhere']);

    const orderKey = randomUUID();
    const placed = await order({ key: orderKey });
    await awaitStored(stack, orderKey);
    await stack.owner.query('update idempotency_keys set body = $2 where key = $1', [orderKey, body]);
    const now = await placed.send();
    expect([now.status, now.body]).toEqual([201, placed.first.body]);
  },
);

test('nobody opens another one’s reply: the row of one key put under another is not answered', async () => {
  const [mine, theirs] = [randomUUID(), randomUUID()];
  const stranger = await register(stack);
  const send = ({ token }: Person, key: string) =>
    call(stack, 'POST', '/customers/me/addresses', ADDRESS, { token, key });
  const secret = await send(person, mine);
  const own = await send(stranger, theirs);
  await awaitStored(stack, theirs);
  await stack.owner.query('update idempotency_keys set body = $2 where key = $1', [
    theirs,
    await awaitStored(stack, mine),
  ]);
  const again = await send(stranger, theirs);
  expect(again.body.id).toBe(own.body.id);
  expect(again.text).not.toContain(secret.body.id);
});
