import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { createCategory, createProduct, idsOf, type TestProduct, walk } from './fixture.ts';

let stack: Stack;
/** Three levels, one product filed at each level and nowhere else. */
const level: Record<'root' | 'mid' | 'leaf', { categoryId: string; product: TestProduct }> = {} as never;

beforeAll(async () => {
  stack = await startStack();
  let parent: string | null = null;
  for (const name of ['root', 'mid', 'leaf'] as const) {
    const categoryId = await createCategory(stack, `filters-${name}`, parent);
    level[name] = { categoryId, product: await createProduct(stack, { categories: [categoryId] }) };
    parent = categoryId;
  }
});
afterAll(() => stack.close());

const found = async (query: string): Promise<string[]> =>
  idsOf(await walk(stack, `/products?sort=created_at&limit=100&${query}`));

async function idsBySql(text: string, values: unknown[] = []): Promise<string[]> {
  const { rows } = await stack.owner.query<{ id: string }>(text, values);
  return rows.map(({ id }) => id);
}

describe('category', () => {
  const ids = (...names: ('root' | 'mid' | 'leaf')[]) => names.map((name) => level[name].product.id).toSorted();

  test('finds what is filed in it and in everything below it, by handle and by id', async () => {
    for (const [name, expected] of [
      ['root', ids('root', 'mid', 'leaf')],
      ['mid', ids('mid', 'leaf')],
      ['leaf', ids('leaf')],
    ] as const) {
      expect(await found(`category=filters-${name}`)).toEqual(expected);
      expect(await found(`category=${level[name].categoryId}`)).toEqual(expected);
      const nested = await walk(stack, `/categories/filters-${name}/products?sort=created_at`);
      expect(idsOf(nested)).toEqual(expected);
    }
  });

  test('a product filed at several levels comes once', async () => {
    const categories = [level.root.categoryId, level.mid.categoryId, level.leaf.categoryId];
    const { id } = await createProduct(stack, { categories });
    expect((await found('category=filters-root')).filter((one) => one === id)).toHaveLength(1);
    await stack.owner.query('delete from product_categories where product_id = $1', [id]);
  });

  test('one that does not exist finds nothing; as a place of its own it is 404', async () => {
    expect(await found('category=no-such-category')).toEqual([]);
    for (const absent of ['no-such-category', '0199a1b2-0000-7000-8000-000000000001', 'Not%20A%20Handle']) {
      const refused = await call(stack, 'GET', `/categories/${absent}/products`);
      expect(refused.status).toBe(404);
      expect(refused.body).toMatchObject({ code: 'not_found', param: 'id_or_handle' });
    }
  });
});

describe('price_min and price_max', () => {
  test('bound the lowest price that a buyer can have, both ends included', async () => {
    const cheapest = await createProduct(stack, { skus: [{ prices: { USD: 5003 } }, { prices: { USD: 5001 } }] });
    expect(await found('price_min=5001&price_max=5001')).toEqual([cheapest.id]);
    expect(await found('price_min=5002&price_max=5003')).not.toContain(cheapest.id);
    const expected = await idsBySql(`
      select p.id from products p join skus s on s.product_id = p.id join prices pr on pr.sku_id = s.id
      where pr.currency = 'USD' group by p.id having min(pr.amount) between 3000 and 9000 order by p.id`);
    expect(await found('price_min=3000&price_max=9000')).toEqual(expected);
  });

  test('are in the currency of the market', async () => {
    const product = await createProduct(stack, { skus: [{ prices: { USD: 6001, EUR: 7001 } }] });
    expect(await found('price_min=6001&price_max=6001')).toEqual([product.id]);
    expect(await found('price_min=6001&price_max=6001&market=eu')).toEqual([]);
    expect(await found('price_min=7001&price_max=7001&market=eu')).toEqual([product.id]);
  });
});

describe('in_stock', () => {
  test('is about units that nobody has reserved, of any SKU at any location', async () => {
    const soldOut = await createProduct(stack, { skus: [{ stock: 0 }, { stock: 0 }] });
    const half = await createProduct(stack, { skus: [{ stock: 0 }, { stock: 1 }] });
    const promised = await createProduct(stack, { skus: [{ stock: 2 }] });
    await stack.owner.query('update stock_levels set reserved = on_hand where sku_id = $1', promised.skuIds);
    const [yes, no] = await Promise.all([found('in_stock=true'), found('in_stock=false')]);
    expect(yes).toContain(half.id);
    expect(no).toEqual(expect.arrayContaining([soldOut.id, promised.id]));
    expect([...yes, ...no].toSorted()).toEqual(await found(''));
  });
});

