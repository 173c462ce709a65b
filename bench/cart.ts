// Reads a buyer waits for, under workerd on a real Postgres, limiter off: npm run bench:cart
// With REDIS_URL set Redis is a real one; otherwise it is the embedded stand-in, which is slower.
import * as z from 'zod';
import { type LoadOptions, load } from './load.ts';
import { startShop } from './shop.ts';
import { table } from './table.ts';

const PRODUCTS = 1000;
const LINES = 5;
const LOAD: LoadOptions = { connections: 32, warmUpMs: 2_000, durationMs: 8_000 };

const ProductPage = z.object({
  data: z.array(z.object({ handle: z.string(), skus: z.array(z.object({ id: z.string() })) })),
  next_cursor: z.string().nullable(),
});
const Cart = z.object({ id: z.string(), items: z.array(z.unknown()) });

// Every product comes from the database: bench:catalog has the cached ones.
const shop = await startShop(PRODUCTS, { env: { CACHE_TTL: '0' } });
try {
  const api = (path: string) => new URL(`/api/v1${path}`, shop.shop);
  const products = await allProducts(api);
  const [hot] = products;
  if (hot === undefined) throw new Error('the shop has no products');
  const cart = await fillCart(api, products);
  const productUrls = products.map(({ handle }) => api(`/products/${handle}`));

  const subjects: [name: string, urlOf: (n: number) => URL][] = [
    ['empty Worker', () => shop.empty],
    ['one product, always the same', () => api(`/products/${hot.handle}`)],
    [`one product of ${products.length}, in turn`, (n) => productUrls[n % productUrls.length] ?? shop.empty],
    [`a cart of ${LINES} lines`, () => api(`/carts/${cart}`)],
  ];
  const rows: string[][] = [];
  let emptyRate = Number.NaN;
  for (const [name, urlOf] of subjects) {
    const { requestsPerSecond, p50Ms, p99Ms } = await load(urlOf, LOAD);
    if (rows.length === 0) emptyRate = requestsPerSecond;
    rows.push([
      name,
      requestsPerSecond.toFixed(0),
      p50Ms.toFixed(1),
      p99Ms.toFixed(1),
      (requestsPerSecond / emptyRate).toFixed(3),
    ]);
  }
  console.log(table(['GET', 'requests/s', 'p50 ms', 'p99 ms', 'of empty'], rows));
  const redis = process.env.REDIS_URL === undefined ? 'the embedded stand-in' : 'a real server';
  console.log(`(${LOAD.connections} connections for ${LOAD.durationMs / 1000} s each; Redis is ${redis})`);
} finally {
  await shop.close();
}

async function allProducts(api: (path: string) => URL): Promise<z.infer<typeof ProductPage>['data']> {
  const products: z.infer<typeof ProductPage>['data'] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const next = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = ProductPage.parse(await ok(await fetch(api(`/products?limit=100${next}`))));
    products.push(...page.data);
    cursor = page.next_cursor;
  }
  return products;
}

async function fillCart(api: (path: string) => URL, products: z.infer<typeof ProductPage>['data']): Promise<string> {
  const skus = products.flatMap((product) => product.skus.slice(0, 1)).slice(0, LINES);
  const reply = await fetch(api('/carts'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ items: skus.map(({ id }) => ({ sku_id: id, quantity: 1 })) }),
  });
  const cart = Cart.parse(await ok(reply));
  if (cart.items.length !== LINES) throw new Error(`the cart has ${cart.items.length} lines`);
  return cart.id;
}

async function ok(reply: Response): Promise<unknown> {
  if (!reply.ok) throw new Error(`${reply.url} answered ${reply.status}: ${await reply.text()}`);
  return reply.json();
}
