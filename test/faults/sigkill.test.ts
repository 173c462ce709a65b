import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startProcess, workerdPids, workerOf } from '../../bench/metrics-aggregator.ts';
import { clusterDir, postgresAccount } from '../../dev/postgres-files.ts';
import { type LocalPostgres, startPostgres } from '../../dev/postgres.ts';
import { checkedFetch } from '../support/contract.ts';
import type { Exchange } from '../support/fault-proxy.ts';
import { makeTemplate } from '../support/global-setup.ts';
import { ADDRESS, call, createSku, type Json, pay, type Reply, type TestSku } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

const BUYERS = 200;
const SKUS = 5;
/** Of each SKU: less than all want, so that some buyers are refused. */
const STOCK = 60;
/** So many have their reply when the power goes. */
const ACKNOWLEDGED = 40;
const ROUNDS_MAX = 20;

let folder: string;
let postgres: LocalPostgres;
let stack: Stack;
let worker: Awaited<ReturnType<typeof startWorker>>;

/** Flushes to disk, unlike the one that all other files share. */
const startDurable = (port = 0) => startPostgres({ dataDir: join(folder, 'postgres'), port });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sigkill-'));
  postgres = await startDurable();
  const passwords = { owner: randomBytes(18).toString('hex'), app: randomBytes(18).toString('hex') };
  const superuserUrl = postgres.superuserUrl('postgres');
  await makeTemplate(superuserUrl, passwords);
  const { host, port } = postgres;
  stack = await startStack({
    env: { LOG_LEVEL: 'fatal', METRICS_FLUSH_SECONDS: '1' },
    shared: { host, port, superuserUrl, ownerPassword: passwords.owner, appPassword: passwords.app },
  });
  worker = await startWorker();
});
afterAll(async () => {
  await worker.dispose();
  await stack.close();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The Worker in a workerd of its own, to be killed. */
async function startWorker() {
  const options = {
    workerDir: inject('shared').workerDir,
    registry: join(folder, 'registry'),
    persist: join(folder, 'storage'),
    bindings: { ...stack.bindings },
  };
  const before = workerdPids();
  const started = await startProcess(options, [workerOf('shop', options, { className: 'MetricsAggregator' })]);
  const pid = workerdPids().find((each) => !before.includes(each));
  if (pid === undefined) throw new Error('no new process');
  const url = (await started.unsafeGetDirectURL('shop')).href.replace(/\/$/, '');
  return {
    shop: { ...stack, url, fetch: checkedFetch(url) },
    dispose: () => started.dispose(),
    async kill() {
      process.kill(pid, 'SIGKILL');
      // At once, as the runner would start another by itself.
      await started.dispose();
    },
  };
}

async function killWorker(): Promise<void> {
  await worker.kill();
  worker = await startWorker();
}

/** The postmaster alone: its children find out and end, as in a crash. */
async function killPostgres(): Promise<void> {
  const { port } = postgres;
  const data = join(clusterDir(join(folder, 'postgres'), postgresAccount()), 'data');
  const [pid] = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n', 1);
  process.kill(Number(pid), 'SIGKILL');
  for (let attempt = 1; ; attempt += 1) {
    try {
      postgres = await startDurable(port);
      return;
    } catch (error) {
      if (attempt === ROUNDS_MAX) throw error;
      await sleep(250);
    }
  }
}

/** What the database itself refuses is an answer of it. */
const isBroken = ({ status, responseBody = '' }: Exchange): boolean =>
  status !== 200 && !responseBody.includes('EC001');

interface Buyer {
  cart: Json;
  key: string;
  reply: Reply | null;
}

const isAnswer = ({ status, body }: Reply): boolean =>
  status === 201 || (status === 409 && body.code === 'insufficient_stock');

/** A broken connection is no reply. */
async function order(buyer: Buyer): Promise<void> {
  const body = { cart_id: buyer.cart.id, payment: pay('tok_ok') };
  const reply = await call(worker.shop, 'POST', '/orders', body, { key: buyer.key }).catch((error: unknown) => {
    if (error instanceof TypeError) return null;
    throw error;
  });
  if (reply && isAnswer(reply)) buyer.reply = reply;
  else if (reply && reply.status !== 503 && reply.body.code !== 'idempotency_in_flight')
    throw new Error(`unexpected: ${reply.status} ${reply.text}`);
}

async function passTime(): Promise<void> {
  for (const table of ['orders', 'idempotency_keys', 'payment_request_leases'])
    await stack.owner.query(`update ${table} set lease_until = least(lease_until, now()) - interval '20 minutes'
      where ${table === 'orders' ? `status = 'pending'` : 'true'}`);
}

async function untilEverybodyKnows(buyers: readonly Buyer[]): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const waiting = buyers.filter(({ reply }) => reply === null);
    const { rows } = await stack.owner.query(`select count(*)::int as left from orders where status = 'pending'`);
    if (waiting.length === 0 && rows[0].left === 0) return;
    await passTime();
    await Promise.all(waiting.map(order));
    await stack.provider.flushWebhooks();
    await stack.worker.scheduled({ cron: '* * * * *' });
  }
  throw new Error(
    `${buyers.filter(({ reply }) => reply === null).length} buyers never learn what became of their order`,
  );
}