test('no filter finds what is hidden, whose price, stock and options nobody should learn one by one', async () => {
  const categories = [await createCategory(stack, 'filters-secret', null)];
  const secret = { prices: { USD: 8642 }, stock: 7, options: { Secret: 'plan' } };
  for (const status of ['draft', 'archived'] as const) {
    await createProduct(stack, { status, title: 'Unannounced thing', categories, skus: [secret] });
  }
  const partly = await createProduct(stack, { skus: [{ stock: 0 }, { ...secret, status: 'archived' }] });
  for (const query of [
    'option.Secret=plan',
    'price_min=8642&price_max=8642',
    'category=filters-secret',
    `category=${categories[0]}&in_stock=true`,
    'option.Secret=plan&in_stock=true&price_min=1',
  ]) {
    expect([query, await found(query)]).toEqual([query, []]);
  }
  expect(await found('in_stock=true')).not.toContain(partly.id);
  for (const query of ['status=draft', 'title=Unannounced', 'id=1']) {
    expect([query, (await call(stack, 'GET', `/products?${query}`)).status]).toEqual([query, 422]);
  }
});

describe('option.<name>', () => {
  test('finds products by an option of the demo', async () => {
    const { rows } = await stack.owner.query(
      `select key, value, array_agg(distinct product_id order by product_id) as ids
       from skus, jsonb_each_text(options) group by key, value order by count(distinct product_id) desc limit 1`,
    );
    const { key, value, ids } = rows[0];
    expect(await found(`option.${encodeURIComponent(key)}=${encodeURIComponent(value)}`)).toEqual(ids);
    expect(await found(`option.${encodeURIComponent(key)}=nowhere`)).toEqual([]);
  });

  test('several are about one SKU: small in red is not small in blue and large in red', async () => {
    const apart = await createProduct(stack, {
      skus: [{ options: { Cut: 'small', Tint: 'blue' } }, { options: { Cut: 'large', Tint: 'red' } }],
    });
    const both = await createProduct(stack, { skus: [{ options: { Cut: 'small', Tint: 'red' } }] });
    expect(await found('option.Cut=small')).toEqual([apart.id, both.id].toSorted());
    expect(await found('option.Cut=small&option.Tint=red')).toEqual([both.id]);
  });

  test('is about SKUs that can be bought in the market', async () => {
    const product = await createProduct(stack, {
      skus: [
        { options: { Era: 'gone' }, status: 'archived' },
        { options: { Era: 'dollars' }, prices: { USD: 1000 } },
        { options: { Era: 'both' } },
      ],
    });
    expect(await found('option.Era=gone')).toEqual([]);
    expect(await found('option.Era=dollars')).toEqual([product.id]);
    expect(await found('option.Era=dollars&market=eu')).toEqual([]);
    expect(await found('option.Era=both&market=eu')).toEqual([product.id]);
  });

  test('with in_stock=true is about stock of that very option', async () => {
    const product = await createProduct(stack, {
      skus: [
        { options: { Grip: 'left' }, stock: 0 },
        { options: { Grip: 'right' }, stock: 3 },
      ],
    });
    expect(await found('option.Grip=left')).toEqual([product.id]);
    expect(await found('option.Grip=left&in_stock=true')).toEqual([]);
    expect(await found('option.Grip=right&in_stock=true')).toEqual([product.id]);
  });

  test('a name that no column can hold is refused, not an error of ours', async () => {
    for (const name of ['option.%00', 'option.', 'option.a.b', `option.${'x'.repeat(51)}`]) {
      const refused = await call(stack, 'GET', `/products?${name}=x`);
      expect(refused.status, name).toBe(422);
      expect(refused.body.code).toBe('validation_failed');
    }
  });
});

describe('market and currency', () => {
  test('choose whose prices are shown; the default market needs no naming', async () => {
    const { id } = await createProduct(stack, { skus: [{ prices: { USD: 1100, EUR: 1300 } }] });
    const priceIn = async (query: string) => {
      const { body } = await call(stack, 'GET', `/products/${id}?${query}`);
      return [body.skus[0].currency, body.skus[0].price];
    };
    for (const query of ['', 'market=us', 'currency=USD', 'market=us&currency=USD']) {
      expect(await priceIn(query)).toEqual(['USD', 1100]);
    }
    for (const query of ['market=eu', 'currency=EUR', 'market=eu&currency=EUR']) {
      expect(await priceIn(query)).toEqual(['EUR', 1300]);
    }
  });

  test.each([
    ['market=mars', 'market'],
    ['currency=GBP', 'currency'],
    ['market=us&currency=EUR', 'market'],
  ])('%s is refused, naming %s', async (query, param) => {
    for (const path of ['/products', `/products/${level.root.product.id}`, '/categories/filters-root/products']) {
      const refused = await call(stack, 'GET', `${path}?${query}`);
      expect(refused.status).toBe(422);
      expect(refused.body).toMatchObject({ code: 'validation_failed', param });
    }
  });

  test('GET /markets tells which there are, the default one first', async () => {
    const { body } = await call(stack, 'GET', '/markets');
    expect(body).toMatchObject({
      data: [
        { code: 'us', currency: 'USD', tax_inclusive: false, is_default: true, countries: ['US'] },
        { code: 'eu', currency: 'EUR', tax_inclusive: true, is_default: false },
      ],
      has_more: false,
      next_cursor: null,
    });
  });
});
