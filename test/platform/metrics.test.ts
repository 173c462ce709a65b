import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { currencyExponent } from '../../src/platform/money.ts';
import { MetricsBuffer, type FlushBatch } from '../../src/platform/telemetry/metrics/buffer.ts';
import { Flusher, type Aggregator } from '../../src/platform/telemetry/metrics/flush.ts';
import { addDelta, emptyTotals, toFamilies } from '../../src/platform/telemetry/metrics/totals.ts';

const buffer = () => new MetricsBuffer(() => 0, currencyExponent);
const now = () => Promise.resolve();

function flusherOf(metrics: MetricsBuffer) {
  return new Flusher(metrics, { source: 's', intervalMs: 1000, nowMs: () => 0, wait: now, inFlight: () => 0 });
}

/** Takes each (source, seq) in once, as the object does, and fails as told. */
function aggregatorThat(fails: (call: number) => 'lose_request' | 'lose_ack' | null) {
  const totals = emptyTotals();
  const seen = new Set<string>();
  let calls = 0;
  const aggregator: Aggregator = {
    async ingest(batch: FlushBatch) {
      calls += 1;
      const failure = fails(calls);
      if (failure === 'lose_request') throw new Error('lost');
      const key = `${batch.source} ${batch.seq}`;
      if (!seen.has(key)) addDelta(totals, batch);
      seen.add(key);
      if (failure === 'lose_ack') throw new Error('lost');
    },
  };
  return { aggregator, totals };
}

describe('counts are exact', () => {
  test('whatever requests and acknowledgements are lost, once they are sent in the end', async () => {
    const losses = fc.array(fc.constantFrom('lose_request' as const, 'lose_ack' as const, null), { maxLength: 30 });
    const counted = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(losses, counted, async (lost, perFlush) => {
        const metrics = buffer();
        const flusher = flusherOf(metrics);
        const { aggregator, totals } = aggregatorThat((call) => lost[call - 1] ?? null);
        let expected = 0;
        for (const times of [...perFlush, ...lost.map(() => 0), 0]) {
          for (let i = 0; i < times; i += 1) metrics.count('ecommerce_orders_created_total', []);
          expected += times;
          await flusher.flush(aggregator);
        }
        expect(totals.counters['ecommerce_orders_created_total'] ?? 0).toBe(expected);
      }),
    );
  });

  test('a histogram counts each value once, in the bucket that holds it, and its sum is the exact sum', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20_000_000 })), (values) => {
        const metrics = buffer();
        for (const value of values) metrics.observe('ecommerce_database_query_duration_seconds', value, ['read']);
        const totals = emptyTotals();
        const delta = metrics.take();
        if (delta) addDelta(totals, delta);
        const family = toFamilies(totals, currencyExponent).find(
          ({ name }) => name === 'ecommerce_database_query_duration_seconds',
        );
        const samples = family!.samples;
        for (const { labels, value } of samples.filter(({ name }) => name.endsWith('_bucket'))) {
          const bound = labels.le === '+Inf' ? Infinity : Number(labels.le) * 1e6;
          expect(value).toBe(values.filter((each) => each <= bound).length);
        }
        const total = values.reduce((sum, value) => sum + value, 0);
        if (values.length > 0) expect(samples.find(({ name }) => name.endsWith('_sum'))!.value).toBe(total / 1e6);
      }),
    );
  });
});

test('order values are exposed in major units of their own currency', () => {
  const metrics = buffer();
  metrics.observe('ecommerce_order_value_dollars', 8389, ['USD']);
  metrics.observe('ecommerce_order_value_dollars', 8389, ['JPY']);
  const totals = emptyTotals();
  addDelta(totals, metrics.take()!);
  const { samples } = toFamilies(totals, currencyExponent).find(
    ({ name }) => name === 'ecommerce_order_value_dollars',
  )!;
  const sums = samples.filter(({ name }) => name.endsWith('_sum')).map(({ labels, value }) => [labels.currency, value]);
  expect(sums).toEqual([
    ['USD', 83.89],
    ['JPY', 8389],
  ]);
});

test('unlabelled counters are 0 from the start', () => {
  const families = toFamilies(emptyTotals(), currencyExponent);
  const created = families.find(({ name }) => name === 'ecommerce_orders_created_total');
  expect(created?.samples).toEqual([{ name: 'ecommerce_orders_created_total', labels: {}, value: 0 }]);
});

test('series beyond the cap are dropped and counted', () => {
  const metrics = buffer();
  for (let i = 0; i < 2_500; i += 1) metrics.count('ecommerce_rate_limited_total', [`limit-${i}`]);
  const delta = metrics.take()!;
  expect(Object.keys(delta.counters)).toHaveLength(2_000);
  expect(delta.dropped).toBe(500);
});
