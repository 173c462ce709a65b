import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  call,
  type CallOptions,
  createSku,
  type Json,
  MANUAL,
  ordersOf,
  pay,
  placeOrder,
  readyCart,
  type Reply,
  stockOf,
} from '../support/shop.ts';
import type { Exchange } from '../support/fault-proxy.ts';
import { blockedIn } from '../support/locks.ts';
import { gate, isBatch1 } from '../support/order-path.ts';
import { type Person, register } from '../support/people.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { newCart, readCart } from './fixture.ts';

let stack: Stack;
let skus: string[];
beforeAll(async () => {
  stack = await startStack();
  skus = (await Promise.all([0, 1, 2].map(() => createSku(stack, { stock: 1000 })))).map(({ id }) => id);
});
let owner: Person;
beforeEach(async () => {
  owner = await register(stack);
  stack.neon.clear();
});
afterAll(() => stack.close());

const asOwner = () => ({ token: owner.token });
const line = (index: number, quantity: number) => ({ sku_id: skus[index], quantity });
const linesOf = ({ items }: Json) => items.map(({ sku_id, quantity }: Json) => [skus.indexOf(sku_id), quantity]);
const get = (id: string, options: CallOptions = {}) => call(stack, 'GET', `/carts/${id}`, undefined, options);
const add = (id: string, item: Json, options: CallOptions = {}) =>
  call(stack, 'POST', `/carts/${id}/items`, item, options);
/** A batch that lost one would be sent again, and nobody would notice. */
const deadlocks = () => stack.neon.exchanges.filter(({ responseBody }) => responseBody?.includes('"code":"40P01"'));
const statuses = (replies: readonly Reply[]) => replies.map(({ status }) => status);

/** A guest's cart under an id that sorts before or after every id given out by chance. */
async function guestCart(place: 'first' | 'last', items: Json[]): Promise<Json> {
  const letter = place === 'first' ? '-' : 'z';
  const id = letter.repeat(6) + randomUUID().replaceAll('-', '').slice(0, 16);
  await stack.owner.query(
    `insert into carts (id, market_id, expires_at)
     select $1, id, now() + interval '1 day' from markets where code = 'us'`,
    [id],
  );
  for (const item of items) await add(id, item);
  return readCart(stack, id);
}

/**
 * Sends the second once the first stands still behind a row of `cartIds`, and lets both go once it does, too: the first one
 * is served first. Of three there would be no order among the others: who waits for a row that changes looks for it again.
 */
async function queued(cartIds: string[], senders: [() => Promise<Reply>, () => Promise<Reply>]): Promise<Reply[]> {
  const client = await stack.owner.connect();
  const waiting: Promise<Reply>[] = [];
  try {
    await client.query('begin');
    await client.query('select 1 from carts where id = any($1) for update', [cartIds]);
    for (const send of senders) {
      waiting.push(send());
      await expect.poll(() => blockedIn(stack), { timeout: 30_000, interval: 20 }).toBe(waiting.length);
    }
  } finally {
    await client.query('rollback');
    client.release();
  }
  const replies = await Promise.all(waiting);
  expect(deadlocks()).toEqual([]);
  return replies;
}

