import { describe, expect, test } from 'vitest';
import { type Config, ConfigError, parseConfig } from '../../src/platform/config.ts';
import { BINDINGS } from '../platform/bindings.ts';

function parsed(changes: Record<string, string>): Config | string[] {
  try {
    return parseConfig({ ...BINDINGS, ...changes });
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

const config = (changes: Record<string, string>) => parsed(changes) as Config;

describe('where traces go', () => {
  test.each([
    ['http://collector:4318', 'http://collector:4318/v1/traces'],
    ['http://collector:4318/', 'http://collector:4318/v1/traces'],
    ['http://jaeger:4318/v1/traces', 'http://jaeger:4318/v1/traces'],
    ['https://otlp.example.test/otlp', 'https://otlp.example.test/otlp/v1/traces'],
    ['https://otlp.example.test/otlp/v1/traces/', 'https://otlp.example.test/otlp/v1/traces'],
  ])('%s is %s', (given, url) => {
    expect(config({ OTLP_ENDPOINT: given }).OTLP_ENDPOINT).toBe(url);
    expect(config({ JAEGER_ENDPOINT: given }).JAEGER_ENDPOINT).toBe(url);
  });

  test.each([
    'otel-collector:4317',
    'http://jaeger:14268/api/traces',
    'http://jaeger/api/traces',
    'http://jaeger:4317',
    'https://jaeger:14268',
  ])('%s, which does not take OTLP over HTTP, is refused with the address that does', (given) => {
    for (const name of ['OTLP_ENDPOINT', 'JAEGER_ENDPOINT']) {
      expect(parsed({ [name]: given })).toEqual([
        `${name} must take OTLP over HTTP, as port 4318 does: http://<host>:4318/v1/traces`,
      ]);
    }
  });

  test('what is no address at all is one fault', () => {
    expect(parsed({ OTLP_ENDPOINT: 'nope' })).toEqual(['OTLP_ENDPOINT must be an http(s) URL']);
  });

  test('an exporter needs its endpoint', () => {
    expect(parsed({ TRACING_ENABLED: 'true' })).toEqual(['OTLP_ENDPOINT is needed with TRACING_ENABLED']);
    expect(parsed({ TRACING_ENABLED: 'true', TRACING_EXPORTER: 'jaeger' })).toEqual([
      'JAEGER_ENDPOINT is needed with TRACING_ENABLED',
    ]);
  });
});

describe('OTLP_HEADERS', () => {
  test.each([
    ['', {}],
    ['api-key=abc', { 'api-key': 'abc' }],
    ['Authorization=Basic%20Zm9vOmJhcg==, X-Scope = a=b', { authorization: 'Basic Zm9vOmJhcg==', 'x-scope': 'a=b' }],
  ])('%s', (given, headers) => {
    expect(config({ OTLP_HEADERS: given }).OTLP_HEADERS).toEqual(headers);
  });

  test.each(['nothing', 'a b=c', 'k=%zz', 'k=a%0D%0Ab', '=v'])('%s is refused, without its value', (given) => {
    expect(parsed({ OTLP_HEADERS: given })).toEqual([
      'OTLP_HEADERS must be name=value pairs, separated by commas, values percent-encoded',
    ]);
  });
});

describe('TRACE_PROPAGATION_HOSTS', () => {
  test('are exact hosts', () => {
    const hosts = config({ TRACE_PROPAGATION_HOSTS: 'API.example.test, 127.0.0.1:8080 ,' }).TRACE_PROPAGATION_HOSTS;
    expect(hosts).toEqual(['api.example.test', '127.0.0.1:8080']);
    expect(config({}).TRACE_PROPAGATION_HOSTS).toEqual([]);
  });

  test.each(['*', '*.example.test', 'https://example.test', 'example.test/path'])('%s is refused', (given) => {
    expect(parsed({ TRACE_PROPAGATION_HOSTS: given })).toEqual([
      'TRACE_PROPAGATION_HOSTS must list exact hosts, separated by commas',
    ]);
  });
});

test('TRUSTED_TRACE_TOKEN is long enough not to be guessed, or absent: then nobody is trusted', () => {
  const fault = 'TRUSTED_TRACE_TOKEN must have at least 32 characters';
  expect(parsed({ TRUSTED_TRACE_TOKEN: 't'.repeat(31) })).toEqual([fault]);
  expect(config({ TRUSTED_TRACE_TOKEN: '' }).TRUSTED_TRACE_TOKEN).toBeUndefined();
});
