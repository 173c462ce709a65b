import { setTimeout as sleep } from 'node:timers/promises';
import { uncompress } from 'snappyjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { query } from '../../dev/dashboards/prometheus-client.ts';
import { METRICS } from '../../src/platform/telemetry/names.ts';
import { installed, type Program, run, startPrometheus, until } from '../observability/programs.ts';
import { ADDRESS, call, createSku, MANUAL, pay, placeOrder } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type Relay, startRelay } from './relay.ts';
import { decodeWriteRequest } from './schema.ts';

const TOKEN = 'metrics-token-of-this-file';
const authorized = { authorization: `Bearer ${TOKEN}` };
const WRITTEN = { cluster: 'production', environment: 'prod' };
const CLIENTS = 4;
const ROUNDS = 12;
/** What the scrapes and writes themselves move on between the one reading and the other. */
const MOVES = /"route","\/metrics|"__name__","(ecommerce_runtime_|scrape_|up")/;

/** A cart that can be ordered, each step of the funnel by a request of its own. */
async function cartByStep(shop: Stack, market: string, item: object): Promise<string> {
  const { body: cart } = await call(shop, 'POST', '/carts', { market, email: 'ada@example.test' });
  const path = `/carts/${cart.id}`;
  const shipping_address = market === 'us' ? ADDRESS : { ...ADDRESS, country: 'DE' };
  await call(shop, 'POST', `${path}/items`, item);
  await call(shop, 'PATCH', path, { shipping_address });
  const { body: options } = await call(shop, 'GET', `${path}/shipping-options`);
  await call(shop, 'PATCH', path, { shipping_option_id: options.data[0].id });
  return cart.id;
}

describe.skipIf(!installed('prometheus', 'promtool'))('one Prometheus that scrapes and is written to', () => {
  let stack: Stack;
  let prometheus: Program;
  let relay: Relay;
  /** `GET /api/v1/products 200` and how often. */
  const asked = new Map<string, number>();
  let orders = 0;

  beforeAll(async () => {
    relay = await startRelay();
    stack = await startStack({
      env: {
        METRICS_TOKEN: TOKEN,
        METRICS_FLUSH_SECONDS: '1',
        REMOTE_WRITE_URL: `${relay.url}/api/v1/write`,
        REMOTE_WRITE_LABELS: 'cluster=production,environment=prod',
      },
    });
    stack.provider.setWebhookMode('hold');
    prometheus = await startPrometheus({ shop: new URL(stack.url).host, token: TOKEN, everyS: 1 });
    relay.forwardTo(prometheus.url);
  });
  afterAll(async () => {
    await prometheus?.stop();
    await stack?.close();
    await relay?.close();
  });

  /** The stack, with every answer of the shop tallied by its route. */
  function tallied(): Stack {
    const fetch: Stack['fetch'] = async (path, init) => {
      const response = await stack.fetch(path, init);
      const route = path.replace(/\?.*/, '').replace(/\/carts\/[^/]+/, '/carts/:id');
      const key = `${init?.method ?? 'GET'} ${path === '/nowhere' ? 'unmatched' : route} ${response.status}`;
      asked.set(key, (asked.get(key) ?? 0) + 1);
      return response;
    };
    return { ...stack, fetch };
  }

  async function load(): Promise<void> {
    const shop = tallied();
    const sku = await createSku(stack, { stock: 100_000, price: 4_999 });
    const client = async (_: unknown, name: number): Promise<void> => {
      for (let round = name; round < ROUNDS; round += CLIENTS) {
        const market = round % 3 === 0 ? 'eu' : 'us';
        const cartId = await cartByStep(shop, market, { sku_id: sku.id, quantity: 1 + (round % 4) });
        const payment = round % 5 === 4 ? pay('tok_declined') : market === 'us' ? MANUAL : pay('tok_ok');
        const placed = await placeOrder(shop, cartId, payment);
        if (placed.status === 201) orders += 1;
        await Promise.all([
          call(shop, 'GET', '/products?limit=5'),
          call(shop, 'GET', '/carts/AAAAAAAAAAAAAAAAAAAAAA'),
          shop.fetch('/health/live'),
          shop.fetch('/nowhere'),
        ]);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    await stack.worker.scheduled({ cron: '* * * * *' });
  }

  const writeNow = async (): Promise<unknown> =>
    await (await stack.fetch('/metrics/push', { method: 'POST', headers: authorized })).json();

  async function toGroup(method: 'PUT' | 'DELETE', body: string | null = null): Promise<number> {
    return (await fetch(`${stack.url}/metrics/job/nightly/shard/a`, { method, headers: authorized, body })).status;
  }

  /** Every series but those that move by being read: labels without those in `own`, and the value. */
  async function seriesOf(selector: string, own: readonly string[]): Promise<Map<string, number>> {
    const lines = await query(prometheus.url, selector);
    const all = lines.map(({ labels, points }): [string, number] => [
      JSON.stringify(
        Object.entries(labels)
          .filter(([name]) => !own.includes(name))
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .flat(),
      ),
      points[0]?.[1] ?? Number.NaN,
    ]);
    return new Map(all.filter(([key]) => !MOVES.test(key)).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  // The environment is build_info's own label in a scrape, and stays so when it is written.
  const scraped = () => seriesOf('{job=~"ecommerce-api|nightly",cluster=""}', ['instance', 'environment']);
  const written = () => seriesOf('{job=~"ecommerce-api|nightly",cluster="production"}', ['cluster', 'environment']);

  /** Sum by method, route and status of requests that were not for the metrics. */
  async function counted(selector: string): Promise<Map<string, number>> {
    const lines = await query(
      prometheus.url,
      `ecommerce_http_requests_total{route!~"/metrics.*",method!="PUT",${selector}}`,
    );
    return new Map(
      lines.map(({ labels, points }) => [
        `${labels['method']} ${labels['route']} ${labels['status']}`,
        points[0]?.[1] ?? Number.NaN,
      ]),
    );
  }

  test('both agree with each other and with the load, exactly', async () => {
    const pushed = '# HELP rows_copied Rows.\n# TYPE rows_copied gauge\nrows_copied{table="orders"} 0.1\n';
    expect(await toGroup('PUT', pushed)).toBe(200);
    await load();
    const total = [...asked.values()].reduce((sum, times) => sum + times, 0);
    const scrapedTotal = async () => [...(await counted('cluster=""')).values()].reduce((sum, each) => sum + each, 0);
    await until('all of the load to be scraped', 20_000, async () =>
      (await scrapedTotal()) >= total ? true : undefined,
    );
    // Work that the Worker does after its reply may be counted a flush later.
    await sleep(2_500);
    expect(await writeNow()).toMatchObject({ status: 204, outcome: 'taken' });

    const [byScrape, byWrite] = [await scraped(), await written()];
    expect(Object.fromEntries(byWrite)).toEqual(Object.fromEntries(byScrape));
    expect(byScrape.size).toBeGreaterThan(100);
    const sorted = (counts: Map<string, number>) => [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
    expect(sorted(await counted('cluster=""'))).toEqual(sorted(asked));
    expect(sorted(await counted('cluster="production"'))).toEqual(sorted(asked));
  });

  test('the histograms are those of the log lines, bucket by bucket, and their sums to the microsecond', async () => {
    const total = [...asked.values()].reduce((sum, times) => sum + times, 0);
    const lines = await until('all log lines', 10_000, () => {
      const all = stack.logs().filter(({ route }) => typeof route === 'string' && !route.startsWith('/metrics'));
      return all.length >= total ? all : undefined;
    });
    const name = 'ecommerce_http_request_duration_seconds';
    const expected = new Map<string, number>();
    const add = (key: string, by: number) => expected.set(key, (expected.get(key) ?? 0) + by);
    for (const { method, route, duration_ms } of lines) {
      const key = `${String(method)} ${String(route)}`;
      for (const bound of METRICS[name].buckets) add(`${key} ${bound}`, Number(duration_ms) <= bound * 1_000 ? 1 : 0);
      add(`${key} count`, 1);
      add(`${key} microseconds`, Number(duration_ms) * 1_000);
    }
    for (const cluster of ['', 'production']) {
      const found = new Map<string, number>();
      const of = `route!~"/metrics.*",cluster="${cluster}"`;
      for (const { labels, points } of await query(prometheus.url, `{__name__=~"${name}_.+",${of},le!="+Inf"}`)) {
        const key = `${labels['method']} ${labels['route']}`;
        const value = points[0]?.[1] ?? Number.NaN;
        if (labels['__name__'] === `${name}_sum`) found.set(`${key} microseconds`, Math.round(value * 1e6));
        else found.set(`${key} ${labels['le'] === undefined ? 'count' : Number(labels['le'])}`, value);
      }
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
    }
  });

  test('orders, their value and the steps to them are those of the database', async () => {
    const { rows } = await stack.owner.query(
      `select currency, count(*)::int as orders, sum(total)::int as total from orders where status = 'confirmed' group by currency`,
    );
    expect(rows.length).toBe(2);
    for (const cluster of ['', 'production']) {
      const value = async (metric: string, labels = ''): Promise<number | undefined> =>
        (await query(prometheus.url, `${metric}{cluster="${cluster}"${labels}}`))[0]?.points[0]?.[1];
      expect(await value('ecommerce_orders_created_total')).toBe(orders);
      for (const row of rows) {
        const currency = `,currency="${row.currency}"`;
        expect(await value('ecommerce_order_value_dollars_count', currency)).toBe(row.orders);
        expect(await value('ecommerce_order_value_dollars_sum', currency)).toBe(row.total / 100);
      }
      const steps = { cart_created: ROUNDS, item_added: ROUNDS, address_set: ROUNDS, shipping_chosen: ROUNDS };
      for (const [step, times] of Object.entries({ ...steps, order_placed: orders })) {
        expect([step, await value('ecommerce_checkout_step_total', `,step="${step}"`)]).toEqual([step, times]);
      }
    }
  });

  test('a scraped series has its target as instance, a written one has none and the external labels', async () => {
    const found = await query(prometheus.url, 'ecommerce_orders_created_total');
    const labels = found.map((each) => ({ ...each.labels })).toSorted((a) => (a['cluster'] === undefined ? -1 : 1));
    const own = { __name__: 'ecommerce_orders_created_total', job: 'ecommerce-api' };
    expect(labels).toEqual([
      { ...own, instance: new URL(stack.url).host },
      { ...own, ...WRITTEN },
    ]);
    const pushed = await query(prometheus.url, 'rows_copied{cluster="production"}');
    expect(pushed.map((each) => each.labels)).toEqual([
      { __name__: 'rows_copied', job: 'nightly', shard: 'a', table: 'orders', ...WRITTEN },
    ]);
    const [build] = await query(prometheus.url, 'ecommerce_build_info{cluster="production"}');
    expect(build?.labels['environment']).toBe('test');
  });

  test('a deleted group is gone from queries at once, also when the answer to its end is lost', async () => {
    const names = '{__name__=~"rows_copied|push_time_seconds",cluster="production"}';
    expect((await query(prometheus.url, names)).length).toBe(2);
    await stack.worker.evictDurableObject('MetricsAggregator', 'metrics');
    expect(await toGroup('DELETE')).toBe(202);
    relay.loseAnswers(1);
    expect(await writeNow()).toMatchObject({ outcome: 'kept' });
    expect(await query(prometheus.url, names)).toEqual([]);
    // It had values within the lookback: without a marker they would be shown.
    expect((await query(prometheus.url, `last_over_time(${names}[5m])`)).length).toBe(2);

    expect(await writeNow()).toMatchObject({ status: 204, outcome: 'taken' });
    expect(await query(prometheus.url, names)).toEqual([]);
    const [first, again, next] = relay.bodies.slice(-3);
    expect(again).toEqual(first);
    const ended = (body: Buffer | undefined) =>
      decodeWriteRequest(uncompress(body ?? Buffer.of()))
        .timeseries.filter(({ samples }) => Number.isNaN(samples[0]?.value))
        .map(({ labels }) => labels.find(({ name }) => name === '__name__')?.value);
    expect(new Set(ended(first))).toEqual(new Set(['push_failure_time_seconds', 'push_time_seconds', 'rows_copied']));
    expect(ended(next)).toEqual([]);
  });

  test('a group that is pushed again is there again', async () => {
    expect(await toGroup('PUT', '# HELP rows_copied Rows.\nrows_copied 7\n')).toBe(200);
    await writeNow();
    const [line] = await query(prometheus.url, 'rows_copied{cluster="production"}');
    expect(line?.points[0]?.[1]).toBe(7);
  });

  test('the shop outlives the eviction without a gap in its own series, and promtool finds nothing wrong', async () => {
    expect((await query(prometheus.url, 'ecommerce_build_info{cluster="production"}')).length).toBe(1);
    const text = await (await stack.fetch('/metrics', { headers: authorized })).text();
    expect(run('promtool', ['check', 'metrics'], text)).toBe('');
    for (const [, name = ''] of text.matchAll(/^# TYPE (\S+)/gm)) {
      expect(text).toMatch(new RegExp(`^${name}(_bucket)?[{ ]`, 'm'));
    }
  });
});
