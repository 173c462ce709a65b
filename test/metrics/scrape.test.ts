import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, createSku, MANUAL, pay, placeOrder, readyCart } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

const TOKEN = 'metrics-token-of-this-file';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { METRICS_TOKEN: TOKEN, METRICS_FLUSH_SECONDS: '1' } });
  stack.provider.setWebhookMode('hold');
});
afterAll(() => stack.close());

const scrape = (headers: Record<string, string> = {}) =>
  stack.fetch('/metrics', { headers: { authorization: `Bearer ${TOKEN}`, ...headers } });

async function value(series: string): Promise<number | null> {
  const text = await (await scrape()).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length + 1));
}

/** Counts arrive within a flush interval of one second. */
async function becomes(series: string, expected: number): Promise<void> {
  for (let tries = 0; tries < 50 && (await value(series)) !== expected; tries += 1) await sleep(200);
  expect({ series, value: await value(series) }).toEqual({ series, value: expected });
}

test('only the bearer of METRICS_TOKEN reads the counts', async () => {
  for (const authorization of ['', 'Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN}x`]) {
    const refused = await stack.fetch('/metrics', { headers: { authorization } });
    expect(refused.status).toBe(401);
  }
});

test('text 0.0.4 by default, OpenMetrics by Accept, gzip when it is taken', async () => {
  const text = await scrape();
  expect(text.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await text.text()).toContain(
    '# TYPE ecommerce_orders_created_total counter\necommerce_orders_created_total 0\n',
  );
  const open = await scrape({ accept: 'application/openmetrics-text; version=1.0.0' });
  expect(open.headers.get('content-type')).toContain('application/openmetrics-text; version=1.0.0');
  const body = await open.text();
  expect(body).toContain('# TYPE ecommerce_orders_created counter\n');
  expect(body.endsWith('# EOF\n')).toBe(true);
  const zipped = await scrape({ 'accept-encoding': 'gzip' });
  expect(zipped.headers.get('content-encoding')).toBe('gzip');
  expect(await zipped.text()).toContain('ecommerce_orders_created_total 0');
});

test('a shop whose clockwork never ran says which build it is, and nothing of the clockwork', async () => {
  expect(await value('ecommerce_build_info{version="0.0.0",environment="test"}')).toBe(1);
  expect(await value('ecommerce_tick_last_success_timestamp_seconds')).toBeNull();
});

test('orders, their value, payments, refusals and the funnel are counted, each once', async () => {
  const sku = await createSku(stack, { stock: 10, price: 1234 });
  const cart = () => readyCart(stack, [{ sku_id: sku.id, quantity: 1 }]);
  const [paid, byHand, declined] = [await cart(), await cart(), await cart()];
  expect((await placeOrder(stack, paid.id, pay('tok_ok'), { key: 'm1' })).status).toBe(201);
  expect((await placeOrder(stack, paid.id, pay('tok_ok'), { key: 'm1' })).status).toBe(201);
  expect((await placeOrder(stack, byHand.id, MANUAL)).status).toBe(201);
  expect((await placeOrder(stack, declined.id, pay('tok_declined'))).status).toBe(402);

  await becomes('ecommerce_orders_created_total', 2);
  const dollars = (paid.total + byHand.total) / 100;
  await becomes('ecommerce_order_value_dollars_sum{currency="USD"}', dollars);
  await becomes('ecommerce_payments_processed_total{provider="test"}', 1);
  await becomes('ecommerce_payments_failed_total{provider="test"}', 1);
  await becomes('ecommerce_payment_failure_reasons_total{provider="test",reason="generic_decline"}', 1);
  await becomes('ecommerce_checkout_step_total{step="order_placed"}', 2);
  // Items and addresses came with the cart, the shipping option after it: a step is a step either way.
  for (const step of ['cart_created', 'item_added', 'address_set', 'shipping_chosen']) {
    await becomes(`ecommerce_checkout_step_total{step="${step}"}`, 3);
  }
  await becomes('ecommerce_http_requests_total{method="POST",route="/api/v1/orders",status="201"}', 3);
  await becomes('ecommerce_http_requests_total{method="POST",route="/api/v1/orders",status="402"}', 1);
});

test('a 5xx is an error, an unknown path is one series', async () => {
  stack.neon.inject(() => true, 'drop_request', 2);
  expect((await call(stack, 'GET', '/products')).status).toBe(503);
  await becomes('ecommerce_http_errors_total{method="GET",route="/api/v1/products",status="503"}', 1);
  await becomes('ecommerce_database_errors_total{reason="unreachable"}', 2);
  for (const path of ['/a', '/b', '/c']) await stack.fetch(path);
  await becomes('ecommerce_http_requests_total{method="GET",route="unmatched",status="404"}', 3);
});

test('the tick samples what only the database knows', async () => {
  await stack.worker.scheduled({ cron: '* * * * *' });
  const { rows } = await stack.owner.query(`select current_setting('max_connections')::int as max`);
  expect(await value('ecommerce_database_connections_max')).toBe(rows[0].max);
  expect(await value('ecommerce_database_connections_open')).toBeGreaterThan(0);
  expect(await value('ecommerce_outbox_dead')).toBe(0);
  expect(await value('ecommerce_orders_pending')).toBe(0);
  expect(await value('ecommerce_build_info{version="0.0.0",environment="test"}')).toBe(1);
});

test('counts outlive the object', async () => {
  const before = await value('ecommerce_orders_created_total');
  await stack.worker.evictDurableObject('MetricsAggregator', 'metrics');
  expect(await value('ecommerce_orders_created_total')).toBe(before);
});