describe.each(['first', 'last'] as const)("a guest's cart whose id sorts %s", (place) => {
  test('adopted in two tabs at once: merged once, both see it', async () => {
    const other = await newCart(stack, { items: [line(0, 2), line(1, 1)] }, asOwner());
    const cart = await guestCart(place, [line(0, 1)]);
    const [one, two] = await queued([cart.id], [() => get(cart.id, asOwner()), () => get(cart.id, asOwner())]);
    expect(linesOf(one?.body)).toEqual([
      [0, 3],
      [1, 1],
    ]);
    expect(one?.body.version).toBe(cart.version + 1);
    expect(two?.text).toBe(one?.text);
    expect((await get(other.id, asOwner())).status).toBe(404);
  });

  test('used by two customers at once: one has it, the other keeps what was theirs', async () => {
    const stranger = await register(stack);
    const people = [owner, stranger];
    const others = await Promise.all(people.map(({ token }) => newCart(stack, { items: [line(0, 2)] }, { token })));
    const cart = await guestCart(place, [line(0, 1)]);
    const replies = await queued(
      [cart.id],
      [() => get(cart.id, { token: owner.token }), () => get(cart.id, { token: stranger.token })],
    );
    const winner = replies.findIndex(({ status }) => status === 200);
    expect(replies[1 - winner]?.status).toBe(404);
    expect(linesOf(replies[winner]?.body)).toEqual([[0, 3]]);
    const loser = { token: people[1 - winner]?.token ?? '' };
    expect(await readCart(stack, others[1 - winner].id, loser)).toEqual(others[1 - winner]);
  });

  test('two of them adopted by one customer at once: one cart holds it all', async () => {
    const other = await newCart(stack, { items: [line(0, 2)] }, asOwner());
    const carts = [await guestCart(place, [line(0, 1), line(1, 1)]), await newCart(stack, { items: [line(2, 4)] })];
    const replies = await queued([other.id], [() => get(carts[0].id, asOwner()), () => get(carts[1].id, asOwner())]);
    expect(statuses(replies)).toEqual([200, 200]);
    const now = await readCart(stack, carts[1].id, asOwner());
    expect(linesOf(now).toSorted()).toEqual([
      [0, 3],
      [1, 1],
      [2, 4],
    ]);
    for (const { id } of [carts[0], other]) expect((await get(id, asOwner())).status).toBe(404);
  });

  test('adopted while the other one is ordered: it is not merged', async () => {
    const other = await readyCart(stack, [{ sku_id: skus[0] ?? '', quantity: 2 }], asOwner());
    const cart = await guestCart(place, [line(0, 1)]);
    const replies = await queued(
      [other.id],
      [() => placeOrder(stack, other.id, MANUAL, asOwner()), () => get(cart.id, asOwner())],
    );
    expect(statuses(replies)).toEqual([201, 200]);
    expect(linesOf(replies[0]?.body)).toEqual([[0, 2]]);
    expect(linesOf(replies[1]?.body)).toEqual([[0, 1]]);
    expect((await readCart(stack, other.id, asOwner())).status).toBe('completed');
  });

  test('adopted just before the other one is ordered: it is merged, and not ordered', async () => {
    const other = await readyCart(stack, [{ sku_id: skus[0] ?? '', quantity: 2 }], asOwner());
    const cart = await guestCart(place, [line(0, 1)]);
    const before = await stockOf(stack, skus[0] ?? '');
    const charges = stack.provider.charges().length;
    const [read, ordered] = await queued(
      [other.id],
      [() => get(cart.id, asOwner()), () => placeOrder(stack, other.id, pay('tok_ok'), asOwner())],
    );
    expect(linesOf(read?.body)).toEqual([[0, 3]]);
    expect([ordered?.status, ordered?.body.code, ordered?.body.param]).toEqual([404, 'not_found', 'cart_id']);
    expect(await ordersOf(stack, other.id)).toEqual([]);
    expect(await stockOf(stack, skus[0] ?? '')).toEqual(before);
    expect(stack.provider.charges()).toHaveLength(charges);
  });
});

describe('the guest and the customer at once', () => {
  test('what the guest adds just before is in the cart; what they add just after is refused', async () => {
    const cart = await newCart(stack, { items: [line(0, 1)] });
    const replies = await queued([cart.id], [() => add(cart.id, line(0, 4)), () => get(cart.id, asOwner())]);
    expect(statuses([...replies, await add(cart.id, line(0, 8))])).toEqual([200, 200, 404]);
    expect(linesOf(await readCart(stack, cart.id, asOwner()))).toEqual([[0, 5]]);
  });

  test("the other cart's change just before is merged", async () => {
    const other = await newCart(stack, { items: [line(0, 1)] }, asOwner());
    const cart = await newCart(stack, {});
    const replies = await queued(
      [other.id],
      [() => add(other.id, line(0, 4), asOwner()), () => get(cart.id, asOwner())],
    );
    expect(statuses(replies)).toEqual([200, 200]);
    expect(linesOf(await readCart(stack, cart.id, asOwner()))).toEqual([[0, 5]]);
  });

  test("the other cart's change just after is refused", async () => {
    const other = await newCart(stack, { items: [line(0, 1)] }, asOwner());
    const cart = await newCart(stack, {});
    const replies = await queued(
      [other.id],
      [() => get(cart.id, asOwner()), () => add(other.id, line(0, 8), asOwner())],
    );
    expect(statuses(replies)).toEqual([200, 404]);
    expect(linesOf(await readCart(stack, cart.id, asOwner()))).toEqual([[0, 1]]);
  });

  test("the guest's order that was priced before is refused; the customer has the cart", async () => {
    const cart = await readyCart(stack, [{ sku_id: skus[0] ?? '', quantity: 1 }]);
    const { opened, open } = gate();
    const { fired } = stack.neon.inject(isBatch1, { hold_request: opened });
    const ordering = placeOrder(stack, cart.id, MANUAL);
    await fired;
    const adopted = await readCart(stack, cart.id, asOwner());
    open();
    expect((await ordering).status).toBe(404);
    expect(await readCart(stack, cart.id, asOwner())).toEqual(adopted);
  });

  test("the customer's order that was priced before somebody else had the cart is refused", async () => {
    const stranger = await register(stack);
    const cart = await readyCart(stack, [{ sku_id: skus[0] ?? '', quantity: 1 }]);
    const { opened, open } = gate();
    const { fired } = stack.neon.inject(isBatch1, { hold_request: opened });
    const ordering = placeOrder(stack, cart.id, MANUAL, asOwner());
    await fired;
    await readCart(stack, cart.id, { token: stranger.token });
    open();
    expect((await ordering).status).toBe(404);
    expect(await ordersOf(stack, cart.id)).toEqual([]);
  });
});

