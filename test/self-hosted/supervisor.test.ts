import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unstable_getMiniflareWorkerOptions } from 'wrangler';
import { COMPATIBILITY_DATE } from '../../deploy/supervisor/worker-config.ts';
import { until } from '../observability/programs.ts';
import { builtDocument } from '../support/contract.ts';
import { gate, isCharge } from '../support/order-path.ts';
import { call, createSku, pay, placeOrder, readyCart } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { buy } from './main-job.ts';
import { bareBindings, onReplica, spawnReplica, startReplica, workerdOf, type Replica } from './replica.ts';

let stack: Stack;
let replica: Replica;
let stateDir: string;
let shop: Stack;
beforeAll(async () => {
  stack = await startStack();
  stateDir = await mkdtemp(join(tmpdir(), 'state-'));
  replica = await startReplica({ env: stack.bindings, stateDir });
  shop = onReplica(stack, replica);
});
afterAll(async () => {
  await replica.close();
  await stack.close();
  await rm(stateDir, { recursive: true, force: true });
});

/** Sends bytes as they are, and resolves to all that comes back until the other side closes. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(replica.port, '127.0.0.1', () => socket.write(text));
    let reply = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (reply += chunk));
    socket.on('close', () => resolve(reply)).on('error', reject);
  });
}

describe('a replica', () => {
  test('serves the main job', async () => {
    expect((await buy(shop, 'ada')).status).toBe('confirmed');
    const line = await until('the line of the order', 10_000, () =>
      replica.logs().find(({ method, route }) => method === 'POST' && route === '/api/v1/orders'),
    );
    expect(line).toMatchObject({ level: 'info', status: 201, service: 'ecommerce-api' });
  });

  test('has the compatibility of wrangler.toml: of its flags, nodejs_compat is a default of the date', () => {
    const toml = join(import.meta.dirname, '../../wrangler.toml');
    const { workerOptions } = unstable_getMiniflareWorkerOptions(toml, 'production');
    const { compatibilityDate: date, compatibilityFlags: flags } = workerOptions;
    expect({ date, flags }).toEqual({ date: COMPATIBILITY_DATE, flags: ['nodejs_compat'] });
    expect(Date.parse(COMPATIBILITY_DATE)).toBeGreaterThan(Date.parse('2026-08-04'));
  });

  test('serves the reference and the document from files, with the headers they have on Cloudflare', async () => {
    const document = await fetch(`${replica.url}/openapi.json`);
    expect(document.headers.get('access-control-allow-origin')).toBe('*');
    expect(await document.json()).toEqual(builtDocument());
    const page = await fetch(`${replica.url}/docs`);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const etag = page.headers.get('etag') ?? '';
    const again = await fetch(`${replica.url}/docs`, { headers: { 'if-none-match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
    expect((await fetch(`${replica.url}/_headers`)).status).toBe(404);
  });

  test('says who asks by the socket, and believes nobody else', async () => {
    stack.redis.clear();
    const headers = { 'x-real-ip': '203.0.113.9', 'cf-connecting-ip': '203.0.113.9', 'x-forwarded-for': '203.0.113.9' };
    expect((await call(shop, 'GET', '/products?limit=1', undefined, { headers })).status).toBe(200);
    const asked = stack.redis.exchanges.map(({ requestBody }) => requestBody).join('\n');
    expect(asked).toContain('127.0.0.1');
    expect(asked).not.toContain('203.0.113.9');
  });
});

describe('what never becomes a request', () => {
  test('headers above 1 MiB are 431, and what is no HTTP is 400; both are problems', async () => {
    const large = await raw(`GET / HTTP/1.1\r\nhost: shop\r\nx-large: ${'x'.repeat(1 << 20)}\r\n\r\n`);
    expect(large).toMatch(/^HTTP\/1\.1 431 [^]*content-type: application\/problem\+json[^]*"code":"headers_too_large"/);
    expect(await raw('hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [^]*"code":"malformed_request"/);
  });

  test('headers below that reach the Worker, which has its own limit', async () => {
    const reply = await raw(
      `GET /health/live HTTP/1.1\r\nhost: shop\r\nconnection: close\r\nx-large: ${'x'.repeat(40_000)}\r\n\r\n`,
    );
    expect(reply).toMatch(/^HTTP\/1\.1 431 [^]*"param":"x-large"/);
  });
});

describe('when workerd is killed', () => {
  test('a request in flight is 502, the next is served, and the order in doubt is settled under its key', async () => {
    const sku = await createSku(stack, { stock: 1 });
    const cart = await readyCart(shop, [{ sku_id: sku.id, quantity: 1 }]);
    const { opened, open } = gate();
    const { fired } = stack.payments.inject(isCharge, { hold_reply: opened });
    const body = JSON.stringify({ cart_id: cart.id, payment: pay('tok_ok') });
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'killed' };
    const inFlight = fetch(`${replica.url}/api/v1/orders`, { method: 'POST', headers, body });
    await fired;
    process.kill(workerdOf(replica), 'SIGKILL');
    const cut = await inFlight;
    expect(cut.status).toBe(502);
    expect(await cut.json()).toMatchObject({ code: 'worker_lost', status: 502 });
    open();
    await until('it serves', 60_000, async () => {
      const live = await fetch(`${replica.url}/health/live`);
      return live.status === 200 ? true : undefined;
    });
    expect(replica.logs()).toContainEqual(expect.objectContaining({ msg: 'worker ended', cause: 'SIGKILL' }));
    for (const table of ['orders', 'idempotency_keys', 'payment_request_leases'])
      await stack.owner.query(
        `update ${table} set lease_until = now() - interval '1 second' where lease_until > now()`,
      );
    const again = await until('the order', 30_000, async () => {
      const reply = await placeOrder(shop, cart.id, pay('tok_ok'), { key: 'killed' });
      return reply.status === 201 ? reply : undefined;
    });
    expect(again.body).toMatchObject({ status: 'confirmed', payment_status: 'captured' });
  });
});

describe('a replica does not start', () => {
  test('in the folder of another, and says so', async () => {
    const second = spawnReplica({ env: stack.bindings, stateDir });
    expect(await second.ended).toBe(1);
    expect(second.lines()).toHaveLength(1);
    expect(second.logs()[0]).toMatchObject({ level: 'fatal', msg: 'cannot start' });
    expect(second.lines()[0]).toContain('is used by another process');
  });

  test('misconfigured: one line names every fault and no value', async () => {
    const env = { ...bareBindings(), JWT_ACCESS_SECRET: 'tooshort', TLS_ENABLED: 'perhaps', DATABASE_URL: 'mysql://x' };
    const refused = spawnReplica({ env, stateDir });
    expect(await refused.ended).toBe(1);
    expect(refused.lines()).toHaveLength(1);
    const text = refused.lines().join('');
    for (const name of ['JWT_ACCESS_SECRET', 'TLS_ENABLED', 'DATABASE_URL']) expect(text).toContain(name);
    expect(text).not.toMatch(/tooshort|mysql/);
  });

  test('on a port that is taken', async () => {
    const own = await mkdtemp(join(tmpdir(), 'state-'));
    const refused = spawnReplica({ env: { ...bareBindings(), PORT: String(replica.port) }, stateDir: own });
    expect(await refused.ended).toBe(1);
    expect(refused.lines().join('')).toContain('EADDRINUSE');
    await rm(own, { recursive: true });
  });
});

test('a supervisor that is killed takes its workerd along', async () => {
  const doomed = await startReplica({ env: bareBindings() });
  const pid = workerdOf(doomed);
  doomed.child.kill('SIGKILL');
  await doomed.ended;
  expect(await until('workerd is gone', 10_000, () => (existsSync(`/proc/${pid}`) ? undefined : true))).toBe(true);
  await doomed.close();
});
