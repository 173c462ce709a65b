import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Exchange } from '../support/fault-proxy.ts';
import { gate } from '../support/order-path.ts';
import { call, createSku, type Json, MANUAL, pay, placeOrder, readyCart, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { createProduct, type TestProduct } from './fixture.ts';

const TOKEN = 'metrics-token-of-this-test';

let stack: Stack;
let product: TestProduct;
beforeAll(async () => {
  stack = await startStack({ env: { CACHE_TTL: '300', METRICS_TOKEN: TOKEN, METRICS_FLUSH_SECONDS: '1' } });
});
beforeEach(async () => {
  product = await createProduct(stack, { title: 'As it was' });
  stack.neon.clear();
  stack.redis.clear();
});
afterAll(() => stack.close());

const read = (path: string) => call(stack, 'GET', path);
const isFill = ({ requestBody }: Exchange) => requestBody.toLowerCase().includes('"set"');
const isChange = ({ requestBody }: Exchange) => requestBody.toLowerCase().includes('"incr"');

/** What is stored after the reply has arrived. */
async function filled(fills: number): Promise<void> {
  await vi.waitFor(
    () => expect(stack.redis.exchanges.filter((e) => isFill(e) && e.status === 200)).toHaveLength(fills),
    { timeout: 30_000 },
  );
}

async function lineOf(reply: Reply): Promise<Json> {
  const id = reply.headers.get('x-request-id');
  return await vi.waitFor(
    () => {
      const line = stack.logs().find(({ request_id, route }) => request_id === id && route !== undefined);
      expect(line).toBeDefined();
      return line;
    },
    { timeout: 30_000 },
  );
}

const routes: [name: string, path: () => string][] = [
  ['a product', () => `/products/${product.handle}`],
  ['a list of products', () => `/products?limit=3&sort=-created_at&option.made=${product.id}`],
  ['the category tree', () => `/categories?`],
  ['the markets', () => '/markets'],
];

describe.each(routes)('%s', (_name, pathOf) => {
  test('is read once from the database and then from Redis, in one round trip either way', async () => {
    const path = pathOf();
    const first = await read(path);
    expect(first.status).toBe(200);
    if ((await lineOf(first)).cache === 'miss') await filled(1);
    stack.neon.clear();
    stack.redis.clear();
    const second = await read(path);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('etag')).toBe(first.headers.get('etag'));
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect([stack.neon.exchanges.length, stack.redis.exchanges.length]).toEqual([0, 1]);
    expect(await lineOf(second)).toMatchObject({ cache: 'hit', db_round_trips: 0, redis_round_trips: 1 });
  });
});

async function cached(path: string): Promise<Reply> {
  const reply = await read(path);
  await filled(1);
  stack.neon.clear();
  stack.redis.clear();
  return reply;
}

test('If-None-Match is answered from the cache, too', async () => {
  const path = `/products/${product.handle}`;
  const first = await cached(path);
  const again = await call(stack, 'GET', path, undefined, {
    headers: { 'if-none-match': first.headers.get('etag') ?? '' },
  });
  expect([again.status, stack.neon.exchanges.length]).toEqual([304, 0]);
});

test('another query is another reply, and what is refused or absent is not kept', async () => {
  const path = `/products/${product.handle}`;
  await cached(path);
  expect((await read(`${path}?market=eu`)).body.skus[0].currency).toBe('EUR');
  await filled(1);
  stack.redis.clear();
  expect((await read(`${path}?market=nowhere`)).status).toBe(422);
  expect((await read('/products/nothing-here')).status).toBe(404);
  expect((await read('/products?colour=red')).status).toBe(422);
  expect(stack.redis.exchanges.filter(isFill)).toHaveLength(0);
});

