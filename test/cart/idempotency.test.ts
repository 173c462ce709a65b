import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { call, type CallOptions, createSku, type Json, type Reply } from '../support/shop.ts';
import type { Exchange } from '../support/fault-proxy.ts';
import { gate } from '../support/order-path.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { awaitStored } from '../support/stored.ts';
import { type Change, changeNamed, CHANGES, filledCart, newCart, readCart, refusal } from './fixture.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
beforeEach(() => stack.neon.clear());
afterAll(() => stack.close());

const CREATE = 'start a cart';
const ROUTES = [CREATE, ...CHANGES];

interface Prepared {
  change: Change;
  /** The cart as it is now; null before it is started. */
  read: (() => Promise<Json>) | null;
}

/** A cart of its own for each test, and one change of it. */
async function prepare(name: string): Promise<Prepared> {
  if (name === CREATE) {
    const { id: sku_id } = await createSku(stack, { stock: 9 });
    const body = { items: [{ sku_id, quantity: 2 }], note: 'first' };
    return { change: { name, method: 'POST', path: '/carts', body, other: {} }, read: null };
  }
  const filled = await filledCart(stack);
  return { change: changeNamed(filled, name), read: () => readCart(stack, filled.cart.id) };
}

const send = ({ method, path, body }: Change, options: CallOptions = {}) => call(stack, method, path, body, options);
const WAIT = { timeout: 30_000, interval: 20 };
const newKey = () => `key-${randomUUID()}`;
const isChange = ({ requestBody }: Exchange) => requestBody.includes('cart_items') && !isStore(requestBody);
const isStore = (requestBody: string) => requestBody.includes('update idempotency_keys set status');
const cartsMade = async () => (await stack.owner.query('select count(*)::int as n from carts')).rows[0].n;

