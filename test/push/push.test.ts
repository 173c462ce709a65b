import { Hono } from 'hono';
import { Counter, Gauge, Histogram, Pushgateway, Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { AppEnv } from '../../src/platform/http/context.ts';
import { problem, toAppError } from '../../src/platform/http/problem.ts';
import { createPushRoutes } from '../../src/platform/telemetry/push/routes.ts';
import { startRecord } from '../../src/platform/telemetry/record.ts';
import { PushGroups } from '../../src/platform/telemetry/push/groups.ts';
import { emptyPoint, type PointFamily } from '../../src/platform/telemetry/metrics/point.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { openSql } from '../support/sql.ts';

const TOKEN = 'token-for-pushing-metrics';
let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { METRICS_TOKEN: TOKEN } });
});
afterAll(() => stack.close());

const authorized = { authorization: `Bearer ${TOKEN}` };
const push = (path: string, body: string, headers: Record<string, string> = authorized) =>
  fetch(`${stack.url}/metrics/job/${path}`, { method: 'PUT', headers, body });
const scrape = async () => await (await fetch(`${stack.url}/metrics`, { headers: authorized })).text();

test('only the token opens it', async () => {
  const basic = (password: string) => ({ authorization: `Basic ${btoa(`cron:${password}`)}` });
  expect((await push('auth', 'auth_a 1\n', {})).status).toBe(401);
  expect((await push('auth', 'auth_a 1\n', { authorization: 'Bearer wrong' })).status).toBe(401);
  expect((await push('auth', 'auth_a 1\n', { authorization: `Bearer ${TOKEN}x` })).status).toBe(401);
  expect((await push('auth', 'auth_a 1\n', basic('wrong'))).status).toBe(401);
  expect(await scrape()).not.toContain('auth_a');
  expect((await push('auth', 'auth_a 1\n', basic(TOKEN))).status).toBe(200);
  expect(await scrape()).toContain('auth_a{instance="",job="auth"} 1');
});

test('without a token in the bindings it is closed to everybody', async () => {
  const closed = await startStack({ env: { METRICS_TOKEN: '' } });
  try {
    for (const headers of [{}, { authorization: 'Bearer ' }, authorized]) {
      const init = { method: 'PUT', headers, body: 'a 1\n' };
      expect((await fetch(`${closed.url}/metrics/job/closed`, init)).status).toBe(404);
    }
  } finally {
    await closed.close();
  }
});

test('a push is counted under its route, whatever its job', async () => {
  for (const job of ['one', 'two/instance/a']) expect((await push(job, 'counted 1\n')).status).toBe(200);
  const counted = /^ecommerce_http_requests_total\{method="PUT",route="\/metrics\/job\/\*",status="200"\} (\d+)$/m;
  await vi.waitFor(async () => expect(Number(counted.exec(await scrape())?.[1])).toBeGreaterThanOrEqual(2), {
    timeout: 15_000,
    interval: 200,
  });
});

test("the shop's own names are refused", async () => {
  const before = await scrape();
  const answer = await push(
    'own',
    '# TYPE ecommerce_orders_created_total counter\necommerce_orders_created_total 99\n',
  );
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain('ecommerce_orders_created_total');
  const orders = (text: string) => /^ecommerce_orders_created_total.*$/m.exec(text)?.[0];
  expect(orders(await scrape())).toBe(orders(before));
});

test('a body over the limit is 413, one over that of the API is taken', async () => {
  const line = `big{text="${'x'.repeat(200_000)}"} 1\n`;
  expect((await push('big', line)).status).toBe(200);
  expect((await push('big', line.replace('x', 'x'.repeat(1_048_576)))).status).toBe(413);
  const gone = await fetch(`${stack.url}/metrics/job/big`, { method: 'DELETE', headers: authorized });
  expect(gone.status).toBe(202);
});

test('other methods are told which there are', async () => {
  const answer = await fetch(`${stack.url}/metrics/job/a`, { headers: authorized });
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'DELETE, POST, PUT']);
});

test('where the object that keeps groups does not answer, it is 503 and may be tried again', async () => {
  const app = new Hono<AppEnv>()
    .use((c, next) => {
      c.set('record', startRecord('r', undefined));
      c.set('deps', { config: { METRICS_TOKEN: TOKEN } } as AppEnv['Variables']['deps']);
      return next();
    })
    .route(
      '/',
      createPushRoutes(() => ({ push: () => Promise.reject(new Error('Network connection lost.')) })),
    )
    .onError((error, c) => problem(c, toAppError(error)));
  for (const method of ['PUT', 'POST', 'DELETE']) {
    const answer = await app.request('/metrics/job/a', { method, headers: authorized }, {});
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
  }
});

