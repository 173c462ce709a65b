import fc from 'fast-check';
import { uncompress } from 'snappyjs';
import { expect, test } from 'vitest';
import { buildWriteRequest, seriesOf } from '../../src/platform/telemetry/remote-write/encode.ts';
import { snappyCompress } from '../../src/platform/telemetry/remote-write/snappy.ts';
import type { Family } from '../../src/platform/telemetry/metrics/family.ts';
import { decodeWriteRequest } from './schema.ts';

test('snappy: another implementation reads back what was compressed', () => {
  const texts = fc.array(fc.constantFrom('ecommerce_', 'le', '"0.3"', 'a', 'bb', '\u0000'), { maxLength: 4_000 });
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ max: 2, maxLength: 3_000 }),
    texts.map((parts) => new TextEncoder().encode(parts.join(''))),
  );
  fc.assert(
    fc.property(bytes, (given) => {
      expect(uncompress(snappyCompress(given))).toEqual(given);
    }),
    { numRuns: 300 },
  );
});

test('snappy: at and beyond the sizes of literals, copies and blocks', () => {
  for (const length of [0, 1, 3, 4, 59, 60, 61, 64, 65, 255, 256, 257, 65_535, 65_536, 65_537, 200_000]) {
    const random = Uint8Array.from({ length }, (_, index) => (Math.imul(index + 1, 0x9e3779b1) >>> 24) ^ (index % 251));
    expect(uncompress(snappyCompress(random))).toEqual(random);
    const same = new Uint8Array(length).fill(7);
    const compressed = snappyCompress(same);
    expect(uncompress(compressed)).toEqual(same);
    if (length >= 65_535) expect(compressed.length).toBeLessThan(length / 15);
  }
});

test('a write request holds every sample, its labels sorted, none empty, external ones behind its own', () => {
  const families: Family[] = [
    {
      name: 'took_seconds',
      help: 'Time.',
      type: 'histogram',
      samples: [
        { name: 'took_seconds_bucket', labels: { zone: 'é', le: '1', instance: '' }, value: 2 },
        { name: 'took_seconds_sum', labels: { zone: 'é', job: 'own' }, value: NaN, timestampMs: 5 },
      ],
    },
    { name: 'none', help: 'Nothing.', type: 'gauge', samples: [] },
    { name: 'le', help: '', type: 'untyped', samples: [{ name: 'le', labels: { le: '1' }, value: -Infinity }] },
  ];
  const series = seriesOf(families, { job: 'shop', environment: 'test' });
  expect(series.length).toBe(3);
  expect(decodeWriteRequest(buildWriteRequest({ families, series, stale: [] }, 1_790_000_000_123))).toEqual({
    timeseries: [
      {
        labels: [
          { name: '__name__', value: 'took_seconds_bucket' },
          { name: 'environment', value: 'test' },
          { name: 'job', value: 'shop' },
          { name: 'le', value: '1.0' },
          { name: 'zone', value: 'é' },
        ],
        samples: [{ value: 2, timestamp: 1_790_000_000_123 }],
      },
      {
        labels: [
          { name: '__name__', value: 'took_seconds_sum' },
          { name: 'environment', value: 'test' },
          { name: 'job', value: 'own' },
          { name: 'zone', value: 'é' },
        ],
        samples: [{ value: NaN, timestamp: 5 }],
      },
      {
        labels: [
          { name: '__name__', value: 'le' },
          { name: 'environment', value: 'test' },
          { name: 'job', value: 'shop' },
          { name: 'le', value: '1' },
        ],
        samples: [{ value: -Infinity, timestamp: 1_790_000_000_123 }],
      },
    ],
    metadata: [{ type: 3, metricFamilyName: 'took_seconds', help: 'Time.' }, { metricFamilyName: 'le' }],
  });
});

test('a series that ended gets the one NaN that says so, bit for bit; any other NaN is another', () => {
  const families: Family[] = [
    { name: 'odd', help: '', type: 'gauge', samples: [{ name: 'odd', labels: {}, value: NaN }] },
  ];
  const stale = [
    [
      ['__name__', 'gone'],
      ['job', 'nightly'],
    ],
  ] as const;
  const body = Buffer.from(buildWriteRequest({ families, series: seriesOf(families), stale }, 1_000));
  const nans = [...body.toString('hex').matchAll(/09(\w{16})10e807/g)].map(([, bits]) => bits);
  expect(nans).toEqual(['000000000000f87f', '020000000000f07f']);
  expect(decodeWriteRequest(body).timeseries[1]).toEqual({
    labels: [
      { name: '__name__', value: 'gone' },
      { name: 'job', value: 'nightly' },
    ],
    samples: [{ value: NaN, timestamp: 1_000 }],
  });
});