/** Holds the row of a cart, or of every market, as long as `work` runs; `isBlocking` waits until somebody wants it. */
async function whileLocked<T>(
  cartId: string | null,
  work: (isBlocking: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const client = await stack.owner.connect();
  try {
    await client.query('begin');
    if (cartId === null) await client.query('select 1 from markets for update');
    else await client.query('select 1 from carts where id = $1 for update', [cartId]);
    const { rows } = await client.query('select pg_backend_pid() as pid');
    return await work(async () => {
      await vi.waitFor(async () => {
        const blocked = await client.query('select from pg_stat_activity where $1 = any(pg_blocking_pids(pid))', [
          rows[0].pid,
        ]);
        expect(blocked.rowCount).toBe(1);
      }, WAIT);
    });
  } finally {
    await client.query('rollback');
    client.release();
  }
}

/** The change was made once: the version says so for a cart that was, the count for one that is new. */
async function countedOnce({ read }: Prepared, reply: Reply, cartsBefore: number): Promise<void> {
  expect(reply.body.version).toBe(read ? 2 : 1);
  const now = read ? await read() : await readCart(stack, reply.body.id);
  expect(now).toEqual(reply.body);
  expect(await cartsMade()).toBe(cartsBefore + (read ? 0 : 1));
}

describe('the same request with the same key', () => {
  test.each(ROUTES)('%s: answers what the first one did, byte for byte, and does nothing more', async (name) => {
    const { change, read } = await prepare(name);
    const key = newKey();
    const first = await send(change, { key });
    expect(first.status).toBe(name === CREATE ? 201 : 200);
    expect(first.headers.has('idempotent-replayed')).toBe(false);
    await awaitStored(stack, key);
    // The cart moves on: a replay is what was answered then, not what is there now.
    const moved = await call(stack, 'PATCH', `/carts/${first.body.id}`, { note: 'moved on' });
    const before = await cartsMade();
    for (let i = 0; i < 3; i += 1) {
      const replay = await send(change, { key });
      expect([replay.status, replay.text]).toEqual([first.status, first.text]);
      expect(replay.headers.get('idempotent-replayed')).toBe('true');
      expect(replay.headers.get('content-type')).toBe(first.headers.get('content-type'));
    }
    expect(read ? await read() : await readCart(stack, first.body.id)).toEqual(moved.body);
    expect(await cartsMade()).toBe(before);
  });

  test.each(ROUTES)('%s: answers the cart even before the first reply is stored', async (name) => {
    const prepared = await prepare(name);
    const cartsBefore = await cartsMade();
    const key = newKey();
    const { opened, open } = gate();
    const { fired } = stack.neon.inject(({ requestBody }) => isStore(requestBody), { hold_request: opened });
    const first = await send(prepared.change, { key });
    await fired;
    const again = await send(prepared.change, { key });
    open();
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    await countedOnce(prepared, again, cartsBefore);
  });

  test.each(ROUTES)('%s: with another body it is refused', async (name) => {
    const { change, read } = await prepare(name);
    const key = newKey();
    const first = await send(change, { key });
    const reused = await send({ ...change, body: change.other }, { key });
    expect(refusal(reused)).toEqual([422, 'idempotency_key_reused', 'Idempotency-Key']);
    expect(read ? await read() : await readCart(stack, first.body.id)).toEqual(first.body);
  });

  test.each(ROUTES)('%s: while the first one runs, its twin is told to come back', async (name) => {
    const prepared = await prepare(name);
    const cartsBefore = await cartsMade();
    const key = newKey();
    // What the first one needs is held, so it stands still inside its transaction.
    const id = /\/carts\/([^/]+)/.exec(prepared.change.path)?.[1] ?? null;
    const { first, twin } = await whileLocked(id, async (isBlocking) => {
      const running = send(prepared.change, { key });
      await isBlocking();
      return { first: running, twin: await send(prepared.change, { key }) };
    });
    expect(refusal(twin)).toEqual([409, 'idempotency_in_flight', undefined]);
    expect(Number(twin.headers.get('retry-after'))).toBeGreaterThan(0);
    await countedOnce(prepared, await first, cartsBefore);
    await awaitStored(stack, key);
    expect((await send(prepared.change, { key })).text).toBe((await first).text);
  });
});

describe('the network', () => {
  const sent = () => stack.neon.exchanges.filter(isChange).length;

  test.each(ROUTES)('%s: a lost reply is answered by sending the batch again, which counts once', async (name) => {
    const prepared = await prepare(name);
    const cartsBefore = await cartsMade();
    stack.neon.clear();
    const { fired } = stack.neon.inject(isChange, 'drop_reply');
    const reply = await send(prepared.change, { key: newKey() });
    await fired;
    expect(reply.status, reply.text).toBe(name === CREATE ? 201 : 200);
    expect(sent()).toBeGreaterThan(1);
    await countedOnce(prepared, reply, cartsBefore);
  });

  test.each(ROUTES)('%s: a batch that never arrived is sent again', async (name) => {
    const prepared = await prepare(name);
    const cartsBefore = await cartsMade();
    stack.neon.inject(isChange, 'drop_request');
    const reply = await send(prepared.change, { key: newKey() });
    expect(reply.status, reply.text).toBe(name === CREATE ? 201 : 200);
    await countedOnce(prepared, reply, cartsBefore);
  });

  test.each(ROUTES)('%s: a batch that arrives twice counts once', async (name) => {
    const prepared = await prepare(name);
    const cartsBefore = await cartsMade();
    stack.neon.inject(isChange, 'duplicate');
    const reply = await send(prepared.change, { key: newKey() });
    expect(reply.status, reply.text).toBe(name === CREATE ? 201 : 200);
    await countedOnce(prepared, reply, cartsBefore);
  });

  test.each(CHANGES)('%s: without a key a lost reply is not resent, since it could count twice', async (name) => {
    const { change, read } = await prepare(name);
    stack.neon.clear();
    stack.neon.inject(isChange, 'drop_reply');
    const reply = await send(change);
    expect([reply.status, reply.body.code]).toEqual([503, 'dependency_unavailable']);
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(sent()).toBe(1);
    expect(await read?.()).toMatchObject({ version: 2 });
  });

  test('starting a cart is resent without a key as well: its id is our own', async () => {
    const cartsBefore = await cartsMade();
    stack.neon.inject(isChange, 'drop_reply');
    const { status, body } = await call(stack, 'POST', '/carts', { note: 'mine' });
    expect([status, body.note]).toEqual([201, 'mine']);
    expect(await cartsMade()).toBe(cartsBefore + 1);
  });
});

describe('keys', () => {
  const addTo = (cart: Json, sku_id: string, key: string) =>
    call(stack, 'POST', `/carts/${cart.id}/items`, { sku_id, quantity: 1 }, { key });

  test('are about one cart and one route', async () => {
    const { id } = await createSku(stack, { stock: 9 });
    const [one, other] = [await newCart(stack), await newCart(stack)];
    const key = newKey();
    expect((await addTo(one, id, key)).body.id).toBe(one.id);
    expect((await addTo(other, id, key)).body.id).toBe(other.id);
    expect((await call(stack, 'PATCH', `/carts/${one.id}`, { note: 'x' }, { key })).body.note).toBe('x');
  });

  test('are not used up by a refusal', async () => {
    const { id } = await createSku(stack, { stock: 9 });
    const cart = await newCart(stack);
    const key = newKey();
    expect((await addTo(cart, randomUUID(), key)).status).toBe(422);
    expect((await addTo(cart, id, key)).status).toBe(200);
  });

  test.each(['', 'with space', 'x'.repeat(256), 'naïve'])('%j is no key, and refused by name', async (key) => {
    const refused = await call(stack, 'POST', '/carts', {}, { key });
    expect(refusal(refused)).toEqual([400, 'malformed_request', 'Idempotency-Key']);
  });
});

describe('twenty adds at once to one cart', () => {
  const addTwenty = async (keyOf: (index: number) => string | undefined) => {
    const skus = await Promise.all([createSku(stack, { stock: 99 }), createSku(stack, { stock: 99 })]);
    const cart = await newCart(stack);
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const key = keyOf(i);
        const body = {
          sku_id: skus[key === undefined || !key.startsWith('same') ? i % 2 : 0]?.id,
          quantity: 1 + (i % 3),
        };
        if (key?.startsWith('same')) body.quantity = 1;
        return call(stack, 'POST', `/carts/${cart.id}/items`, body, key === undefined ? {} : { key });
      }),
    );
    const { items, version } = await readCart(stack, cart.id);
    const quantities = skus.map(({ id }) => items.find((item: Json) => item.sku_id === id)?.quantity ?? 0);
    return { statuses: replies.map(({ status }) => status), quantities, version };
  };
  const units = (parity: number) =>
    Array.from({ length: 20 }, (_, i) => (i % 2 === parity ? 1 + (i % 3) : 0)).reduce((sum, n) => sum + n, 0);

  test.each([
    ['without keys', () => {}],
    ['with a key each', () => newKey()],
  ])('%s: all count', async (_name, keyOf) => {
    const { statuses, quantities, version } = await addTwenty(() => keyOf() ?? undefined);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(quantities).toEqual([units(0), units(1)]);
    expect(version).toBe(21);
  });

  test('with one key: one counts, the others replay it or are told to come back', async () => {
    const key = `same-${randomUUID()}`;
    const { statuses, quantities, version } = await addTwenty(() => key);
    expect(statuses.every((status) => status === 200 || status === 409)).toBe(true);
    expect(statuses).toContain(200);
    expect([quantities, version]).toEqual([[1, 0], 2]);
  });
});
