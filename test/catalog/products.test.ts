import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, createSku, MANUAL, placeOrder, readyCart, type Json } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { createCategory, createProduct, idsOf, type ProductSpec, walk } from './fixture.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

const get = (path: string, headers: Record<string, string> = {}) => call(stack, 'GET', path, undefined, { headers });

describe('what is not for sale is not shown', () => {
  const hidden: [name: string, spec: ProductSpec, query: string][] = [
    ['a draft', { status: 'draft' }, ''],
    ['an archived product', { status: 'archived' }, ''],
    ['a product without SKUs', { skus: [] }, ''],
    ['a product of which every SKU is archived', { skus: [{ status: 'archived' }, { status: 'archived' }] }, ''],
    ['a product without a price', { skus: [{ prices: {} }] }, ''],
    ['a product without a price in this market', { skus: [{ prices: { USD: 100 } }] }, '?market=eu'],
  ];
  test.each(hidden)('%s is in no list and 404 by id and by handle', async (_name, spec, query) => {
    const category = await createCategory(stack, `hidden-${hidden.findIndex((row) => row[1] === spec)}`, null);
    const { id, handle } = await createProduct(stack, { ...spec, categories: [category] });
    expect(idsOf(await walk(stack, `/products${query || '?limit=100'}`))).not.toContain(id);
    const inCategory = await get(`/categories/${category}/products${query}`);
    expect(inCategory.body).toEqual({ data: [], has_more: false, next_cursor: null });
    for (const one of [id, handle]) {
      const absent = await get(`/products/${one}${query}`);
      expect(absent.status).toBe(404);
      expect(absent.body).toMatchObject({ code: 'not_found', param: 'id_or_handle' });
    }
  });

  test('of a product that is, only the SKUs that can be bought here', async () => {
    const { id, skuIds } = await createProduct(stack, {
      skus: [{}, { status: 'archived' }, { prices: { USD: 1 } }, { prices: { EUR: 1 } }],
    });
    const skusIn = async (market: string) => idsOf((await get(`/products/${id}?market=${market}`)).body.skus);
    expect(await skusIn('us')).toEqual([skuIds[0], skuIds[2]]);
    expect(await skusIn('eu')).toEqual([skuIds[0], skuIds[3]]);
  });
});

describe('one product', () => {
  test('is the same by id, by handle and in the list', async () => {
    const [listed] = (await get('/products?limit=1&category=clothing')).body.data;
    expect((await get(`/products/${listed.id}`)).body).toEqual(listed);
    expect((await get(`/products/${listed.handle}`)).body).toEqual(listed);
    expect(listed.skus.length).toBeGreaterThanOrEqual(2);
    expect(listed.categories.length).toBeGreaterThan(0);
    const names = listed.options.map((option: Json) => option.name);
    expect(names.toSorted()).toEqual(Object.keys(listed.skus[0].options).toSorted());
  });

  test.each(['no-such-product', '0199a1b2-0000-7000-8000-000000000001', 'UPPER', '%F0%9F%9B%92', 'a--b'])(
    '%s is 404 and says so',
    async (value) => {
      const absent = await get(`/products/${value}`);
      expect(absent.status).toBe(404);
      expect(absent.headers.get('content-type')).toBe('application/problem+json');
      expect(absent.body).toMatchObject({ code: 'not_found', param: 'id_or_handle', status: 404 });
    },
  );

  test('shows a struck-out price only where there is one', async () => {
    const { id, skuIds } = await createProduct(stack, { skus: [{}, {}] });
    await stack.owner.query('update prices set compare_at_amount = 1500 where sku_id = $1', [skuIds[1]]);
    const { skus } = (await get(`/products/${id}`)).body;
    expect(skus.map((sku: Json) => sku.compare_at_price)).toEqual([null, 1500]);
  });
});

