import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { ADDRESS, call, readyCart, type Json, type Reply } from '../support/shop.ts';
import type { Stack } from '../support/stack.ts';
import { made, stocked, type Clerk, type Stocked } from './fixture.ts';

export const STOCK = 20;

/** The same numbers from 0 to below 1 for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A new seed, or the one that a failed run printed. */
export function newSeed(): number {
  const given = Number(process.env['OVERSELL_SEED'] ?? Number.NaN);
  const seed = Number.isNaN(given) ? Number.parseInt(randomUUID().slice(0, 8), 16) : given;
  process.stdout.write(`OVERSELL_SEED=${seed}\n`);
  return seed;
}

export interface Shelf {
  skus: Stocked[];
  /** What can be asked for: each SKU, and kits of two of them. */
  offers: string[];
  /** How many units of which SKU one of an offer takes. */
  parts: Map<string, Map<string, number>>;
  shippingOptionId: string;
}

/** Five SKUs, and three kits of which each two share a component. */
export async function createShelf(stack: Stack, clerk: Clerk): Promise<Shelf> {
  const skus: Stocked[] = [];
  for (let index = 0; index < 5; index += 1) skus.push(await stocked(stack, STOCK));
  const ids = skus.map(({ id }) => id);
  const parts = new Map(ids.map((id) => [id, new Map([[id, 1]])]));
  const pairs = [
    [0, 1],
    [1, 2],
    [2, 0],
  ];
  for (const pair of pairs) {
    const kit = await stocked(stack, 0);
    const components = pair.map((index) => ({ sku_id: ids[index] ?? '', quantity: 1 }));
    made(await clerk.put(`/kits/${kit.id}`, { components }));
    parts.set(kit.id, new Map(components.map(({ sku_id, quantity }) => [sku_id, quantity])));
  }
  const cart = await readyCart(stack, [{ sku_id: ids[0] ?? '', quantity: 1 }]);
  return { skus, offers: [...parts.keys()], parts, shippingOptionId: cart.shipping_option_id };
}

export type Items = { sku_id: string; quantity: number }[];

/** One to four lines in random order. */
export function randomItems({ offers }: Shelf, random: () => number): Items {
  const lines = 1 + Math.floor(random() * 4);
  const left = [...offers];
  return Array.from({ length: lines }, () => {
    const [sku_id = ''] = left.splice(Math.floor(random() * left.length), 1);
    return { sku_id, quantity: 1 };
  });
}

/** In an order that only the seed decides. */
export function shuffled<T>(things: readonly T[], random: () => number): T[] {
  const drawn = things.map((thing) => ({ thing, place: random() }));
  return drawn.sort((one, other) => one.place - other.place).map(({ thing }) => thing);
}

const TRIES_MAX = 60;

/**
 * Asks under one key until the answer is final, as clients are told to: on a busy machine a payment may be in doubt for a
 * while.
 */
export async function insist(ask: (key: string) => Promise<Reply>): Promise<Reply> {
  const key = randomUUID();
  let reply = await ask(key);
  for (let tries = 1; tries < TRIES_MAX && isOpen(reply); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    reply = await ask(key);
  }
  return reply;
}

const isOpen = ({ body }: Reply) => body.code === 'payment_in_doubt' || body.code === 'idempotency_in_flight';

export function buy(stack: Stack, { shippingOptionId }: Shelf, items: Items, payment: Json): Promise<Reply> {
  const cart = {
    market: 'us',
    items,
    email: 'ada@example.test',
    shipping_address: ADDRESS,
    shipping_option_id: shippingOptionId,
  };
  return insist((key) => call(stack, 'POST', '/orders', { cart, payment }, { key }));
}

/** Units of each SKU that all these carts take together. */
export function unitsOf({ parts, skus }: Shelf, carts: readonly Items[]): number[] {
  const sums = new Map<string, number>();
  for (const { sku_id, quantity } of carts.flat()) {
    for (const [part, per] of parts.get(sku_id) ?? []) sums.set(part, (sums.get(part) ?? 0) + quantity * per);
  }
  return skus.map(({ id }) => sums.get(id) ?? 0);
}

/** Units of each SKU that nobody was promised. */
export async function leftOf({ owner }: Stack, { skus }: Shelf): Promise<number[]> {
  const { rows } = await owner.query<{ sku_id: string; left: number }>(
    'select sku_id, on_hand - reserved as left from stock_levels where sku_id = any($1)',
    [skus.map(({ id }) => id)],
  );
  return skus.map(({ id }) => rows.find((row) => row.sku_id === id)?.left ?? Number.NaN);
}

/** Movements after which more was promised than was there, or less than nothing. */
export async function oversoldMoments({ owner }: Stack, { skus }: Shelf): Promise<Json[]> {
  const { rows } = await owner.query(
    `select * from (
       select id, sku_id, sum(on_hand_delta) over w as on_hand, sum(reserved_delta) over w as reserved
       from stock_movements where sku_id = any($1) window w as (partition by sku_id, location_id order by id)
     ) moments where reserved > on_hand or reserved < 0 or on_hand < 0`,
    [skus.map(({ id }) => id)],
  );
  return rows;
}

/** Deadlocks are run again in silence: the wire and the server's own count tell of them. */
export async function expectNoDeadlock(stack: Stack): Promise<void> {
  expect(stack.neon.exchanges.filter(({ responseBody }) => responseBody?.includes('"code":"40P01"'))).toEqual([]);
  await expect
    .poll(async () => {
      const { rows } = await stack.owner.query(
        `select deadlocks::int, xact_commit > 0 as counted from pg_stat_database where datname = current_database()`,
      );
      return rows[0];
    })
    .toEqual({ deadlocks: 0, counted: true });
}
