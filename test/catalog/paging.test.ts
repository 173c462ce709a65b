import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { createProduct, idsOf, walk } from './fixture.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
  // Ties of title and price: only the id tells them apart.
  for (let i = 0; i < 5; i += 1) await createProduct(stack, { title: 'Tie', skus: [{ prices: { USD: 4200 } }] });
});
afterAll(() => stack.close());

const SORTS = ['created_at', '-created_at', 'title', '-title', 'price', '-price'] as const;
const ORDER: Record<(typeof SORTS)[number], string> = {
  created_at: 'id',
  '-created_at': 'id desc',
  title: 'title, id',
  '-title': 'title desc, id desc',
  price: 'price_from, id',
  '-price': 'price_from desc, id desc',
};

/** What the shop sells in US dollars, straight from its tables. */
async function sold(order: string): Promise<string[]> {
  const { rows } = await stack.owner.query<{ id: string }>(`
    select id from (
      select p.id, p.title, min(pr.amount) as price_from
      from products p
      join skus s on s.product_id = p.id and s.status = 'active'
      join prices pr on pr.sku_id = s.id and pr.currency = 'USD'
      where p.status = 'active' group by p.id, p.title) sold
    order by ${order}`);
  return rows.map(({ id }) => id);
}

describe('paging through the products', () => {
  test.each(SORTS)('by %s: all pages together are all products once, in order', async (sort) => {
    const expected = await sold(ORDER[sort]);
    expect(expected.length).toBeGreaterThanOrEqual(29);
    for (const limit of [4, expected.length]) {
      expect(idsOf(await walk(stack, `/products?sort=${sort}&limit=${limit}`))).toEqual(expected);
    }
  });

  test.each(SORTS)('by %s: a product added between two pages neither hides nor repeats one', async (sort) => {
    const before = await sold(ORDER[sort]);
    const all = idsOf(
      await walk(stack, `/products?sort=${sort}&limit=5`, async () => {
        await createProduct(stack, { title: '0 comes first', skus: [{ prices: { USD: 1 } }] });
        await createProduct(stack, { title: 'zz comes last', skus: [{ prices: { USD: 999_999_999 } }] });
      }),
    );
    expect(new Set(all).size).toBe(all.length);
    expect(all.filter((id) => before.includes(id))).toEqual(before);
  });

  test('newest first, twenty a page, unless asked otherwise', async () => {
    const page = await call(stack, 'GET', '/products');
    expect(idsOf(page.body.data)).toEqual((await sold(ORDER['-created_at'])).slice(0, 20));
    expect(page.body).toMatchObject({ has_more: true, next_cursor: expect.any(String) });
  });

  test('the last page says that it is the last', async () => {
    const page = await call(stack, 'GET', '/products?limit=100');
    expect(page.body).toMatchObject({ has_more: false, next_cursor: null });
  });

  test('a category pages like the whole shop', async () => {
    const { rows } = await stack.owner.query(
      `select c.handle, array_agg(pc.product_id order by pc.product_id desc) as ids
       from categories c join product_categories pc on pc.category_id = c.id
       where c.parent_id is null group by c.handle order by count(*) desc limit 1`,
    );
    const { handle, ids } = rows[0];
    expect(ids.length).toBeGreaterThan(3);
    expect(idsOf(await walk(stack, `/categories/${handle}/products?limit=2`))).toEqual(ids);
  });
});

describe('a cursor that is not one of ours is refused, naming it', () => {
  const ID = '0199a1b2-0000-7000-8000-000000000001';
  const encoded = (key: unknown) => Buffer.from(JSON.stringify(key)).toString('base64url');
  const tampered: [name: string, sort: string, cursor: string][] = [
    ['no base64', '-created_at', '%%%'],
    ['no JSON', '-created_at', Buffer.from('{').toString('base64url')],
    ['no UTF-8', '-created_at', Buffer.from([0xff, 0xfe]).toString('base64url')],
    ['an object', '-created_at', encoded({ id: ID })],
    ['too short', '-created_at', encoded([ID])],
    ['too long', '-created_at', encoded([ID, ID, ID])],
    ['no id', '-created_at', encoded(["' or true --", ID])],
    ['a title for a price', 'price', encoded(['Tie', ID])],
    ['a fraction for a price', 'price', encoded([4200.5, ID])],
    ['a price for a title', 'title', encoded([4200, ID])],
    ['a NUL that no text column can hold', 'title', encoded(['Tie\0', ID])],
    ['a lone surrogate', 'title', encoded(['\ud800', ID])],
  ];
  test.each(tampered)('%s', async (_name, sort, cursor) => {
    const refused = await call(stack, 'GET', `/products?sort=${sort}&cursor=${encodeURIComponent(cursor)}`);
    expect(refused.status, refused.text).toBe(400);
    expect(refused.body).toMatchObject({ code: 'malformed_request', param: 'cursor' });
  });

  test('one that points between two products goes on from there', async () => {
    const [first] = await sold('id');
    const cursor = encoded([first?.replace(/.$/, '0'), '00000000-0000-0000-0000-000000000000']);
    const page = await call(stack, 'GET', `/products?sort=created_at&limit=1&cursor=${cursor}`);
    expect(page.status).toBe(200);
    expect(page.body.data).toHaveLength(1);
  });
});
