// What telemetry costs a read, in CPU of workerd against the same Worker without any: npm run bench:telemetry-cost
// Linux only, since it reads /proc.
import * as z from 'zod';
import { send } from './load.ts';
import { cpuSeconds, workerdPids } from './process-cpu.ts';
import { startShopParts } from './shop.ts';
import { table } from './table.ts';
import { startTraceReceiver } from './trace-receiver.ts';
import type { Workers } from './workerd.ts';

/** Many short ones in turn, so that what else the machine does meets all alike. */
const ROUNDS = 24;
const REQUESTS = 500;
const WARM_UP = 2_000;
const CONNECTIONS = 16;
/** Longer than the wait before a flush of counts or of spans: what is sent behind the replies is part of the cost. */
const SETTLE_MS = 2_500;

/** The Worker without telemetry, which no binding can make: nothing is counted and nothing is flushed. */
const withoutTelemetry = (root: string): string => `
import { MetricsBuffer } from '${root}/src/platform/telemetry/metrics/buffer.ts';
import { Flusher } from '${root}/src/platform/telemetry/metrics/flush.ts';
MetricsBuffer.prototype.count = MetricsBuffer.prototype.observe = () => undefined;
Flusher.prototype.claim = () => false;
export { default, MetricsAggregator } from '${root}/src/index.ts';
`;

const ProductPage = z.object({ data: z.tuple([z.object({ handle: z.string() })]) });

interface Subject {
  name: string;
  url: URL;
  pid: string;
  workers: Workers;
}

const receiver = await startTraceReceiver();
const parts = await startShopParts(50);
try {
  const traced = { TRACING_ENABLED: 'true', OTLP_ENDPOINT: receiver.url };
  // LOG_SAMPLE=0 also saves making the line that LOG_LEVEL would keep back.
  const silent = { LOG_LEVEL: 'fatal', LOG_SAMPLE: '0' };
  const recorded = { LOG_LEVEL: 'info', METRICS_FLUSH_SECONDS: '1' };
  const settings: [name: string, env: Record<string, string>, entry?: (root: string) => string][] = [
    ['none', silent, withoutTelemetry],
    ['metrics, logs', recorded],
    ['metrics, logs, 10 % traced', { ...recorded, ...traced, TRACING_SAMPLING_RATE: '0.1' }],
    ['metrics, logs, all traced', { ...recorded, ...traced, TRACING_SAMPLING_RATE: '1' }],
  ];
  const rows: string[][] = [];
  for (const [read, ttl] of [
    ['from the cache', '86400'],
    ['from the database', '0'],
  ] as const) {
    const subjects: Subject[] = [];
    for (const [name, env, entry] of settings) {
      const known = new Set(workerdPids());
      const workers = await parts.start({ env: { ...env, CACHE_TTL: ttl }, ...(entry && { entry }) });
      const pid = workerdPids().find((pid) => !known.has(pid)) ?? '';
      subjects.push({ name, url: await productUrl(workers.shop), pid, workers });
    }
    rows.push(...rowsOf(read, subjects, await measure(subjects)));
    for (const { workers } of subjects) await workers.close();
  }
  console.log(table(['product read: telemetry', 'CPU us/request', 'more than none', 'ratio to none'], rows));
  console.log(
    `(${ROUNDS} rounds of ${REQUESTS} requests each in turn over ${CONNECTIONS} connections after ${WARM_UP} of warm-up; ` +
      `CPU of the whole workerd process, with the aggregator and what is sent behind the replies)`,
  );
} finally {
  await parts.close();
  await receiver.close();
}

async function productUrl(shop: URL): Promise<URL> {
  const reply = await fetch(new URL('/api/v1/products?limit=1', shop));
  const [product] = ProductPage.parse(await reply.json()).data;
  return new URL(`/api/v1/products/${product.handle}`, shop);
}

/** Microseconds of CPU a request by subject, with what comes behind the replies. */
async function measure(subjects: readonly Subject[]): Promise<number[]> {
  for (const { url } of subjects) await send(() => url, WARM_UP, CONNECTIONS);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const before = subjects.map(({ pid }) => cpuSeconds(pid));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { url } of subjects) await send(() => url, REQUESTS, CONNECTIONS);
  }
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  return subjects.map(({ pid }, n) => (1e6 * (cpuSeconds(pid) - (before[n] ?? Number.NaN))) / (ROUNDS * REQUESTS));
}

function rowsOf(read: string, subjects: readonly Subject[], costsUs: readonly number[]): string[][] {
  const [none = Number.NaN] = costsUs;
  return subjects.map(({ name }, n) => {
    const costUs = costsUs[n] ?? Number.NaN;
    return [`${read}: ${name}`, costUs.toFixed(0), (costUs - none).toFixed(0), (costUs / none).toFixed(2)];
  });
}
