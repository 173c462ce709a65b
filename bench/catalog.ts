// What the cache of catalog replies is worth: product reads with CACHE_TTL=60 against CACHE_TTL=0 in the same run, limiter on.
// npm run bench:catalog; with REDIS_URL set Redis is a real one, otherwise the embedded stand-in, which is slower.
import * as z from 'zod';
import { type LoadOptions, load, send } from './load.ts';
import { startShopParts } from './shop.ts';
import { median, table } from './table.ts';

const ROUNDS = 5;
const LOAD: LoadOptions = { connections: 32, warmUpMs: 300, durationMs: 3_000 };
const COUNTED = 1_000;
const PRODUCTS = 100;
const TOKEN = 'metrics-token-of-a-bench';
/** Longer than it takes to flush the counts. */
const SETTLE_MS = 2_500;
const BINDINGS = {
  RATE_LIMIT_ENABLED: 'true',
  RATE_LIMIT_PUBLIC: '1000000000',
  METRICS_TOKEN: TOKEN,
  METRICS_FLUSH_SECONDS: '1',
};
const COUNTERS = ['ecommerce_database_round_trips_total', 'ecommerce_redis_round_trips_total'] as const;

const ProductPage = z.object({ data: z.array(z.object({ handle: z.string() })) });

const parts = await startShopParts(PRODUCTS);
try {
  const cached = (await parts.start({ env: { ...BINDINGS, CACHE_TTL: '60' } })).shop;
  const uncached = (await parts.start({ env: { ...BINDINGS, CACHE_TTL: '0' } })).shop;
  const subjects = [
    { name: 'CACHE_TTL=0', shop: uncached, trips: await tripsOf(uncached), rates: new Array<number>() },
    { name: 'CACHE_TTL=60', shop: cached, trips: await tripsOf(cached), rates: new Array<number>() },
  ];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { shop, rates } of subjects) {
      const urls = await productUrls(shop);
      rates.push((await load((n) => urls[n % urls.length] ?? shop, LOAD)).requestsPerSecond);
    }
  }
  const [{ rates: base } = { rates: [] }] = subjects;
  const rows = subjects.map(({ name, trips, rates }) => {
    const ratio = median(rates.map((rate, round) => rate / (base[round] ?? Number.NaN)));
    return [name, ...trips, median(rates).toFixed(0), ratio.toFixed(2)];
  });
  console.log(table(['product read', 'Postgres trips', 'Redis trips', 'requests/s', 'ratio'], rows));
  const redis = process.env.REDIS_URL === undefined ? 'the embedded stand-in' : 'a real server';
  console.log(
    `(${PRODUCTS} products in turn, ${ROUNDS} rounds of ${LOAD.durationMs / 1000} s each in turn, ${LOAD.connections} ` +
      `connections; trips a request over ${COUNTED}, by the shop's own metrics; Redis is ${redis}; nothing is far away)`,
  );
} finally {
  await parts.close();
}

async function productUrls(shop: URL): Promise<URL[]> {
  const reply = await fetch(new URL(`/api/v1/products?limit=${PRODUCTS}`, shop));
  return ProductPage.parse(await reply.json()).data.map(({ handle }) => new URL(`/api/v1/products/${handle}`, shop));
}

/** Postgres's and Redis's round trips a request, once all products have been read. */
async function tripsOf(shop: URL): Promise<string[]> {
  const urls = await productUrls(shop);
  const urlOf = (n: number) => urls[n % urls.length] ?? shop;
  await send(urlOf, urls.length, LOAD.connections);
  const before = await counts(shop);
  await send(urlOf, COUNTED, LOAD.connections);
  const after = await counts(shop);
  return after.map((count, n) => ((count - (before[n] ?? Number.NaN)) / COUNTED).toFixed(2));
}

async function counts(shop: URL): Promise<number[]> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const reply = await fetch(new URL('/metrics', shop), { headers: { authorization: `Bearer ${TOKEN}` } });
  const text = await reply.text();
  return COUNTERS.map((name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]));
}
