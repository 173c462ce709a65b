// What one request costs in CPU, by its kind: npm run bench:capacity. CPU time says how many a core bears, also on a busy
// machine; from it follow the replicas of a self-hosted shop, and Workers' bill. Linux only, since it reads /proc.
import { SingleBar } from 'cli-progress';
import { createBuyers, createGoods, order } from './rehearse/buyers.ts';
import { type Client, createClient } from './rehearse/client.ts';
import { handlesOf, openStage } from './rehearse/stage.ts';
import { cpuSeconds, serverCpuSeconds, workerdPids } from './process-cpu.ts';
import { median, table } from './table.ts';

const ROUNDS = 3;
const REQUESTS = 200;
const WARM_UP = 100;
const AT_ONCE = 8;
const ORDERS = WARM_UP + ROUNDS * REQUESTS;

const stage = await openStage((what) => console.log(`Preparing ${what} ...`));
try {
  const env = { RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PUBLIC: '1000000', RATE_LIMIT_ORDER: '1000000' };
  const { url } = await stage.start({ env });
  const [workerd] = workerdPids();
  if (workerd === undefined) throw new Error('The process of the Worker was not found.');
  const handles = await handlesOf(stage);
  const buyers = createBuyers(await createGoods(stage, ORDERS), ORDERS);
  const client = createClient();
  let nextBuyer = 0;
  const at = (path: string) => new URL(`/api/v1${path}`, url);
  const kinds: [name: string, send: (n: number) => Promise<unknown>][] = [
    ['a product, from the cache', (n) => client.send(at(`/products/${handles[n % handles.length]}`))],
    ['a list of 20 products', () => client.send(at('/products?limit=20&in_stock=true'))],
    ['a new cart of one line', () => newCart(client, at('/carts'), buyers[0]?.goods.skuId ?? '')],
    ['an order with its cart', () => orderNext()],
  ];
  const orderNext = async () => {
    const buyer = buyers[nextBuyer++];
    if (buyer !== undefined) await order(client, url, buyer);
  };
  const bar = new SingleBar({ format: '[{bar}] {value}/{total} rounds', clearOnComplete: true });
  bar.start(kinds.length * ROUNDS, 0);
  const rows: string[][] = [];
  for (const [name, send] of kinds) {
    await many(WARM_UP, send);
    const costs: { worker: number; database: number }[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = { worker: cpuSeconds(workerd), database: serverCpuSeconds('postgres') };
      await many(REQUESTS, send);
      const perRequestMs = (now: number, then: number) => (1000 * (now - then)) / REQUESTS;
      costs.push({
        worker: perRequestMs(cpuSeconds(workerd), before.worker),
        database: perRequestMs(serverCpuSeconds('postgres'), before.database),
      });
      bar.increment();
    }
    const worker = median(costs.map((cost) => cost.worker));
    const database = median(costs.map((cost) => cost.database));
    const perCore = (ms: number) => (ms < 0.05 ? '-' : (1000 / ms).toFixed(0));
    rows.push([name, worker.toFixed(2), database.toFixed(2), perCore(worker), perCore(database)]);
  }
  bar.stop();
  client.close();
  const failed = client.samples.filter(({ status }) => status !== 200 && status !== 201).length;
  if (failed > 0) throw new Error(`${failed} requests were not served`);
  const header = ['request', 'Worker ms', 'Postgres ms', 'a core of Workers, /s', 'a core of Postgres, /s'];
  console.log(table(header, rows));
  console.log(
    `(CPU time a request, median of ${ROUNDS} rounds of ${REQUESTS}; limiter on, Redis is ${stage.redis.kind})`,
  );
} finally {
  await stage.close();
}

async function many(count: number, send: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await send(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function newCart(client: Client, url: URL, skuId: string): Promise<void> {
  await client.send(url, { method: 'POST', body: { market: 'us', items: [{ sku_id: skuId, quantity: 1 }] } });
}
