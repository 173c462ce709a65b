import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { parseText } from '../../src/platform/telemetry/metrics/parse.ts';
import { isInstalled, type Program, startProgram } from '../support/prometheus.ts';
import { startStack, type Stack } from '../support/stack.ts';

const TOKEN = 'token-for-reading-metrics';
const authorized = { authorization: `Bearer ${TOKEN}` };
const isThere = isInstalled('prometheus');

let folder: string;
let prometheus: Program;
let stack: Stack;
beforeAll(async () => {
  if (!isThere) return;
  folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
  const config = join(folder, 'prometheus.yml');
  await writeFile(config, 'global:\n  scrape_interval: 1h\n');
  const storage = `--storage.tsdb.path=${join(folder, 'data')}`;
  prometheus = await startProgram('prometheus', [
    `--config.file=${config}`,
    storage,
    '--web.enable-remote-write-receiver',
  ]);
  const env = { METRICS_TOKEN: TOKEN, METRICS_FLUSH_SECONDS: '1', REMOTE_WRITE_URL: `${prometheus.url}/api/v1/write` };
  stack = await startStack({ env });
});
afterAll(async () => {
  await stack?.close();
  await prometheus?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

type Labels = Record<string, string>;

async function query(expression: string): Promise<{ labels: Labels; value: string }[]> {
  const response = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const { data } = (await response.json()) as { data: { result: { metric: Labels; value: [number, string] }[] } };
  return data.result.map(({ metric, value }) => ({ labels: metric, value: value[1] }));
}

async function pushNow(): Promise<{ series: number; bytes: number; status: number }> {
  const response = await stack.fetch('/metrics/push', { method: 'POST', headers: authorized });
  expect(response.status).toBe(200);
  return (await response.json()) as { series: number; bytes: number; status: number };
}

const scrape = async () => await (await fetch(`${stack.url}/metrics`, { headers: authorized })).text();
const requestsTo = (text: string, route: string): number =>
  parseText(text)
    .flatMap(({ samples }) => samples)
    .filter(({ name, labels }) => name === 'ecommerce_http_requests_total' && labels['route'] === route)
    .reduce((sum, { value }) => sum + value, 0);

const PUSHED = [
  '# TYPE odd_values gauge',
  'odd_values{n="third"} 0.1',
  'odd_values{n="large"} 9007199254740993',
  'odd_values{n="nan"} NaN',
  'odd_values{n="minus infinity"} -Inf',
  'odd_values{n="smallest"} 5e-324',
  'odd_values{n="é \\"\\\\\\n 😀"} -1',
  '# TYPE sizes histogram',
  'sizes_bucket{le="1"} 1',
  'sizes_bucket{le="1000000"} 2',
  'sizes_sum 2.5',
  'sizes_count 3',
  '',
].join('\n');

test.skipIf(!isThere)('the object writes on by its own alarm', async () => {
  await scrape();
  for (let tries = 0; (await query('ecommerce_orders_created_total')).length === 0 && tries < 200; tries += 1) {
    await sleep(100);
  }
  expect((await query('ecommerce_orders_created_total')).map(({ value }) => value)).toEqual(['0']);
});

test.skipIf(!isThere)('the real Prometheus takes what is written on, and answers with the same values', async () => {
  for (let asked = 0; asked < 7; asked += 1) await stack.fetch('/health/live');
  const url = `${stack.url}/metrics/job/nightly/shard/a`;
  expect((await fetch(url, { method: 'PUT', headers: authorized, body: PUSHED })).status).toBe(200);
  // The push, too, is to be counted before the next test compares.
  await vi.waitFor(
    async () => {
      const text = await scrape();
      expect([requestsTo(text, '/health/live'), requestsTo(text, '/metrics/job/*')]).toEqual([7, 1]);
    },
    { timeout: 30_000, interval: 100 },
  );

  const report = await pushNow();
  expect(report).toMatchObject({ status: 204, outcome: 'taken' });
  expect(await query('sum(ecommerce_http_requests_total{route="/health/live",status="200"})')).toEqual([
    { labels: {}, value: '7' },
  ]);
  const own = await query('odd_values');
  const byName = Object.fromEntries(own.map(({ labels, value }) => [labels['n'], value]));
  expect(byName).toEqual({
    third: '0.1',
    large: '9007199254740992',
    nan: 'NaN',
    'minus infinity': '-Inf',
    smallest: '5e-324',
    'é "\\\n 😀': '-1',
  });
  expect(own[0]?.labels).toMatchObject({ job: 'nightly', shard: 'a', environment: 'test' });
  expect(own[0]?.labels).not.toHaveProperty('instance');
  const buckets = await query('sizes_bucket');
  expect(Object.fromEntries(buckets.map(({ labels, value }) => [labels['le'], value]))).toEqual({
    '1.0': '1',
    '1e+06': '2',
    '+Inf': '3',
  });
});

test.skipIf(!isThere)('every series of the exposition arrives with its value and labels', async () => {
  await pushNow();
  const counted = new Set(['/metrics', '/metrics/push', '/health/live']);
  const expected = parseText(await scrape())
    .flatMap(({ samples }) => samples)
    // What this test's own requests move on between the two readings.
    .filter(({ labels, name }) => !counted.has(labels['route'] ?? '') && !name.startsWith('ecommerce_runtime'));
  const received = await query('{__name__=~".+"}');
  const known = new Map(received.map(({ labels, value }) => [keyOf(labels), Number(value.replace('Inf', 'Infinity'))]));
  expect(expected.length).toBeGreaterThan(30);
  for (const { name, labels, value } of expected) {
    const own = { job: 'ecommerce-api', environment: 'test', ...labels, __name__: name };
    expect([keyOf(own), known.get(keyOf(own))]).toEqual([keyOf(own), value]);
  }
});

/** As remote write has them: sorted, none empty, bounds with a point. */
function keyOf(labels: Labels): string {
  const pairs = Object.entries(labels).flatMap(([name, text]) =>
    text === '' ? [] : [[name, name === 'le' && /^\d+$/.test(text) ? `${text}.0` : text] as const],
  );
  return JSON.stringify(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