describe('sent again', () => {
  const isAdoption = ({ requestBody }: Exchange) => requestBody.includes('cart.merged_id');
  const prepare = async () => {
    await newCart(stack, { items: [line(0, 2)] }, asOwner());
    return newCart(stack, { items: [line(0, 1)] });
  };

  test.each(['drop_reply', 'drop_request', 'duplicate'] as const)('a read after %s adopts once', async (fault) => {
    const cart = await prepare();
    stack.neon.inject(isAdoption, fault);
    const { status, body } = await get(cart.id, asOwner());
    expect([status, body.version, linesOf(body)]).toEqual([200, 2, [[0, 3]]]);
  });

  test.each(['drop_reply', 'drop_request', 'duplicate'] as const)(
    'a change with a key after %s, too',
    async (fault) => {
      const cart = await prepare();
      const key = `adopt-${randomUUID()}`;
      stack.neon.inject(isAdoption, fault);
      const first = await add(cart.id, line(0, 4), { ...asOwner(), key });
      expect([first.status, first.body.version, linesOf(first.body)]).toEqual([200, 2, [[0, 7]]]);
      // Another cart is open by now: a replay must not take it in.
      const later = await newCart(stack, { items: [line(1, 1)] }, asOwner());
      const again = await add(cart.id, line(0, 4), { ...asOwner(), key });
      expect([again.status, again.text]).toEqual([200, first.text]);
      expect(await readCart(stack, later.id, asOwner())).toEqual(later);
    },
  );

  test('a change without a key whose reply is lost is adopted once; its retry is a change like any other', async () => {
    const cart = await prepare();
    stack.neon.inject(isAdoption, 'drop_reply');
    expect((await call(stack, 'PATCH', `/carts/${cart.id}`, { note: 'x' }, asOwner())).status).toBe(503);
    const { body } = await call(stack, 'PATCH', `/carts/${cart.id}`, { note: 'x' }, asOwner());
    expect([body.version, linesOf(body)]).toEqual([3, [[0, 3]]]);
  });
});

test('forty uses of ten carts by three customers in any order: every unit is somewhere, once', async () => {
  const people = [owner, await register(stack), await register(stack)];
  await Promise.all(people.map(({ token }) => newCart(stack, { items: [line(0, 1), line(1, 1)] }, { token })));
  const carts = await Promise.all(
    Array.from({ length: 10 }, () => newCart(stack, { items: [line(0, 1), line(2, 1)] })),
  );
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, i) => {
      const { id } = carts[(i * 7) % carts.length];
      const options = { token: people[i % people.length]?.token ?? '' };
      return i % 2 === 0 ? get(id, options) : add(id, line(1, 1), options);
    }),
  );
  expect(statuses(replies).every((status) => status === 200 || status === 404)).toBe(true);
  expect(deadlocks()).toEqual([]);
  const added = replies.filter(({ status }, i) => i % 2 === 1 && status === 200).length;
  const { rows } = await stack.owner.query(
    `select i.sku_id, sum(i.quantity)::int as units from cart_items i join carts c on c.id = i.cart_id
     where c.customer_id = any($1) or c.id = any($2) group by i.sku_id`,
    [people.map(({ id }) => id), carts.map(({ id }) => id)],
  );
  const units = Object.fromEntries(rows.map(({ sku_id, units: sum }) => [skus.indexOf(sku_id), sum]));
  expect(units).toEqual({ 0: 13, 1: 3 + added, 2: 10 });
});