async function buyersOf(skus: readonly TestSku[], name: string): Promise<Buyer[]> {
  const { rows } = await stack.owner.query(
    `select o.id from shipping_options o join markets m on m.id = o.market_id where m.code = 'us' limit 1`,
  );
  const common = { email: 'ada@example.test', shipping_address: ADDRESS, shipping_option_id: rows[0].id };
  return await Promise.all(
    Array.from({ length: BUYERS }, async (_none, at) => {
      const [first, second] = [skus[at % SKUS], skus[(at * 2 + 1) % SKUS]];
      const items = [...new Set([first?.id ?? '', second?.id ?? ''])].map((sku_id) => ({ sku_id, quantity: 1 }));
      const made = await call(stack, 'POST', '/carts', { market: 'us', items, ...common });
      return { cart: made.body, key: `${name}-${at}`, reply: null };
    }),
  );
}

async function expectAllIsWell(buyers: readonly Buyer[], skus: readonly TestSku[]): Promise<void> {
  const carts = buyers.map(({ cart }) => cart.id);
  const { rows: orders } = await stack.owner.query(
    `select o.id, o.cart_id, o.number, o.total::int, o.status from orders o where o.cart_id = any($1) and o.status <> 'failed'`,
    [carts],
  );
  const told = buyers.flatMap(({ reply }) => (reply?.status === 201 ? [reply.body] : []));
  const facts = (order: Json) => `${order.id} ${order.number} ${order.total} ${order.status}`;
  expect(orders.map(facts).toSorted()).toEqual(told.map(facts).toSorted());
  expect(new Set(orders.map(({ cart_id }) => cart_id)).size).toBe(orders.length);

  const ids = new Set(orders.map(({ id }) => id));
  const charges = stack.provider.charges().filter(({ order_id }) => ids.has(order_id));
  const sum = (charge: Json) => `${charge.order_id} ${charge.captured - charge.refunded}`;
  expect(charges.map(sum).toSorted()).toEqual(orders.map(({ id, total }) => `${id} ${total}`).toSorted());
  for (const sku of skus) {
    const { rows } = await stack.owner.query(
      `select l.on_hand, l.reserved,
         (select coalesce(sum(i.quantity), 0)::int from order_items i join orders o on o.id = i.order_id
          where i.sku_id = l.sku_id and o.status <> 'failed') as sold,
         (select sum(m.reserved_delta)::int from stock_movements m where m.sku_id = l.sku_id) as moved,
         (select coalesce(sum(r.quantity), 0)::int from reservations r where r.sku_id = l.sku_id) as promised
       from stock_levels l where l.sku_id = $1`,
      [sku.id],
    );
    const { sold } = rows[0];
    expect(rows[0]).toEqual({ on_hand: STOCK, reserved: sold, sold, moved: sold, promised: sold });
    expect(sold).toBeLessThanOrEqual(STOCK);
  }
}

test.each([
  ['the Worker', killWorker],
  ['Postgres', killPostgres],
])('%s is killed amid 200 checkouts: nothing is lost, nothing is doubled', async (name, kill) => {
  const skus = await Promise.all(Array.from({ length: SKUS }, () => createSku(stack, { stock: STOCK })));
  const buyers = await buyersOf(skus, name.replace(' ', '-'));
  const enough = Promise.withResolvers<void>();
  let replies = 0;
  stack.neon.clear();
  const checkouts = buyers.map(async (buyer) => {
    await order(buyer);
    replies += 1;
    if (replies === ACKNOWLEDGED) enough.resolve();
  });
  const all = Promise.all(checkouts);
  await Promise.race([enough.promise, all]);
  const acknowledged = buyers.filter(({ reply }) => reply?.status === 201).length;
  await kill();
  await all;
  const unanswered = buyers.filter(({ reply }) => reply === null).length;
  const broken = stack.neon.exchanges.filter(isBroken).length;
  console.log(
    `${name}: ${acknowledged} orders acknowledged before; ${broken} batches broken, ${unanswered} buyers without an answer`,
  );
  expect(broken + unanswered).toBeGreaterThan(0);

  await untilEverybodyKnows(buyers);
  await expectAllIsWell(buyers, skus);
  const strays = stack.provider.charges().map(({ order_id }) => order_id);
  const { rows } = await stack.owner.query('select id from orders where id = any($1)', [strays]);
  expect(rows).toHaveLength(strays.length);
});
