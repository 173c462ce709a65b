import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startProcess, workerOf } from '../../bench/metrics-aggregator.ts';
import { APP_ROLE, asRole, OWNER_ROLE } from '../../dev/roles.ts';
import { until } from '../dev/neon-fixture.ts';
import { checkedFetch } from '../support/contract.ts';
import { canDump, startDumpablePostgres, type DumpablePostgres } from '../support/dumpable-postgres.ts';
import { gate, isCharge } from '../support/order-path.ts';
import { call, createSku, expireLeases, type Json, pay, placeOrder, readyCart, type Reply } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { BACKUP, type Outcome, runScript } from './backup-fixture.ts';

const possible = canDump();
const BUYERS = 3;
/** Orders that have their reply before the dump begins. */
const ACKNOWLEDGED = 20;
const RESTORED = 'restored';

interface Placed {
  cartId: string;
  key: string;
  reply: Reply;
}

let postgres: DumpablePostgres;
let stack: Stack;
let restored: Stack;
let folder: string;
const closers: (() => Promise<unknown>)[] = [];

const before: Placed[] = [];
const after: Placed[] = [];
/** Its charge was on the way while the dump was made. */
let inFlight: Placed;
let backup: Outcome;
let restore: Outcome;

/** A guest's key is theirs from their own address. */
const send = (shop: Stack, { cartId, key }: Pick<Placed, 'cartId' | 'key'>) =>
  placeOrder(shop, cartId, pay('tok_ok'), { key, headers: { 'x-real-ip': '203.0.113.7' } });

async function order(skuId: string): Promise<Placed> {
  const cart = await readyCart(stack, [{ sku_id: skuId, quantity: 1 }]);
  const ticket = { cartId: cart.id, key: randomUUID() };
  return { ...ticket, reply: await send(stack, ticket) };
}

/** Buyers order all the while; one of them is between its two batches when the dump is made. */
async function dumpUnderLoad(ownerUrl: string): Promise<void> {
  const sku = await createSku(stack, { stock: 100_000 });
  const shop = { isOpen: true, told: before };
  const buy = async () => {
    while (shop.isOpen) {
      const placed = await order(sku.id);
      shop.told.push(placed);
    }
  };
  const buyers = Array.from({ length: BUYERS }, buy);
  await until(async () => before.length >= ACKNOWLEDGED, 60_000);
  const slow = gate();
  const held = await stack.payments.inject(isCharge, { hold_reply: slow.opened }).fired;
  shop.told = after;
  backup = await runScript('backup-db.sh', [], { MIGRATION_DATABASE_URL: ownerUrl, BACKUP_DIR: folder });
  slow.open();
  shop.isOpen = false;
  await Promise.all(buyers);
  const found = after.find(({ reply }) => reply.status === 201 && held.requestBody.includes(reply.body.id));
  if (found === undefined) throw new Error('the held order has no reply');
  inFlight = found;
}

/** The Worker, as it is, on the database that was restored. */
async function serveRestored(): Promise<Stack> {
  const { superuserUrl, ownerPassword, appPassword, workerDir } = postgres.shared;
  const bindings = { ...stack.bindings, DATABASE_URL: asRole(superuserUrl, APP_ROLE, appPassword, RESTORED) };
  const options = { workerDir, registry: join(folder, 'registry'), persist: join(folder, 'storage'), bindings };
  const started = await startProcess(options, [workerOf('shop', options, { className: 'MetricsAggregator' })]);
  closers.push(() => started.dispose());
  const url = (await started.unsafeGetDirectURL('shop')).href.replace(/\/$/, '');
  const owner = new pg.Pool({ connectionString: asRole(superuserUrl, OWNER_ROLE, ownerPassword, RESTORED), max: 2 });
  owner.on('error', () => undefined);
  closers.push(() => owner.end());
  return { ...stack, url, fetch: checkedFetch(url), owner, databaseName: RESTORED };
}

beforeAll(async () => {
  if (!possible) return;
  postgres = await startDumpablePostgres();
  folder = mkdtempSync(join(tmpdir(), 'drill-'));
  stack = await startStack({
    shared: postgres.shared,
    env: { LOG_LEVEL: 'fatal', PAYMENT_TIMEOUT_MS: '25000', TRUSTED_IP_HEADER: 'x-real-ip' },
  });
  const { superuserUrl, ownerPassword } = postgres.shared;
  const ownerUrl = asRole(superuserUrl, OWNER_ROLE, ownerPassword, stack.databaseName);
  await dumpUnderLoad(ownerUrl);
  const file = readdirSync(folder).find((name) => name.endsWith('.dump')) ?? '';
  restore = await runScript('restore-db.sh', [join(folder, file), RESTORED], { MIGRATION_DATABASE_URL: ownerUrl });
  if (restore.code === 0) restored = await serveRestored();
});
afterAll(async () => {
  if (!possible) return;
  for (const closer of closers.reverse()) await closer();
  await stack.close();
  postgres.close();
  rmSync(folder, { recursive: true, force: true });
});

const faults = async (): Promise<Json[]> => {
  const { rows } = await restored.owner.query(readFileSync(join(BACKUP, 'verify.sql'), 'utf8'));
  return rows.filter((row) => Number(row.faults) > 0);
};
const chargesOf = ({ reply }: Placed) => stack.provider.charges().filter(({ order_id }) => order_id === reply.body.id);
const acknowledged = () => before.filter(({ reply }) => reply.status === 201);

