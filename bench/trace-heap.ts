// Whether tracing leaks: the isolate's heap over requests, all traced and none, read through workerd's inspector.
// npm run bench:trace-heap -- observability/heap.svg draws what it measured.
import { writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { type HeapPoint, type HeapSeries, drawHeap, trendOf } from './heap-plot.ts';
import { send } from './load.ts';
import { type ShopParts, startShopParts } from './shop.ts';
import { table } from './table.ts';
import { connectInspector } from './trace-inspector.ts';
import { startTraceReceiver } from './trace-receiver.ts';

const WARM_UP = 5_000;
const REQUESTS = 30_000;
const STEP = 2_500;
const CONNECTIONS = 16;
const BYTES_A_REQUEST_MAX = 50;
/** Longer than the wait before a flush of spans or of counts. */
const SETTLE_MS = 2_500;
/** One collection leaves what only finalizers let go. */
const COLLECTIONS = 2;

const HeapUsage = z.object({ usedSize: z.number() });

/** Every request asks Redis and Postgres, so that each trace has a span of either. */
const BUSY = {
  RATE_LIMIT_ENABLED: 'true',
  RATE_LIMIT_PUBLIC: '1000000000',
  CACHE_TTL: '0',
  METRICS_FLUSH_SECONDS: '1',
};

const [svgFile] = process.argv.slice(2);
const receiver = await startTraceReceiver();
const parts = await startShopParts(50);
try {
  const traced = { TRACING_ENABLED: 'true', OTLP_ENDPOINT: receiver.url, TRACING_SAMPLING_RATE: '1' };
  const series: HeapSeries[] = [
    { name: 'every request traced', points: await heapOver(parts, { ...BUSY, ...traced }) },
    { name: 'tracing off', points: await heapOver(parts, BUSY) },
  ];
  const [all, off] = series.map(({ points }) => points);
  const rows = (all ?? []).map(({ requests, bytes }, n) => [requests, kib(bytes), kib(off?.[n]?.bytes ?? Number.NaN)]);
  console.log(table(['requests', 'heap KiB, all traced', 'tracing off'], rows));
  const { posts, serverSpans } = receiver.received;
  console.log(`(after ${WARM_UP} of warm-up each; ${serverSpans} server spans came in ${posts} POSTs)`);
  for (const { name, points } of series)
    console.log(`${name}: ${trendOf(points).bytesARequest.toFixed(1)} bytes a request`);
  if (trendOf(all ?? []).bytesARequest >= BYTES_A_REQUEST_MAX) {
    console.log(`${BYTES_A_REQUEST_MAX} bytes a request are allowed`);
    process.exitCode = 1;
  }
  if (svgFile !== undefined) {
    const title = `Heap of the Worker's isolate over ${REQUESTS.toLocaleString('en')} traced requests`;
    const day = new Date().toISOString().slice(0, 10);
    const caption = `Drawn by bench/trace-heap.ts from workerd's inspector: ${WARM_UP.toLocaleString('en')} requests of warm-up, garbage collected at each point; ${day}.`;
    await writeFile(svgFile, drawHeap(series, { title, caption }));
    console.log(svgFile);
  }
} finally {
  await parts.close();
  await receiver.close();
}

/** The heap every STEP requests, after what was deferred has ended and the garbage is collected. */
async function heapOver(parts: ShopParts, env: Record<string, string>): Promise<HeapPoint[]> {
  const shop = await parts.start({ env, inspect: true });
  try {
    const inspector = await connectInspector(shop.inspector, 'shop');
    const url = new URL('/api/v1/markets', shop.shop);
    const idle = new URL('/health/live', shop.shop);
    const heapBytes = async (): Promise<number> => {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      for (let round = 0; round < COLLECTIONS; round += 1) {
        const collected = inspector.send('HeapProfiler.collectGarbage');
        // workerd collects when the isolate is next entered, and answers then.
        await send(() => idle, 1, 1);
        await collected;
      }
      return HeapUsage.parse(await inspector.send('Runtime.getHeapUsage')).usedSize;
    };
    await send(() => url, WARM_UP, CONNECTIONS);
    const points = [{ requests: 0, bytes: await heapBytes() }];
    for (let sent = STEP; sent <= REQUESTS; sent += STEP) {
      await send(() => url, STEP, CONNECTIONS);
      points.push({ requests: sent, bytes: await heapBytes() });
    }
    inspector.close();
    return points;
  } finally {
    await shop.close();
  }
}

function kib(bytes: number): string {
  return (bytes / 1024).toFixed(0);
}