describe('available_quantity', () => {
  const stockOfSku = async (id: string) => {
    const [sku] = (await get(`/products/${id}`)).body.skus;
    return [sku.available, sku.available_quantity];
  };

  test('adds up all locations and leaves out what is reserved', async () => {
    const { id, skuIds } = await createProduct(stack, { skus: [{ stock: 4 }] });
    await stack.owner.query(
      `insert into stock_levels (sku_id, location_id, on_hand, reserved)
       select $1, id, 5, 2 from stock_locations order by priority desc limit 1`,
      skuIds,
    );
    expect(await stockOfSku(id)).toEqual([true, 7]);
    await stack.owner.query('update stock_levels set reserved = on_hand where sku_id = $1', skuIds);
    expect(await stockOfSku(id)).toEqual([false, 0]);
    await stack.owner.query('delete from stock_levels where sku_id = $1', skuIds);
    expect(await stockOfSku(id)).toEqual([false, 0]);
  });

  test('falls with an order, and is there on the very next read', async () => {
    const sku = await createSku(stack, { stock: 3 });
    expect(await stockOfSku(sku.productId)).toEqual([true, 3]);
    const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 2 }]);
    expect((await placeOrder(stack, cart.id, MANUAL)).status).toBe(201);
    expect(await stockOfSku(sku.productId)).toEqual([true, 1]);
  });
});

describe('the category tree', () => {
  test('has three levels, each category once and below its parent', async () => {
    const { rows } = await stack.owner.query('select id, parent_id, handle, name from categories');
    const flat = (nodes: Json[], parent: string | null, depth: number): Json[] =>
      nodes.flatMap(({ children, ...node }) => {
        expect(node.parent_id).toBe(parent);
        return [{ ...node, depth }, ...flat(children, node.id, depth + 1)];
      });
    const { body } = await get('/categories');
    expect(body).toMatchObject({ has_more: false, next_cursor: null });
    const shown = flat(body.data, null, 1);
    expect(new Set(shown.map(({ id }) => id)).size).toBe(rows.length);
    expect(shown).toHaveLength(rows.length);
    expect(Math.max(...shown.map(({ depth }) => depth))).toBe(3);
  });

  test('every category is found by id and by handle, with what is below it', async () => {
    const [root] = (await get('/categories')).body.data;
    const leaf = root.children[0].children[0];
    for (const category of [root, root.children[0], leaf]) {
      expect((await get(`/categories/${category.id}`)).body).toEqual(category);
      expect((await get(`/categories/${category.handle}`)).body).toEqual(category);
    }
    expect(leaf.children).toEqual([]);
  });

  test('one that does not exist is 404', async () => {
    const absent = await get('/categories/no-such-category');
    expect(absent.status).toBe(404);
    expect(absent.body).toMatchObject({ code: 'not_found', param: 'id_or_handle' });
  });
});

describe('ETag', () => {
  test.each(['/products?limit=3', '/categories', '/markets'])(
    '%s is not sent again while it is the same',
    async (path) => {
      const first = await get(path);
      const etag = first.headers.get('etag') ?? '';
      expect(etag).toMatch(/^"[^"]+"$/);
      for (const header of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const again = await get(path, { 'if-none-match': header });
        expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', etag]);
        expect(again.headers.get('x-request-id')).toBeTruthy();
      }
      const other = await get(path, { 'if-none-match': '"other"' });
      expect([other.status, other.text]).toEqual([200, first.text]);
    },
  );

  test('of a product changes with its stock and its price', async () => {
    const { id, skuIds } = await createProduct(stack);
    const readUnless = async (etag: string) => {
      const reply = await get(`/products/${id}`, { 'if-none-match': etag });
      return [reply.status, reply.headers.get('etag') ?? ''] as const;
    };
    const [, first] = await readUnless('"none"');
    expect(await readUnless(first)).toEqual([304, first]);
    await stack.owner.query('update stock_levels set on_hand = on_hand - 1 where sku_id = $1', skuIds);
    const [status, second] = await readUnless(first);
    expect([status, second === first]).toEqual([200, false]);
    await stack.owner.query('update prices set amount = amount + 1 where sku_id = $1', skuIds);
    expect((await readUnless(second))[0]).toBe(200);
  });

  test('a refusal is never 304', async () => {
    const refused = await get('/products/no-such-product', { 'if-none-match': '*' });
    expect(refused.status).toBe(404);
  });
});
