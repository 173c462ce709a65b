import { describe, expect, test } from 'vitest';
import { currencyExponent } from '../../src/platform/money.ts';
import { MetricsBuffer, type FlushBatch } from '../../src/platform/telemetry/metrics/buffer.ts';
import { Flusher } from '../../src/platform/telemetry/metrics/flush.ts';

const WAIT_UNTIL_MS = 30_000;
const INTERVAL_MS = 20_000;
const never = new Promise<void>(() => undefined);

/** A flusher at its longest interval, on a clock that only waiting moves, and an object that answers as it is told. */
function flusherWith(answers: ('late' | 'taken')[]) {
  let nowMs = 0;
  const buffer = new MetricsBuffer(() => nowMs, currencyExponent);
  const flusher = new Flusher(buffer, {
    source: 's',
    intervalMs: INTERVAL_MS,
    nowMs: () => nowMs,
    async wait(ms) {
      nowMs += ms;
      await Promise.resolve();
    },
    inFlight: () => 0,
  });
  const asked: number[] = [];
  const ingest = async (batch: FlushBatch): Promise<void> => {
    asked.push(batch.seq);
    if (answers.shift() !== 'taken') await never;
  };
  return { buffer, flusher, asked, object: { ingest }, elapsedMs: () => nowMs };
}

describe('a flush', () => {
  test.each([[[]], [['taken']], [['late', 'taken']], [['late', 'late', 'taken']]] as const)(
    'ends within the time a Worker has after its reply, whatever happens to its batches: %j',
    async (answers) => {
      const { buffer, flusher, asked, object, elapsedMs } = flusherWith(['late', 'late', 'late', ...answers]);
      buffer.count('ecommerce_orders_created_total', []);
      await flusher.flushLater(object);
      const firstMs = elapsedMs();
      expect(firstMs).toBeLessThan(WAIT_UNTIL_MS);
      buffer.count('ecommerce_orders_created_total', []);
      await flusher.flushLater(object);
      expect(elapsedMs() - firstMs).toBeLessThan(WAIT_UNTIL_MS);
      expect(asked.slice(0, 3)).toEqual([1, 1, 1]);
      expect(asked.length).toBe(6);
    },
  );

  test('sends what it kept before what is newer', async () => {
    const { buffer, flusher, asked, object } = flusherWith(['late', 'late', 'late', 'taken', 'taken']);
    buffer.count('ecommerce_orders_created_total', []);
    await flusher.flush(object);
    buffer.count('ecommerce_orders_created_total', []);
    await flusher.flush(object);
    expect(asked).toEqual([1, 1, 1, 1, 2]);
  });

  test('is as old as its oldest observation, however long the isolate was idle before it', () => {
    let nowMs = 1_000;
    const buffer = new MetricsBuffer(() => nowMs, currencyExponent);
    expect(buffer.take()).toBeNull();
    for (const observedAtMs of [600_000, 1_200_000]) {
      nowMs = observedAtMs;
      buffer.count('ecommerce_orders_created_total', []);
      nowMs += 5_000;
      buffer.count('ecommerce_orders_created_total', []);
      expect(buffer.take()).toMatchObject({ sinceMs: observedAtMs, counters: { ecommerce_orders_created_total: 2 } });
    }
    expect(buffer.take()).toBeNull();
  });
});