describe('a sale', () => {
  const quantityOf = async (path: string): Promise<number> => (await read(path)).body.skus[0].available_quantity;

  test.each([
    ['by hand', MANUAL, 201, 8],
    ['by card', pay('tok_ok'), 201, 8],
    ['that is declined', pay('tok_declined'), 402, 10],
  ])('%s shows at once', async (_how, payment, status, left) => {
    const path = `/products/${product.handle}`;
    await cached(path);
    const cart = await readyCart(stack, [{ sku_id: product.skuIds[0] ?? '', quantity: 2 }]);
    expect((await placeOrder(stack, cart.id, payment)).status).toBe(status);
    expect(await quantityOf(path)).toBe(left);
  });

  test('shows in this isolate even while Redis has not heard of it', async () => {
    const path = `/products/${product.handle}`;
    await cached(path);
    const cart = await readyCart(stack, [{ sku_id: product.skuIds[0] ?? '', quantity: 2 }]);
    const { opened, open } = gate();
    const announced = stack.redis.inject(isChange, { hold_request: opened });
    await placeOrder(stack, cart.id, MANUAL);
    await announced.fired;
    expect(await quantityOf(path)).toBe(8);
    open();
  });

  test('that commits while a reply is made leaves that reply unused', async () => {
    const path = `/products/${product.handle}`;
    const cart = await readyCart(stack, [{ sku_id: product.skuIds[0] ?? '', quantity: 2 }]);
    const { opened, open } = gate();
    // The read sees the stock before the sale and is held there; the sale goes by; the old reply is stored after it.
    const held = stack.neon.inject(({ requestBody }) => requestBody.includes(product.handle), { hold_reply: opened });
    const stale = read(path);
    await held.fired;
    stack.redis.clear();
    await placeOrder(stack, cart.id, MANUAL);
    await vi.waitFor(() => expect(stack.redis.exchanges.some((e) => isChange(e) && e.status === 200)).toBe(true), {
      timeout: 30_000,
    });
    open();
    expect((await stale).body.skus[0].available_quantity).toBe(10);
    await filled(1);
    expect(await quantityOf(path)).toBe(8);
  });
});

test('units that the tick lets go show at once, and a tick that lets none go tells nobody', async () => {
  const path = `/products/${product.handle}`;
  const quantity = async () => (await read(path)).body.skus[0].available_quantity;
  const tick = () => stack.worker.scheduled({ cron: '* * * * *' });
  await stack.owner.query(
    `with held as (
       update stock_levels set reserved = reserved + 4 where sku_id = $1 returning sku_id, location_id
     )
     insert into reservations (sku_id, location_id, quantity, expires_at)
     select sku_id, location_id, 4, now() - interval '1 minute' from held`,
    [product.skuIds[0]],
  );
  expect(await quantity()).toBe(6);
  await filled(1);
  await tick();
  expect(await quantity()).toBe(10);
  await filled(2);
  stack.redis.clear();
  await tick();
  expect(stack.redis.exchanges.filter(isChange)).toEqual([]);
});

test('without Redis the catalog is read from the database', async () => {
  const path = `/products/${product.handle}`;
  await cached(path);
  stack.redis.inject(() => true, 'drop_request');
  const reply = await read(path);
  expect([reply.status, stack.neon.exchanges.length]).toEqual([200, 1]);
  expect(await lineOf(reply)).toMatchObject({ cache: null, limiter: 'unreachable' });
});

test('hits and misses are counted', async () => {
  const counter = async (name: string) => {
    const text = await (await stack.fetch('/metrics', { headers: { authorization: `Bearer ${TOKEN}` } })).text();
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
  };
  const before = [await counter('ecommerce_cache_hits_total'), await counter('ecommerce_cache_misses_total')];
  const path = `/products/${product.handle}`;
  await cached(path);
  await read(path);
  await vi.waitFor(
    async () => {
      await read('/customers/me');
      const hits = (await counter('ecommerce_cache_hits_total')) - (before[0] ?? 0);
      expect(hits).toBeGreaterThanOrEqual(1);
      expect((await counter('ecommerce_cache_misses_total')) - (before[1] ?? 0)).toBeGreaterThanOrEqual(1);
    },
    { timeout: 20_000, interval: 500 },
  );
});

test('a sold SKU is announced to Redis once per batch that moved stock', async () => {
  const sku = await createSku(stack, { stock: 5 });
  const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
  stack.redis.clear();
  await placeOrder(stack, cart.id, MANUAL);
  await vi.waitFor(() => expect(stack.redis.exchanges.filter(isChange)).toHaveLength(1), { timeout: 30_000 });
});
