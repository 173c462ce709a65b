import { expect, test } from 'vitest';
import { between, countsOf, judge } from '../../deploy/cloudflare/error-rate.ts';

const none = { requests: 10_000, errors: 0 };
const of = (requests: number, errors: number, share: number, before = none) =>
  judge({ before, now: { requests, errors }, share, threshold: 0.01 });

test.each([
  ['every tenth of the new version, which has a tenth', of(10_000, 100, 0.1), 0.1, true],
  ['one in a hundred is the limit, not above it', of(10_000, 10, 0.1), 0.01, false],
  ['a few of little traffic are chance', of(20, 2, 0.1), 1, false],
  ['three are none', of(20, 3, 0.1), 1, true],
  ['no traffic tells nothing', of(0, 0, 0.5), 0, false],
  ['what failed before fails again', of(10_000, 500, 0.5, { requests: 1_000, errors: 50 }), 0, false],
  ['and what comes on top counts', of(10_000, 600, 0.5, { requests: 1_000, errors: 50 }), 0.02, true],
  ['a version that mends is not below zero', of(10_000, 100, 0.5, { requests: 1_000, errors: 50 }), 0, false],
])('%s', (_name, verdict, rate, isTooHigh) => {
  expect(verdict.rate).toBeCloseTo(rate, 6);
  expect(verdict.isTooHigh).toBe(isTooHigh);
});

test('counters that start anew do not count backwards', () => {
  expect(between({ requests: 900, errors: 9 }, { requests: 100, errors: 1 })).toEqual({ requests: 100, errors: 1 });
});

test('only the two families are read', () => {
  const text = [
    '# HELP ecommerce_http_requests_total Requests answered.',
    'ecommerce_http_requests_total{method="GET",route="/a b",status="200"} 7',
    'ecommerce_http_requests_total{method="GET",route="}",status="500"} 2 1700000000000',
    'ecommerce_http_errors_total{method="GET",route="}",status="500"} 2',
    'ecommerce_http_request_duration_seconds_count{route="/a"} 99',
    'ecommerce_http_errors_total_other 5',
  ];
  expect(countsOf(text.join('\n'))).toEqual({ requests: 9, errors: 2 });
});
