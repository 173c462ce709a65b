import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { table } from '../../bench/table.ts';
import { migrateUp } from '../../dev/migrate.ts';
import { asRole, OWNER_ROLE } from '../../dev/roles.ts';
import { installed, until } from '../observability/programs.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { gate, isCharge } from '../support/order-path.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { createSku, stockOf, type TestSku } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { type Buyers, startBuyers } from './buyers.ts';
import { hasNginx, type Nginx, startNginx } from './nginx.ts';
import { type Replica, startReplica, workerdOf } from './replica.ts';
import { startService } from './service.ts';

const ROOT = join(import.meta.dirname, '../..');
const PASSWORD = 'password-of-this-test';
const TOKEN = 'token-of-this-test-0123456789';
const BUYERS = 6;
const STOCK = 100_000;
/** Orders that are waited for before and after each event. */
const SOME = 10;
const NOT_IDEMPOTENT = new Set(['POST', 'PATCH']);

/** A migration that an older version does not notice, as a release brings it: column, index, down. */
const RELEASE =
  'alter table products add column release_note text;\ncreate index products_release_note on products (release_note);\n';

describe.runIf(hasNginx() && installed('redis-server'))('three replicas behind nginx with TLS', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'replicas-'));
  const closers: (() => Promise<unknown>)[] = [];
  const opened = <T extends { close(): Promise<unknown> }>(part: T): T => {
    closers.push(() => part.close());
    return part;
  };
  let stack: Stack;
  let replicas: Replica[];
  /** Between each replica and the payment provider. */
  let providers: FaultProxy[];
  let nginx: Nginx;
  let skus: TestSku[];
  let redis: RedisServer;
  let bindings: Record<string, string>;

  const start = async (at: number, port = '0'): Promise<Replica> => {
    const env = { ...bindings, PAYMENT_TEST_URL: providers[at]!.url, PORT: port };
    return opened(await startReplica({ env }));
  };

  beforeAll(async () => {
    writeFileSync(join(scratch, 'redis-password.conf'), `requirepass ${PASSWORD}\n`);
    redis = opened(await startRedisServer({ config: join(ROOT, 'deploy/redis.conf'), folder: scratch }));
    stack = opened(await startStack());
    const [forPostgres, forRedis] = await Promise.all([
      startService('postgres', { DATABASE_URL: stack.bindings['DATABASE_URL'] ?? '' }),
      startService('redis', { REDIS_URL: redis.url, REDIS_PASSWORD: PASSWORD, UPSTASH_REDIS_REST_TOKEN: TOKEN }),
    ]);
    opened(forPostgres);
    opened(forRedis);
    bindings = {
      ...stack.bindings,
      DATABASE_ENDPOINT: `${forPostgres.url}/sql`,
      UPSTASH_REDIS_REST_URL: forRedis.url,
      UPSTASH_REDIS_REST_TOKEN: TOKEN,
      TRUSTED_PROXIES: '127.0.0.1',
      TICK_INTERVAL: '2',
      CACHE_TTL: '5',
      LOG_LEVEL: 'info',
    };
    providers = await Promise.all([0, 1, 2].map(async () => opened(await startFaultProxy(stack.provider.url))));
    replicas = await Promise.all([0, 1, 2].map((at) => start(at)));
    nginx = opened(await startNginx(replicas.map(({ port }) => port)));
    skus = await Promise.all([1, 2, 3].map(() => createSku(stack, { stock: STOCK })));
  });
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
    rmSync(scratch, { recursive: true, force: true });
  });

  test('one is killed and replaced, one is drained and replaced, and a migration runs: nothing is lost, nothing is done twice', async () => {
    const shop: Stack = { ...stack, url: nginx.url, fetch: (path, init) => nginx.fetch(path, init) };
    const buyers = startBuyers(
      shop,
      skus.map(({ id }) => id),
      BUYERS,
    );
    const phases: Phase[] = [];
    const phase = (name: string): void => void phases.push({ name, atMs: Date.now() });
    const more = (orders: number) => {
      const wanted = buyers.orders.length + orders;
      return until(`${wanted} orders`, 90_000, () => buyers.orders.length >= wanted || undefined);
    };

    phase('three replicas');
    await more(SOME);
    phase('one killed, its order charged');
    const killed = await killWithOrder(buyers);
    await more(SOME);
    phase('replaced');
    replicas[killed.at] = await start(killed.at, String(killed.port));
    await more(SOME);
    await serves(killed.at);
    phase('a migration');
    await migrate();
    await more(SOME);
    phase('another drained');
    const drained = (killed.at + 1) % 3;
    const { port } = replicas[drained]!;
    replicas[drained]!.child.kill('SIGTERM');
    expect(await replicas[drained]!.ended).toBe(0);
    phase('replaced, too');
    replicas[drained] = await start(drained, String(port));
    await more(SOME);
    await serves(drained);
    await buyers.stop();
    console.log(report(phases, buyers, killed.atMs));
    console.log(memory(replicas));

    expect(buyers.orders).toContain(killed.orderId);
    expect(failuresElsewhere(buyers, killed)).toEqual([]);
    expect(repeatedByNginx()).toEqual([]);
    await expectOnce(buyers);
    expect(new Set(nginx.accesses().map(({ tls }) => tls))).toEqual(new Set(['TLSv1.3']));
  });

  /** SIGKILL for the first replica that waits for the charge of an order; the provider has made it by then. */
  async function killWithOrder(buyers: Buyers): Promise<Killed> {
    const { opened: later, open } = gate();
    const held = providers.map(async (proxy, at) => {
      const { requestBody } = await proxy.inject(isCharge, { hold_reply: later }).fired;
      return { at, orderId: new URLSearchParams(requestBody).get('metadata[order_id]') ?? '' };
    });
    const { at, orderId } = await Promise.race(held);
    for (const proxy of providers) proxy.clear();
    const { child, port, ended } = replicas[at]!;
    const atMs = Date.now();
    child.kill('SIGKILL');
    await ended;
    const goneAtMs = Date.now();
    open();
    const isLost = (): true | undefined => buyers.failures().some(({ path }) => path === '/orders') || undefined;
    await until('its buyer knows', 20_000, isLost);
    // What half a minute later would look like, for those alone whose worker is dead.
    const expired = `set lease_until = now() - interval '1 second'`;
    await stack.owner.query(`update orders ${expired} where status = 'pending' and id = $1`, [orderId]);
    const keys = buyers.failures().map(({ key }) => key);
    await stack.owner.query(`update idempotency_keys ${expired} where state = 'in_flight' and key = any ($1)`, [keys]);
    return { at, port, atMs, goneAtMs, orderId };
  }

  /** nginx tries a replica that failed again after a while. */
  async function serves(at: number): Promise<void> {
    const hasServed = () => replicas[at]!.logs().some(({ route }) => route !== undefined) || undefined;
    await until('the new one serves', 60_000, hasServed);
  }

  async function migrate(): Promise<void> {
    const folder = join(scratch, 'migrations');
    cpSync(join(ROOT, 'migrations'), folder, { recursive: true });
    writeFileSync(join(folder, '29991231000000_add_release_note.sql'), RELEASE);
    writeFileSync(
      join(folder, '29991231000000_add_release_note.down.sql'),
      'alter table products drop column release_note;\n',
    );
    const { superuserUrl, ownerPassword } = inject('shared');
    const applied = await migrateUp(asRole(superuserUrl, OWNER_ROLE, ownerPassword, stack.databaseName), folder);
    expect(applied.at(-1)).toBe('29991231000000_add_release_note');
  }

  /** Every order that was acknowledged is there, paid once, and so is nothing else. */
  async function expectOnce({ orders }: Buyers): Promise<void> {
    expect(new Set(orders).size).toBe(orders.length);
    const { rows } = await stack.owner.query(
      `select o.id, o.status, (select count(*)::int from outbox_events e
         where e.aggregate_id = o.id::text and e.type = 'order.placed') as placed
       from orders o join order_items i on i.order_id = o.id where i.sku_id = any ($1)`,
      [skus.map(({ id }) => id)],
    );
    expect(rows.filter(({ status, placed }) => status !== 'confirmed' || placed !== 1)).toEqual([]);
    const inOrder = (ids: unknown[]): string[] => ids.map(String).toSorted();
    expect(inOrder(rows.map(({ id }) => id))).toEqual(inOrder(orders));
    expect(inOrder(stack.provider.charges().map(({ order_id }) => order_id))).toEqual(inOrder(orders));
    const left = await Promise.all(skus.map(({ id }) => stockOf(stack, id)));
    const sold = left.reduce((sum, { on_hand }) => sum + STOCK - on_hand, 0);
    expect([sold, left.map(({ reserved }) => reserved)]).toEqual([orders.length, [0, 0, 0]]);
  }

  /** Failed requests that were not in flight on the replica when it was killed. */
  function failuresElsewhere(buyers: Buyers, { port, atMs, goneAtMs }: Killed): unknown[] {
    const upstream = `127.0.0.1:${port}`;
    const lost = nginx.accesses().filter(({ status }) => status >= 500);
    const byNginx = lost.filter((line) => line.upstream.at(-1) !== upstream || line.upstreamBytesSent.at(-1) === 0);
    const byBuyers = buyers
      .failures()
      .filter(({ startedAtMs, endedAtMs }) => startedAtMs > goneAtMs || endedAtMs < atMs);
    expect(lost).toHaveLength(buyers.failures().length);
    return [...byNginx, ...byBuyers];
  }

  /** Requests that are not harmless to repeat, of which bytes went to more than one replica. */
  function repeatedByNginx(): unknown[] {
    return nginx
      .accesses()
      .filter(
        ({ method, upstreamBytesSent }) =>
          NOT_IDEMPOTENT.has(method) && upstreamBytesSent.filter((bytes) => bytes > 0).length > 1,
      );
  }
});

