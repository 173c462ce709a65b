import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

const TOKEN = 'metrics-token-of-this-test';
const ISOLATES = ['one', 'two', 'three', 'four'];
const CONCURRENCY = 64;
const secret = 'x'.repeat(32);

/** Never spoken to: the routes asked here do no I/O of their own. */
const BINDINGS = {
  ENVIRONMENT: 'test',
  DATABASE_URL: 'postgres://app:app@127.0.0.1:1/none',
  UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1',
  UPSTASH_REDIS_REST_TOKEN: 'none',
  JWT_ACCESS_SECRET: `${secret}1`,
  JWT_REFRESH_SECRET: `${secret}2`,
  ORDER_TOKEN_SECRET: `${secret}3`,
  METRICS_TOKEN: TOKEN,
  METRICS_FLUSH_SECONDS: '1',
  LOG_LEVEL: 'fatal',
};

let persist: string;
let workerd: Miniflare;
let urls: URL[];

/** Four services of one workerd, each an isolate of its own, that share one object on disk. */
async function start(): Promise<void> {
  const { workerDir } = inject('shared');
  workerd = new Miniflare({
    ...convertV4MiniflareOptions({
      workers: ISOLATES.map((name) => ({
        name,
        modules: [{ type: 'ESModule', path: join(workerDir, 'index.js') }],
        modulesRoot: workerDir,
        compatibilityDate: '2026-10-01',
        compatibilityFlags: ['nodejs_compat'],
        bindings: BINDINGS,
        durableObjects: { METRICS: { className: 'MetricsAggregator', useSQLite: true, scriptName: 'one' } },
        unsafeDirectSockets: [{ port: 0 }],
      })),
    }),
    resourcePersistencePath: persist,
  });
  await workerd.ready;
  urls = await Promise.all(ISOLATES.map((name) => workerd.unsafeGetDirectURL(name)));
}

beforeAll(async () => {
  persist = await mkdtemp(join(tmpdir(), 'metrics-'));
  await start();
});
afterAll(async () => {
  await workerd.dispose();
  await rm(persist, { recursive: true });
});

async function load(requests: number): Promise<void> {
  let sent = 0;
  const client = async () => {
    while (sent < requests) {
      sent += 1;
      const url = urls[sent % urls.length]!;
      const response = await fetch(new URL('/health/live', url));
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, client));
}

const scrape = async (): Promise<string> => {
  const response = await fetch(new URL('/metrics', urls[0]), { headers: { authorization: `Bearer ${TOKEN}` } });
  expect(response.status).toBe(200);
  return await response.text();
};

function counted(text: string): number {
  const line = /^ecommerce_http_requests_total\{method="GET",route="\/health\/live",status="200"\} (\d+)$/m.exec(text);
  return Number(line?.[1] ?? 0);
}

/** The counts of the last window arrive within a flush interval; more than was sent never does. */
async function settled(total: number): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const seen = counted(await scrape());
    if (seen >= total) {
      await sleep(1_500);
      return counted(await scrape());
    }
    await sleep(200);
  }
  return counted(await scrape());
}

const TOTAL = 20_000;

test('20,000 requests through four isolates: the scraped total is exactly right', async () => {
  await load(TOTAL);
  expect(await settled(TOTAL)).toBe(TOTAL);
  const text = await scrape();
  const count = /^ecommerce_http_request_duration_seconds_count\{method="GET",route="\/health\/live"\} (\d+)$/m.exec(
    text,
  );
  expect(Number(count?.[1])).toBe(TOTAL);
  expect(text).toMatch(/^ecommerce_runtime_isolates 4$/m);
});

test('killed three times, what was acknowledged is still there and goes on from where it was', async () => {
  let expected = counted(await scrape());
  for (let kill = 0; kill < 3; kill += 1) {
    const pids = execFileSync('pgrep', ['-P', String(process.pid), 'workerd'], { encoding: 'utf8' })
      .trim()
      .split('\n');
    for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
    await workerd.dispose().catch(() => undefined);
    await start();
    expect(counted(await scrape())).toBe(expected);
    await load(500);
    expected += 500;
    expect(await settled(expected)).toBe(expected);
  }
});