describe.skipIf(!possible)('a backup that was made while people order', () => {
  test('is made, restored beside the shop, and sound', async () => {
    expect([backup.code, backup.stderr]).toEqual([0, '']);
    expect([restore.code, restore.stderr]).toEqual([0, '']);
    expect(restore.stdout.split('\n').filter((line) => / {2,}0 {2}/.test(line))).toHaveLength(15);
    expect(await faults()).toEqual([]);
  });

  test('holds every order that was acknowledged before it began, to the last byte that its buyer was shown', async () => {
    expect(acknowledged().length).toBeGreaterThanOrEqual(ACKNOWLEDGED);
    expect(before.filter(({ reply }) => reply.status !== 201)).toEqual([]);
    for (const { reply } of acknowledged()) {
      const headers = { 'x-order-token': reply.body.guest_token };
      const read = await call(restored, 'GET', `/orders/${reply.body.id}`, undefined, { headers });
      expect(read.text).toBe(reply.text);
    }
  });

  test('knows what was asked: a buyer who sends the same order again is answered the same, and charged once', async () => {
    for (const placed of acknowledged().slice(0, 5)) {
      const again = await send(restored, placed);
      expect([again.status, again.text, again.headers.get('idempotent-replayed')]).toEqual([
        201,
        placed.reply.text,
        'true',
      ]);
      expect(chargesOf(placed)).toHaveLength(1);
    }
  });

  test('an order whose charge was on the way goes on where it was, and is charged once', async () => {
    const { rows } = await restored.owner.query('select id, status from orders where cart_id = $1', [inFlight.cartId]);
    expect(rows).toEqual([{ id: inFlight.reply.body.id, status: 'pending' }]);
    await expireLeases(restored);
    const again = await send(restored, inFlight);
    expect([again.status, again.body.id, again.body.status]).toEqual([201, inFlight.reply.body.id, 'confirmed']);
    expect(chargesOf(inFlight)).toHaveLength(1);
  });

  test('sells on: numbers, rights, limits and ledgers go on where they stopped', async () => {
    const sku = await createSku(restored, { stock: 2 });
    const cart = await readyCart(restored, [{ sku_id: sku.id, quantity: 2 }]);
    const placed = await placeOrder(restored, cart.id);
    expect([placed.status, placed.body.status]).toEqual([201, 'confirmed']);
    const more = await readyCart(restored, [{ sku_id: sku.id, quantity: 1 }]);
    expect((await placeOrder(restored, more.id)).body.code).toBe('insufficient_stock');
    expect(await faults()).toEqual([]);
  });

  test('the shop went on all the while', () => {
    expect(after.length).toBeGreaterThan(0);
    expect([...before, ...after].filter(({ reply }) => reply.status !== 201)).toEqual([]);
  });
});

/** What breaks each check, on rows that are there; undone after each. */
const BREAKS: Record<string, string> = {
  'an order is the sum of its lines':
    'update orders set subtotal = subtotal + 1 where id = (select max(id::text)::uuid from orders)',
  'a line is its price times its units': `update order_items set unit_price = unit_price + 1`,
  'what an order costs is to be paid': `update payments set amount = amount + 1`,
  'a payment takes and gives back no more than there is': `insert into payment_transactions (id, payment_id, kind, outcome, amount)
     select gen_random_uuid(), id, 'refund', 'success', amount + 1 from payments limit 1`,
  'a refund is what the ledger says': `insert into refunds (id, order_id, payment_id, request_id, amount, reason)
     select gen_random_uuid(), p.order_id, p.id, t.id, t.amount, 'broken' from payments p
     join payment_transactions t on t.payment_id = p.id limit 1`,
  'a placed order was told': `delete from outbox_events where type = 'order.placed'`,
  'a cart has one order at most': `drop index orders_live_cart; update orders set cart_id = (select min(cart_id) from orders)`,
  'stock is the sum of its ledger':
    'delete from stock_movements where id = (select max(id) from stock_movements where on_hand_delta > 0)',
  'what is reserved is promised to somebody':
    'delete from reservations where id = (select max(id::text)::uuid from reservations)',
  'nothing is oversold': `alter table stock_levels drop constraint stock_levels_not_oversold;
     update stock_levels set on_hand = 0 where reserved > 0`,
  'indexes and constraints are valid': `alter table orders add constraint later check (total > 10 ^ 12) not valid`,
  'the ledger of stock goes on where it stopped': `select setval(pg_get_serial_sequence('stock_movements', 'id'), 1)`,
  'the role of the Worker may do its work': 'revoke select on carts from ecommerce_app',
  'the role of the Worker may do no more': 'grant delete on payment_transactions to ecommerce_app',
  'the role of the Worker has its time limits': `do $$ begin
     execute format('alter role ecommerce_app in database %I reset lock_timeout', current_database()); end $$`,
};

describe.skipIf(!possible)('verify.sql finds', () => {
  test.each(Object.entries(BREAKS))('%s: when it is not so', async (what, sql) => {
    const client = await restored.owner.connect();
    try {
      await client.query('begin');
      await client.query(sql);
      const { rows } = await client.query(readFileSync(join(BACKUP, 'verify.sql'), 'utf8'));
      expect(rows.filter((row) => Number(row.faults) > 0).map((row) => row.what)).toContain(what);
    } finally {
      await client.query('rollback');
      // The one thing here that a rollback does not undo.
      await client.query(
        `select setval(pg_get_serial_sequence('stock_movements', 'id'), max(id)) from stock_movements`,
      );
      client.release();
    }
  });

  test('and nothing where all is well', async () => {
    const { rows } = await restored.owner.query(readFileSync(join(BACKUP, 'verify.sql'), 'utf8'));
    expect(rows.map((row) => row.what)).toEqual(Object.keys(BREAKS));
    expect(await faults()).toEqual([]);
  });
});
