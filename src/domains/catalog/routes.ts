import { Hono } from 'hono';
import * as z from 'zod';
import { operation } from '../../platform/http/operation.ts';
import { params, query } from '../../platform/http/validate.ts';
import { reply } from '../../platform/http/reply.ts';
import type { AppEnv } from '../../platform/http/context.ts';
import { CATALOG_CACHE } from '../markets/index.ts';
import { getCategory, getProduct, listCategories, listCategoryProducts, listProducts } from './service.ts';
import { Category, CategoryTree, IdOrHandle, PriceContext, Product, ProductList, ProductQuery } from './schema.ts';

const tag = 'Catalog';
const cache = CATALOG_CACHE;
const idOrHandle = params(z.object({ id_or_handle: IdOrHandle }));

export const catalogRoutes = new Hono<AppEnv>()
  .get(
    '/products',
    operation({ summary: 'Browse active products', tag, auth: 'none', cache, replies: { 200: ProductList } }),
    query(ProductQuery),
    async (c) => reply(c, ProductList, await listProducts(c.get('deps'), c.req.valid('query'))),
  )
  .get(
    '/products/:id_or_handle',
    operation({ summary: 'One product', tag, auth: 'none', cache, replies: { 200: Product }, errors: ['not_found'] }),
    idOrHandle,
    query(PriceContext),
    async (c) =>
      reply(c, Product, await getProduct(c.get('deps'), c.req.valid('param').id_or_handle, c.req.valid('query'))),
  )
  .get(
    '/categories',
    operation({ summary: 'The category tree', tag, auth: 'none', cache, replies: { 200: CategoryTree } }),
    async (c) =>
      reply(c, CategoryTree, { data: await listCategories(c.get('deps')), has_more: false, next_cursor: null }),
  )
  .get(
    '/categories/:id_or_handle',
    operation({
      summary: 'One category with what is below it',
      tag,
      auth: 'none',
      cache,
      replies: { 200: Category },
      errors: ['not_found'],
    }),
    idOrHandle,
    async (c) => reply(c, Category, await getCategory(c.get('deps'), c.req.valid('param').id_or_handle)),
  )
  .get(
    '/categories/:id_or_handle/products',
    operation({
      summary: 'Products of a category and of everything below it',
      tag,
      auth: 'none',
      cache,
      replies: { 200: ProductList },
      errors: ['not_found'],
    }),
    idOrHandle,
    query(ProductQuery),
    async (c) => {
      const { id_or_handle } = c.req.valid('param');
      return reply(c, ProductList, await listCategoryProducts(c.get('deps'), id_or_handle, c.req.valid('query')));
    },
  );
