import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { Answer, Client } from './client.ts';
import type { Stage } from './stage.ts';

/** Goods that only one rehearsal sells. */
export interface Goods {
  skuId: string;
  stock: number;
  shippingOptionId: string;
}

export interface Buyer {
  key: string;
  goods: Goods;
  address?: string;
  /** Every answer so far; the last one is final, or the buyer never had one. */
  answers: Answer[];
  /** When the final one came, by performance.now(). */
  toldAtMs: number | null;
}

const ADDRESS = {
  first_name: 'Ada',
  last_name: 'Lovelace',
  line1: '1 Analytical Way',
  city: 'Springfield',
  postal_code: '12345',
  country: 'US',
};
const PRICE = 1_000;
/** A lease of the order path lasts 30 s; whoever took over is told after it at the latest. */
const PATIENCE_MS = 45_000;
const PAUSE_MS = 500;

const Problem = z.object({ code: z.string().optional() });
const Order = z.object({ id: z.string(), status: z.string(), total: z.number() });

/** A product with one SKU, some stock at one place, and a price. */
export async function createGoods({ owner }: Stage, stock: number): Promise<Goods> {
  const [skuId, productId] = [randomUUID(), randomUUID()];
  const handle = `rehearsal-${skuId}`;
  await owner.query(`insert into products (id, handle, title, status) values ($1, $2, 'Rehearsal', 'active')`, [
    productId,
    handle,
  ]);
  await owner.query(`insert into skus (id, product_id, code, title) values ($1, $2, $3, 'One')`, [
    skuId,
    productId,
    handle,
  ]);
  await owner.query(`insert into prices (sku_id, currency, amount) values ($1, 'USD', $2)`, [skuId, PRICE]);
  await owner.query(
    `insert into stock_levels (sku_id, location_id, on_hand)
     select $1, id, $2 from stock_locations order by priority limit 1`,
    [skuId, stock],
  );
  const { rows } = await owner.query<{ id: string }>(
    `select o.id from shipping_options o join markets m on m.id = o.market_id where m.code = 'us' order by o.id limit 1`,
  );
  return { skuId, stock, shippingOptionId: rows[0]?.id ?? '' };
}

export function createBuyers(goods: Goods, count: number): Buyer[] {
  return Array.from({ length: count }, (_none, at) => ({
    key: randomUUID(),
    goods,
    address: `10.77.${at >> 8}.${at & 255}`,
    answers: [],
    toldAtMs: null,
  }));
}

/** One try: cart, address, shipping and payment in a single request. */
export async function order(client: Client, shop: URL, buyer: Buyer, dueMs?: number): Promise<Answer> {
  const { goods, key, address } = buyer;
  const cart = {
    market: 'us',
    items: [{ sku_id: goods.skuId, quantity: 1 }],
    email: 'ada@example.test',
    shipping_address: ADDRESS,
    shipping_option_id: goods.shippingOptionId,
  };
  const answer = await client.send(new URL('/api/v1/orders', shop), {
    method: 'POST',
    key,
    body: { cart, payment: { provider: 'test', token: 'tok_ok' } },
    ...(address !== undefined && { address }),
    ...(dueMs !== undefined && { dueMs }),
  });
  buyer.answers.push(answer);
  if (isFinal(answer)) buyer.toldAtMs = performance.now();
  return answer;
}

/** As a storefront does: the same request with the same key, until the shop has said what became of it. */
export async function orderUntilTold(client: Client, shopOf: () => URL, buyer: Buyer, dueMs?: number): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  let answer = await order(client, shopOf(), buyer, dueMs);
  while (!isFinal(answer) && performance.now() < deadline) {
    await sleep(PAUSE_MS);
    answer = await order(client, shopOf(), buyer);
  }
}

/** An order, or a refusal that no second try changes. */
function isFinal({ status, text }: Answer): boolean {
  if (status === null || status === 429 || status >= 500) return false;
  return codeOf(text) !== 'idempotency_in_flight';
}

export const isOrdered = ({ answers }: Buyer): boolean => answers.at(-1)?.status === 201;

export function orderIdOf({ answers }: Buyer): string | null {
  const last = answers.at(-1);
  return last?.status === 201 ? Order.parse(JSON.parse(last.text)).id : null;
}

/** The problem's code; null when there is none. */
export function codeOf(text: string): string | null {
  try {
    return Problem.parse(JSON.parse(text)).code ?? null;
  } catch {
    return null;
  }
}
