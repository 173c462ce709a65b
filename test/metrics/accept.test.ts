import { describe, expect, test } from 'vitest';
import { prefersOpenMetrics, takesGzip } from '../../src/platform/telemetry/metrics/accept.ts';

describe('Accept', () => {
  test.each([
    'application/openmetrics-text',
    'Application/OpenMetrics-Text; Version="1.0.0"',
    'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1',
    // Prometheus 2.42.
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    'text/plain;version=1.0.0, application/openmetrics-text;q=0.2',
  ])('%s is answered with OpenMetrics', (accept) => {
    expect(prefersOpenMetrics(accept)).toBe(true);
  });

  test.each([
    '',
    '*/*',
    'text/html, application/json',
    'application/openmetrics-text;q=0',
    'application/openmetrics-text;version=1.0.0;q=0.1, text/plain;version=0.0.4;q=0.9',
    'application/openmetrics-text;version=0.0.1',
    'application/openmetrics-text;version=2.0.0',
    'application/openmetrics-text-not',
    ',;q=1,;',
  ])('%j is answered with text', (accept) => {
    expect(prefersOpenMetrics(accept)).toBe(false);
  });
});

test.each([
  ['gzip', true],
  ['deflate, GZIP;q=0.5, br', true],
  ['x-gzip', true],
  ['*', true],
  ['', false],
  ['identity', false],
  ['gzip;q=0', false],
  ['gzip; q=0.000, *', false],
  ['*;q=0', false],
])('Accept-Encoding: %s', (header, expected) => {
  expect(takesGzip(header)).toBe(expected);
});
