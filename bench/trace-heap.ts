// Whether tracing leaks: the isolate's heap over traced requests, read through workerd's inspector; TRACE_RATE=0 to compare. node bench/trace-heap.ts
import * as z from 'zod';
import { connectInspector } from './trace-inspector.ts';
import { startShop } from './shop.ts';
import { startTraceReceiver } from './trace-receiver.ts';
import { table } from './table.ts';

const WARM_UP = 5_000;
const REQUESTS = 30_000;
const STEP = 5_000;
const CONNECTIONS = 16;
const BYTES_A_REQUEST_MAX = 50;
/** Longer than the wait before a flush of spans or of counts. */
const SETTLE_MS = 6_000;
/** One collection leaves what only finalizers let go. */
const COLLECTIONS = 2;
const PLOT_WIDTH = 50;

const HeapUsage = z.object({ usedSize: z.number() });

const receiver = await startTraceReceiver();
const rate = process.env['TRACE_RATE'] ?? '1';
const env = { TRACING_ENABLED: 'true', OTLP_ENDPOINT: receiver.url, TRACING_SAMPLING_RATE: rate };
const shop = await startShop(50, { env, inspect: true });
try {
  const inspector = await connectInspector(shop.inspector, 'shop');
  const url = new URL('/api/v1/markets', shop.shop);
  const idle = new URL('/health/live', shop.shop);
  const heapBytes = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    for (let round = 0; round < COLLECTIONS; round += 1) {
      const collected = inspector.send('HeapProfiler.collectGarbage');
      // workerd collects when the isolate is next entered, and answers then.
      await send(idle, 1);
      await collected;
    }
    return HeapUsage.parse(await inspector.send('Runtime.getHeapUsage')).usedSize;
  };
  await send(url, WARM_UP);
  const points = [{ requests: 0, bytes: await heapBytes() }];
  for (let sent = STEP; sent <= REQUESTS; sent += STEP) {
    await send(url, STEP);
    points.push({ requests: sent, bytes: await heapBytes() });
  }
  inspector.close();

  const largest = Math.max(...points.map(({ bytes }) => bytes));
  const rows = points.map(({ requests, bytes }) => [
    String(requests),
    (bytes / 1024).toFixed(0),
    '#'.repeat(Math.round((PLOT_WIDTH * bytes) / largest)),
  ]);
  console.log(table(['traced requests', 'heap KiB', ''], rows));
  const slope = slopeOf(points);
  const { posts, serverSpans } = receiver.received;
  console.log(
    `(after ${WARM_UP} of warm-up, sampling rate ${rate}; ${serverSpans} server spans came in ${posts} POSTs)`,
  );
  console.log(`${slope.toFixed(1)} bytes a request by least squares; ${BYTES_A_REQUEST_MAX} are allowed`);
  if (slope >= BYTES_A_REQUEST_MAX) process.exitCode = 1;
} finally {
  await shop.close();
  await receiver.close();
}

async function send(url: URL, count: number): Promise<void> {
  let left = count;
  const connection = async () => {
    while (left > 0) {
      left -= 1;
      const reply = await fetch(url);
      if (!reply.ok) throw new Error(`${url.pathname} answered ${reply.status}`);
      await reply.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
}

function slopeOf(points: readonly { requests: number; bytes: number }[]): number {
  const mean = (of: (point: (typeof points)[number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(({ requests }) => requests), mean(({ bytes }) => bytes)];
  const covariance = mean(({ requests, bytes }) => (requests - x) * (bytes - y));
  return covariance / mean(({ requests }) => (requests - x) ** 2);
}
