import { randomUUID } from 'node:crypto';
import { call, type Json } from '../support/shop.ts';
import type { Stack } from '../support/stack.ts';

export interface SkuSpec {
  /** Minor units by currency; a currency left out cannot buy it. */
  prices?: Record<string, number>;
  stock?: number;
  options?: Record<string, string>;
  status?: 'active' | 'archived';
}

export interface ProductSpec {
  title?: string;
  status?: 'draft' | 'active' | 'archived';
  /** Ids of the categories it is filed in itself, not those above them. */
  categories?: readonly string[];
  skus?: readonly SkuSpec[];
}

export interface TestProduct {
  id: string;
  handle: string;
  skuIds: string[];
}

/** A product as a merchant could have made it, with stock at the first location. */
export async function createProduct(stack: Stack, spec: ProductSpec = {}): Promise<TestProduct> {
  const { title = 'A test product', status = 'active', categories = [], skus = [{}] } = spec;
  const id = randomUUID();
  const handle = `p-${id}`;
  const { owner } = stack;
  await owner.query('insert into products (id, handle, title, status) values ($1, $2, $3, $4)', [
    id,
    handle,
    title,
    status,
  ]);
  await owner.query('insert into product_categories select $1, unnest($2::uuid[])', [id, categories]);
  const skuIds: string[] = [];
  for (const [position, sku] of skus.entries()) {
    const skuId = randomUUID();
    skuIds.push(skuId);
    await owner.query(
      `insert into skus (id, product_id, code, title, options, position, status) values ($1, $2, $3, '', $4, $5, $6)`,
      [skuId, id, skuId, sku.options ?? {}, position, sku.status ?? 'active'],
    );
    for (const [currency, amount] of Object.entries(sku.prices ?? { USD: 1000, EUR: 1000 })) {
      await owner.query('insert into prices (sku_id, currency, amount) values ($1, $2, $3)', [skuId, currency, amount]);
    }
    await owner.query(
      `insert into stock_levels (sku_id, location_id, on_hand)
       select $1, id, $2 from stock_locations order by priority limit 1`,
      [skuId, sku.stock ?? 10],
    );
  }
  return { id, handle, skuIds };
}

/** A category; its id. */
export async function createCategory(stack: Stack, handle: string, parentId: string | null): Promise<string> {
  const id = randomUUID();
  await stack.owner.query('insert into categories (id, parent_id, handle, name) values ($1, $2, $3, $3)', [
    id,
    parentId,
    handle,
  ]);
  return id;
}

const PAGES_MAX = 100;

/** Every product of every page of a list, in the order in which they came. `between` runs after the second page. */
export async function walk(stack: Stack, path: string, between = async (): Promise<void> => {}): Promise<Json[]> {
  const products: Json[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const next: string = cursor === null ? path : `${path}&cursor=${encodeURIComponent(cursor)}`;
    const reply = await call(stack, 'GET', next);
    if (reply.status !== 200) throw new Error(`GET ${next}: ${reply.text}`);
    products.push(...reply.body.data);
    if (reply.body.has_more !== (reply.body.next_cursor !== null)) throw new Error('has_more without a cursor');
    cursor = reply.body.next_cursor;
    if (cursor === null) return products;
    if (page === 1) await between();
  }
  throw new Error('the list has no end');
}

export const idsOf = (products: readonly Json[]): string[] => products.map(({ id }) => id);