test("prom-client's Pushgateway works as it is", async () => {
  const registry = new Registry();
  const registers = [registry];
  const done = new Counter({ name: 'batch_done_total', help: 'Rows.', labelNames: ['kind'], registers });
  const size = new Gauge({ name: 'batch_size', help: 'Bytes.', registers });
  const took = new Histogram({ name: 'batch_seconds', help: 'Time.', buckets: [0.1, 1], registers });
  const gateway = new Pushgateway(stack.url, { headers: { Authorization: `Bearer ${TOKEN}` } }, registry);
  const group = { jobName: 'nightly import', groupings: { shard: 'a b', zone: 'eu' } };

  done.inc({ kind: 'sku' }, 3);
  took.observe(0.5);
  await gateway.push(group);
  const first = await scrape();
  expect(first).toContain('batch_done_total{instance="",job="nightly import",kind="sku",shard="a b",zone="eu"} 3');
  expect(first).toContain('batch_seconds_bucket{instance="",job="nightly import",shard="a b",zone="eu",le="1"} 1');

  registry.removeSingleMetric('batch_done_total');
  size.set(7);
  await gateway.pushAdd(group);
  const second = await scrape();
  expect(second).toContain('batch_done_total{');
  expect(second).toContain('batch_size{instance="",job="nightly import",shard="a b",zone="eu"} 7');
  await gateway.push(group);
  expect(await scrape()).not.toContain('batch_done_total{');

  await gateway.delete(group);
  expect(await scrape()).not.toContain('nightly import');
});

const family = (name: string, values: number[]): PointFamily => ({
  name,
  help: '',
  type: 'gauge',
  points: values.map((value, index) => ({ ...emptyPoint('gauge'), value, labels: [['n', String(index)]] })),
});

test('groups outlive the object, numbers that JSON does not know with them', () => {
  const sql = openSql();
  const before = new PushGroups(sql);
  const numbers = [NaN, Infinity, -Infinity, -0, 0.1, 2 ** 53];
  expect(before.put({ job: 'a' }, [family('numbers', numbers)], 1_500)).toBeNull();
  expect(before.put({ job: 'b' }, [family('other', [1])], 2_000)).toBeNull();
  before.delete({ job: 'b' });
  expect(before.add({ job: 'a' }, [{ ...family('numbers', [1]), type: 'counter' }], 3_000)).toContain('COUNTER');
  const after = new PushGroups(sql).families();
  expect(after).toEqual(before.families());
  expect(after.map(({ name }) => name)).toEqual(['numbers', 'push_failure_time_seconds', 'push_time_seconds']);
  expect(after[0]?.samples.map(({ value }) => value)).toEqual(numbers);
  expect(after[1]?.samples).toEqual([
    { name: 'push_failure_time_seconds', labels: { instance: '', job: 'a' }, value: 3 },
  ]);
});

test('groups and series are capped, and a refused push is not kept', () => {
  const groups = new PushGroups(openSql());
  const many = Array.from({ length: 4_999 }, (_, index) => index);
  expect(groups.put({ job: 'many' }, [family('many', many)], 1)).toBeNull();
  expect(groups.put({ job: 'one' }, [family('one', [1])], 1)).toBeNull();
  expect(groups.put({ job: 'two' }, [family('two', [1])], 1)).toContain('5000 metrics');
  groups.delete({ job: 'two' });
  for (let index = 2; index < 500; index += 1) expect(groups.put({ job: `g${index}` }, [], 1)).toBeNull();
  expect(groups.put({ job: 'over' }, [], 1)).toContain('500 groups');
  expect(
    groups
      .families()
      .flatMap(({ samples }) => samples)
      .some(({ labels }) => labels['job'] === 'over'),
  ).toBe(false);
  expect(groups.put({ job: 'one' }, [family('one', [2])], 1)).toBeNull();
});

test('what would be too long to scrape is refused, though it is short to push', () => {
  const groups = new PushGroups(openSql());
  const point = { ...emptyPoint('histogram'), labels: [['text', 'x'.repeat(10_000)] as [string, string]] };
  const steps = Array.from({ length: 1_000 }, (_, bound): [number, number] => [bound, bound]);
  const sizes: PointFamily = { name: 'sizes', help: '', type: 'histogram', points: [{ ...point, steps }] };
  expect(groups.put({ job: 'a' }, [sizes], 1)).toContain('8000000 characters');
  const fewer = { ...sizes, points: [{ ...point, steps: steps.slice(0, 400) }] };
  expect(groups.put({ job: 'a' }, [fewer], 1)).toBeNull();
  expect(groups.put({ job: 'b' }, [fewer], 1)).toContain('8000000 characters');
});

test('the size of a group is that of its bytes', () => {
  const groups = new PushGroups(openSql());
  const wide = (at: number): PointFamily => ({
    ...family(`wide_${at}`, []),
    points: [{ ...emptyPoint('gauge'), labels: [['text', '漢'.repeat(200_000)]] }],
  });
  expect(groups.add({ job: 'a' }, [wide(0)], 1)).toBeNull();
  expect(groups.add({ job: 'a' }, [wide(1)], 1)).toBeNull();
  expect(groups.add({ job: 'a' }, [wide(2)], 1)).toContain('1500000 bytes');
  expect(groups.put({ job: 'a' }, [family('small', [1])], 1)).toBeNull();
});
