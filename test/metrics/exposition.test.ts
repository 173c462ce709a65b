import fc from 'fast-check';
import { expect, test } from 'vitest';
import { renderOpenMetrics, renderText } from '../../src/platform/telemetry/metrics/exposition.ts';
import { formatFloat } from '../../src/platform/telemetry/metrics/float.ts';
import { parseText } from '../../src/platform/telemetry/metrics/parse.ts';
import type { Family, Sample } from '../../src/platform/telemetry/metrics/family.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const labels = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/), text, { maxKeys: 3, noNullPrototype: true });
const value = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(NaN, Infinity, -Infinity, 1e21, 1e-9, -0));
const count = fc.nat({ max: 2 ** 31 });
const time = fc.option(fc.integer({ min: -(10 ** 13), max: 10 ** 13 }), { nil: undefined });

const distinct = <T>(points: fc.Arbitrary<[Record<string, string>, T]>) =>
  fc.uniqueArray(points, {
    minLength: 1,
    maxLength: 4,
    selector: ([set]) => JSON.stringify(Object.entries(set).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  });
const timed = (sample: Sample, timestampMs: number | undefined): Sample =>
  timestampMs === undefined ? sample : { ...sample, timestampMs };

const plain = (name: string) =>
  distinct(fc.tuple(labels, fc.tuple(value, time))).map((points) =>
    points.map(([set, [amount, at]]) => timed({ name, labels: set, value: amount }, at)),
  );
const composite = (name: string, type: 'histogram' | 'summary') => {
  const [label, suffix] = type === 'histogram' ? ['le', '_bucket'] : ['quantile', ''];
  const bounds = fc.uniqueArray(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 3 });
  const parts = fc.tuple(bounds, count, value, time);
  // The label of its parts is theirs: a family whose own label is called that is none.
  const own = labels.filter((set) => !(label in set));
  return distinct(fc.tuple(own, parts)).map((points) =>
    points.flatMap(([set, [all, amount, sum, at]]) => {
      const steps = [...new Set(all.map(formatFloat)), ...(type === 'histogram' ? ['+Inf'] : [])];
      return [
        ...steps.map((step) => ({ name: `${name}${suffix}`, labels: { ...set, [label]: step }, value: amount })),
        { name: `${name}_sum`, labels: set, value: sum },
        { name: `${name}_count`, labels: set, value: amount },
      ].map((sample) => timed(sample, at));
    }),
  );
};
const family = fc
  .record({
    // A last letter that no suffix of a histogram's part ends in: those would be parts of another family.
    name: fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,10}x$/),
    help: text.map((help) => help.trim()),
    type: fc.constantFrom('counter', 'gauge', 'untyped', 'histogram', 'summary'),
  })
  .chain(({ name, help, type }) =>
    (type === 'histogram' || type === 'summary' ? composite(name, type) : plain(name)).map((samples): Family => ({
      name,
      help,
      type,
      samples,
    })),
  );
const families = fc.uniqueArray(family, { maxLength: 4, selector: ({ name }) => name });

test('what was rendered as text reads back as it was', () => {
  fc.assert(
    fc.property(families, (given) => {
      expect(parseText(renderText(given))).toEqual(given);
    }),
    { numRuns: 500 },
  );
});

test('a family without a sample is left out, head and all', () => {
  const none: Family = { name: 'none', help: 'Nothing.', type: 'gauge', samples: [] };
  const one: Family = { ...none, name: 'one', samples: [{ name: 'one', labels: {}, value: 1 }] };
  expect(renderText([none, one, none])).toBe('# HELP one Nothing.\n# TYPE one gauge\none 1\n');
  expect(renderOpenMetrics([none])).toBe('# EOF\n');
});

test('OpenMetrics: counters without _total in the family, seconds, canonical bounds, an end', () => {
  const given: Family[] = [
    {
      name: 'jobs_total',
      help: 'Jobs "done".\nAll of them.',
      type: 'counter',
      samples: [{ name: 'jobs_total', labels: { queue: 'a"b\\c\nd' }, value: 3, timestampMs: 1_500 }],
    },
    { name: 'odd', help: '', type: 'counter', samples: [{ name: 'odd', labels: {}, value: 1e6 }] },
    { name: 'free', help: '', type: 'untyped', samples: [{ name: 'free', labels: { le: '1' }, value: NaN }] },
    { name: 'none', help: 'Nothing.', type: 'gauge', samples: [] },
    {
      name: 'took',
      help: 'Time.',
      type: 'histogram',
      samples: [
        { name: 'took_bucket', labels: { le: '1' }, value: 1 },
        { name: 'took_bucket', labels: { le: '+Inf' }, value: 2 },
        { name: 'took_sum', labels: {}, value: 2.5 },
        { name: 'took_count', labels: {}, value: 2 },
      ],
    },
  ];
  expect(renderOpenMetrics(given)).toBe(
    [
      '# TYPE jobs counter',
      '# HELP jobs Jobs \\"done\\".\\nAll of them.',
      'jobs_total{queue="a\\"b\\\\c\\nd"} 3 1.5',
      '# TYPE odd unknown',
      'odd 1000000',
      '# TYPE free unknown',
      'free{le="1"} NaN',
      '# TYPE took histogram',
      '# HELP took Time.',
      'took_bucket{le="1.0"} 1',
      'took_bucket{le="+Inf"} 2',
      'took_sum 2.5',
      'took_count 2',
      '# EOF',
      '',
    ].join('\n'),
  );
});

test('numbers are written as Go writes them, so that bounds are equal as text', () => {
  const written: [number, string][] = [
    [0, '0'],
    [-0, '-0'],
    [0.3, '0.3'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [123_456, '123456'],
    [1e6, '1e+06'],
    [123_456_789, '1.23456789e+08'],
    [1e100, '1e+100'],
    [5e-324, '5e-324'],
    [Infinity, '+Inf'],
    [NaN, 'NaN'],
  ];
  for (const [number, expected] of written) expect(formatFloat(number)).toBe(expected);
});
