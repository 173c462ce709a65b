import { json, jsonTime, nothing, sql, type Sql } from '../../platform/db/sql.ts';
import { chosenMarketId } from '../markets/index.ts';
import { SORTS, type PriceContext, type Product, type ProductQuery } from './schema.ts';

const OPTION_PREFIX = 'option.';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface ProductRow extends Product {
  price_from: number;
}

/** One fragment for a filter on either, so that each can use its own index. */
function idOrHandle(table: Sql, value: string): Sql {
  return UUID.test(value) ? sql`${table}.id = ${value}::uuid` : sql`${table}.handle = ${value}`;
}

export function marketOf(context: PriceContext): Sql<{ id: string }> {
  return sql<{ id: string }>`select id from markets where id = ${chosenMarketId(context)}`;
}

const categoriesOfProduct = sql`
  coalesce((
    select jsonb_agg(jsonb_build_object('id', c.id, 'handle', c.handle, 'name', c.name) order by c.handle)
    from product_categories pc join categories c on c.id = pc.category_id
    where pc.product_id = p.id), '[]'::jsonb)`;

/** The buyable SKUs of product `p` with the price and stock of market `m`; no price in its currency, not buyable there. */
const skusOfProduct = sql`
  lateral (
    select min(pr.amount) as price_from, bool_or(st.quantity > 0) as available,
      jsonb_agg(jsonb_build_object(
        'id', s.id, 'code', s.code, 'title', s.title, 'options', s.options, 'currency', pr.currency,
        'price', pr.amount, 'compare_at_price', pr.compare_at_amount,
        'available', st.quantity > 0, 'available_quantity', st.quantity,
        'backorder', st.quantity > 0 and st.there = 0, 'expected_at', ${jsonTime(sql`st.expected_at`)}
      ) order by s.position, s.id) as list
    from skus s
    join prices pr on pr.sku_id = s.id and pr.currency = m.currency
    cross join lateral (
      select a.quantity, a.there, a.expected_at from sku_availability a where a.sku_id = s.id
    ) st
    where s.product_id = p.id and s.status = 'active'
  ) skus`;

function productsWhere(context: PriceContext, filters: Sql, tail: Sql): Sql<ProductRow> {
  return sql<ProductRow>`
    select p.id, p.handle, p.title, p.description, p.status, p.options, p.images, p.metadata,
      ${categoriesOfProduct} as categories, skus.list as skus, skus.price_from
    from products p
    join markets m on m.id = ${chosenMarketId(context)}
    cross join ${skusOfProduct}
    where p.status = 'active' and skus.list is not null ${filters}
    ${tail}`;
}

export function productByIdOrHandle(value: string, context: PriceContext): Sql<ProductRow> {
  return productsWhere(context, sql`and ${idOrHandle(sql`p`, value)}`, nothing);
}

/** Products of a category are those of everything below it, too. */
function inCategory(value: string): Sql {
  return sql`
    and p.id in (
      with recursive below as (
        select c.id from categories c where ${idOrHandle(sql`c`, value)}
        union all
        select c.id from categories c join below b on c.parent_id = b.id
      )
      select pc.product_id from product_categories pc join below b on b.id = pc.category_id)`;
}

/** One SKU that can be bought here has all the options at once, and with `in_stock=true` has stock itself. */
function optionFilters(query: ProductQuery): Sql {
  const options = Object.entries(query).filter(([name]) => name.startsWith(OPTION_PREFIX));
  if (options.length === 0) return nothing;
  const wanted = {
    options: Object.fromEntries(options.map(([name, value]) => [name.slice(OPTION_PREFIX.length), value])),
    ...(query.in_stock === 'true' && { available: true }),
  };
  return sql`and skus.list @> ${json([wanted])}::jsonb`;
}

const COLUMNS = {
  created_at: { by: sql`p.id`, cast: sql`uuid` },
  title: { by: sql`p.title`, cast: sql`text` },
  price: { by: sql`skus.price_from`, cast: sql`bigint` },
} as const;

export type ProductCursor = readonly [string | number, string];

/** limit + 1 rows, so that the caller sees whether there are more. */
export function productPage(query: ProductQuery, after: ProductCursor | null): Sql<ProductRow> {
  const sort = SORTS[query.sort];
  const { by, cast } = COLUMNS[sort.by];
  const direction = sort.descending ? sql`desc` : sql`asc`;
  const beyond = sort.descending ? sql`<` : sql`>`;
  const keyset = after ? sql`and (${by}, p.id) ${beyond} (${after[0]}::${cast}, ${after[1]}::uuid)` : nothing;
  const filters = sql`
    ${query.category === undefined ? nothing : inCategory(query.category)}
    ${query.price_min === undefined ? nothing : sql`and skus.price_from >= ${query.price_min}::bigint`}
    ${query.price_max === undefined ? nothing : sql`and skus.price_from <= ${query.price_max}::bigint`}
    ${query.in_stock === undefined ? nothing : sql`and skus.available = ${query.in_stock === 'true'}::boolean`}
    ${optionFilters(query)}
    ${keyset}`;
  return productsWhere(
    query,
    filters,
    sql`order by ${by} ${direction}, p.id ${direction} limit ${query.limit + 1}::int`,
  );
}

export interface CategoryRow {
  id: string;
  handle: string;
  name: string;
  parent_id: string | null;
}

export const allCategories: Sql<CategoryRow> = sql<CategoryRow>`
  select id, handle, name, parent_id from categories order by position, handle`;

export function categoryExists(value: string): Sql<{ id: string }> {
  return sql<{ id: string }>`select c.id from categories c where ${idOrHandle(sql`c`, value)}`;
}
