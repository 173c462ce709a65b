import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { checkLive } from '../../dev/dashboards/live.ts';
import { plotPanels } from '../../dev/dashboards/panels.ts';
import { query } from '../../dev/dashboards/prometheus-client.ts';
import { installed, run, startPrometheus, until, type Program } from '../observability/programs.ts';
import { isCharge } from '../support/order-path.ts';
import { call, createSku, MANUAL, pay, placeOrder, readyCart } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

const TOKEN = 'metrics-token-of-this-file';
const WINDOWS = { rateInterval: '10s', range: '1m' };
const LOAD_MS = 20_000;

describe.skipIf(!installed('prometheus', 'promtool'))('the real Prometheus scrapes the Worker', () => {
  let stack: Stack;
  let prometheus: Program;
  let ordersPlaced = 0;
  let startedAtS = 0;

  beforeAll(async () => {
    const env = { METRICS_TOKEN: TOKEN, METRICS_FLUSH_SECONDS: '1', PAYMENT_TIMEOUT_MS: '1000', CACHE_TTL: '60' };
    stack = await startStack({ env });
    prometheus = await startPrometheus({ shop: new URL(stack.url).host, token: TOKEN, everyS: 1 });
    await load();
  });
  afterAll(async () => {
    await prometheus?.stop();
    await stack?.close();
  });

  /** A shop's day in twenty seconds: browsing, orders of both markets, declines, doubts, faults, the clockwork. */
  async function load(): Promise<void> {
    const sku = await createSku(stack, { stock: 100_000, price: 4_900 });
    startedAtS = Date.now() / 1000;
    const endsAt = Date.now() + LOAD_MS;
    for (let round = 0; Date.now() < endsAt; round += 1) {
      const market = round % 3 === 0 ? 'eu' : 'us';
      const cart = await readyCart(stack, [{ sku_id: sku.id, quantity: 1 + (round % 4) }], { market });
      if (round % 7 === 3) stack.payments.inject(isCharge, 'drop_request');
      const payment =
        round % 5 === 4 ? pay('tok_declined') : round % 4 === 0 && market === 'us' ? MANUAL : pay('tok_ok');
      const placed = await placeOrder(stack, cart.id, payment);
      if (placed.status === 201) ordersPlaced += 1;
      await Promise.all([
        call(stack, 'GET', '/products?limit=5'),
        call(stack, 'GET', '/categories'),
        call(stack, 'GET', '/carts/AAAAAAAAAAAAAAAAAAAAAA'),
      ]);
      // The sale dropped what was cached: from here on it comes from the cache again.
      for (let more = 0; more < 3; more += 1) {
        for (const path of ['/products?limit=5', '/categories']) await call(stack, 'GET', path);
      }
      if (round % 10 === 9) {
        stack.neon.inject(({ requestBody }) => requestBody.includes('from markets order by'), 'drop_request', 2);
        await call(stack, 'GET', '/markets');
      }
      if (round % 8 === 1) await stack.worker.scheduled({ cron: '* * * * *' });
    }
    stack.payments.clear();
    await stack.worker.scheduled({ cron: '* * * * *' });
  }

  const scalar = async (expr: string): Promise<number> => {
    const [line] = await query(prometheus.url, expr);
    return line?.points.at(-1)?.[1] ?? Number.NaN;
  };

  test('it and the database agree on the orders', async () => {
    // A webhook may still confirm an order, and the last counts have to be scraped.
    await vi.waitFor(
      async () => {
        const { rows } = await stack.owner.query(
          `select count(*)::int as orders, count(distinct currency)::int as currencies from orders where status = 'confirmed'`,
        );
        expect(rows[0].orders).toBeGreaterThanOrEqual(ordersPlaced);
        expect(await scalar('ecommerce_orders_created_total')).toBe(rows[0].orders);
        expect(await scalar('sum(ecommerce_order_value_dollars_count)')).toBe(rows[0].orders);
        expect(await scalar('count(ecommerce_order_value_dollars_count)')).toBe(rows[0].currencies);
      },
      { timeout: 30_000, interval: 250 },
    );
  });

  test('every panel and the left side of every alert has data', async () => {
    const bad = async () => (await checkLive(prometheus.url, WINDOWS)).filter(({ verdict }) => verdict === 'empty');
    await until('data for all', 30_000, async () => ((await bad()).length === 0 ? true : undefined)).catch(
      () => undefined,
    );
    expect((await bad()).map(({ what }) => what)).toEqual([]);
  });

  test('promtool finds nothing wrong with what is exposed', async () => {
    const text = await (await stack.fetch('/metrics', { headers: { authorization: `Bearer ${TOKEN}` } })).text();
    expect(run('promtool', ['check', 'metrics'], text)).toBe('');
  });

  test('the main panels can be drawn from it', async () => {
    const endS = Date.now() / 1000;
    const svg = await plotPanels(prometheus.url, { startS: startedAtS, endS, rateInterval: '10s' });
    expect(svg).not.toMatch(/NaN|undefined|no data/);
    const out = process.env['PANELS_SVG'];
    if (out !== undefined) await writeFile(out, svg);
  });
});
