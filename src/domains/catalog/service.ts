import * as z from 'zod';
import type { Deps } from '../../platform/deps.ts';
import { AppError, notFound } from '../../platform/errors.ts';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import { storable } from '../../platform/http/schema.ts';
import {
  allCategories,
  categoryExists,
  marketOf,
  productByIdOrHandle,
  productPage,
  type ProductCursor,
  type ProductRow,
} from './queries.ts';
import { categoryTree, findCategory } from './rules.ts';
import { SORTS, type Category, type PriceContext, type Product, type ProductQuery } from './schema.ts';

const CURSOR_SHAPES = {
  created_at: z.tuple([z.uuid(), z.uuid()]),
  title: z.tuple([storable, z.uuid()]),
  price: z.tuple([z.int(), z.uuid()]),
} as const satisfies Record<string, z.ZodType<ProductCursor>>;

type SortKey = keyof typeof CURSOR_SHAPES;

function cursorKey(sortKey: SortKey): (row: ProductRow) => ProductCursor {
  switch (sortKey) {
    case 'created_at':
      return (row) => [row.id, row.id];
    case 'title':
      return (row) => [row.title, row.id];
    case 'price':
      return (row) => [row.price_from, row.id];
  }
}

function unknownMarket(context: PriceContext): AppError {
  const param = context.market === undefined ? 'currency' : 'market';
  return new AppError('validation_failed', 'No market sells like that.', { param });
}

function toProduct({ price_from: _price, ...product }: ProductRow): Product {
  return product;
}

export async function listProducts({ db }: Deps, query: ProductQuery) {
  const sortKey = SORTS[query.sort].by;
  const after = decodeCursor<ProductCursor>(query.cursor, CURSOR_SHAPES[sortKey]);
  const [[market], rows] = await db.read(marketOf(query), productPage(query, after));
  if (!market) throw unknownMarket(query);
  return pageOf(rows, query.limit, { item: toProduct, key: cursorKey(sortKey) });
}

/** 404 names the category when there is none; one without products is an empty page. */
export async function listCategoryProducts({ db }: Deps, category: string, query: ProductQuery) {
  const sortKey = SORTS[query.sort].by;
  const after = decodeCursor<ProductCursor>(query.cursor, CURSOR_SHAPES[sortKey]);
  query.category = category;
  const [[found], [market], rows] = await db.read(categoryExists(category), marketOf(query), productPage(query, after));
  if (!found) throw notFound('category', 'id_or_handle');
  if (!market) throw unknownMarket(query);
  return pageOf(rows, query.limit, { item: toProduct, key: cursorKey(sortKey) });
}

export async function getProduct({ db }: Deps, idOrHandle: string, context: PriceContext): Promise<Product> {
  const [[market], [row]] = await db.read(marketOf(context), productByIdOrHandle(idOrHandle, context));
  if (!market) throw unknownMarket(context);
  if (!row) throw notFound('product', 'id_or_handle');
  return toProduct(row);
}

export async function listCategories({ db }: Deps): Promise<Category[]> {
  const [rows] = await db.read(allCategories);
  return categoryTree(rows);
}

export async function getCategory(deps: Deps, idOrHandle: string): Promise<Category> {
  const category = findCategory(await listCategories(deps), idOrHandle);
  if (!category) throw notFound('category', 'id_or_handle');
  return category;
}