interface Killed {
  at: number;
  port: number;
  atMs: number;
  /** Until it is gone, the kernel takes requests for it. */
  goneAtMs: number;
  /** Of the order that it was charging for. */
  orderId: string;
}

interface Phase {
  name: string;
  atMs: number;
}

function report(phases: readonly Phase[], buyers: Buyers, killedAtMs: number): string {
  const rows = phases.map(({ name, atMs }, index) => {
    const untilMs = phases[index + 1]?.atMs ?? Number.POSITIVE_INFINITY;
    const sent = buyers.sent.filter(({ startedAtMs }) => startedAtMs >= atMs && startedAtMs < untilMs);
    const inFlight = buyers.sent.filter(
      ({ startedAtMs, endedAtMs }) => startedAtMs <= killedAtMs && endedAtMs >= killedAtMs,
    );
    const durations = sent.map(({ startedAtMs, endedAtMs }) => endedAtMs - startedAtMs).toSorted((a, b) => a - b);
    const quantile = (share: number): number => durations[Math.floor((durations.length - 1) * share)] ?? 0;
    const failed = buyers.failures().filter((one) => sent.includes(one)).length;
    const isKill = atMs <= killedAtMs && killedAtMs < untilMs;
    return [name, sent.length, isKill ? inFlight.length : '', failed, quantile(0.5), quantile(0.95)];
  });
  return table(['phase', 'requests', 'in flight at the kill', 'failed', 'p50 ms', 'p95 ms'], rows);
}

/** What HPA and limits of Kubernetes are about: MiB that are resident, supervisor and workerd. */
function memory(replicas: readonly Replica[]): string {
  const residentOf = (pid: number): number => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024);
  };
  const rows = replicas.map((replica, at) => {
    const [supervisor, worker] = [residentOf(replica.child.pid ?? 0), residentOf(workerdOf(replica))];
    return [`replica ${at + 1}`, supervisor, worker, supervisor + worker];
  });
  return table(['', 'supervisor MiB', 'workerd MiB', 'together'], rows);
}
