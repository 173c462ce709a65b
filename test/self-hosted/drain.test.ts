import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../observability/programs.ts';
import { gate, isCharge } from '../support/order-path.ts';
import { createSku, pay, placeOrder, readyCart } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { onReplica, startReplica } from './replica.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.close());

/** A client that keeps its connection, as a load balancer does. */
function keeper(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (path: string) =>
    new Promise<{ status: number; connection: string | undefined }>((resolve, reject) => {
      const asked = get(`${url}${path}`, { agent }, (response) => {
        response.resume().on('end', () => {
          resolve({ status: response.statusCode ?? 0, connection: response.headers.connection });
        });
      });
      asked.on('error', reject);
    });
  return { ask, close: () => agent.destroy() };
}

/** Resolves when a new connection is taken. */
function newcomer(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(void socket.destroy()));
    socket.on('error', reject);
  });
}

/** An order whose charge is held back at the provider. */
async function slowOrder(shop: Stack, key: string) {
  const sku = await createSku(stack, { stock: 1 });
  const cart = await readyCart(shop, [{ sku_id: sku.id, quantity: 1 }]);
  const { opened, open } = gate();
  const { fired } = stack.payments.inject(isCharge, { hold_reply: opened });
  const placed = placeOrder(shop, cart.id, pay('tok_ok'), { key });
  await fired;
  return { placed, open, cartId: cart.id };
}

test('SIGTERM: readiness is 503, nobody new comes in, the order in flight ends well, its line and its count are there, exit code 0', async () => {
  const env = { ...stack.bindings, METRICS_FLUSH_SECONDS: '1' };
  const stateDir = await mkdtemp(join(tmpdir(), 'drained-'));
  const replica = await startReplica({ env, stateDir });
  const shop = onReplica(stack, replica);
  const balancer = keeper(replica.url);
  expect((await balancer.ask('/health/ready')).status).toBe(200);
  const { placed, open } = await slowOrder(shop, 'drained');

  replica.child.kill('SIGTERM');
  await until('it drains', 10_000, () => replica.logs().find(({ msg }) => msg === 'draining'));
  expect(await balancer.ask('/health/ready')).toEqual({ status: 503, connection: 'close' });
  await expect(newcomer(replica.port)).rejects.toThrow('ECONNREFUSED');
  replica.child.kill('SIGTERM');
  open();
  const order = await placed;
  expect(order.status, order.text).toBe(201);
  expect(order.body.payment_status).toBe('captured');
  expect(await replica.ended).toBe(0);

  const logs = replica.logs();
  const line = logs.find(({ method, route }) => method === 'POST' && route === '/api/v1/orders');
  expect(line).toMatchObject({ status: 201, order_id: order.body.id });
  expect(logs.at(-1)).toMatchObject({ msg: 'drained', in_flight: 0 });
  balancer.close();

  const next = await startReplica({ env, stateDir });
  const headers = { authorization: `Bearer ${stack.bindings['METRICS_TOKEN']}` };
  const metrics = await (await fetch(`${next.url}/metrics`, { headers })).text();
  expect(metrics).toMatch(/^ecommerce_http_requests_total\{method="POST",route="\/api\/v1\/orders",status="201"\} 1$/m);
  await next.close();
  await rm(stateDir, { recursive: true });
});

test('what takes longer than DRAIN_SECONDS is cut, counted, and the exit code says so', async () => {
  const replica = await startReplica({ env: { ...stack.bindings, DRAIN_SECONDS: '1', METRICS_FLUSH_SECONDS: '1' } });
  const shop = onReplica(stack, replica);
  const { placed, open } = await slowOrder(shop, 'cut');
  const outcome = placed.then(
    () => 'answered',
    (error: unknown) => (error instanceof Error ? error.message : error),
  );
  replica.child.kill('SIGTERM');
  expect(await replica.ended).toBe(1);
  expect(await outcome).toBe('fetch failed');
  open();
  expect(replica.logs().at(-1)).toMatchObject({ level: 'warn', msg: 'drained', in_flight: 1 });
  await replica.close();
});
