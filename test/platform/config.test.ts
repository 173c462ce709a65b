import { describe, expect, test } from 'vitest';
import { ConfigError, parseConfig } from '../../src/platform/config.ts';
import { bindings } from '../../src/platform/config/variables.ts';
import { BINDINGS } from './bindings.ts';

/** The faults of a configuration; none when it is good. */
function faultsOf(env: object): string[] {
  try {
    parseConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults;
  }
}

/** What other bindings ask for, so that a wrong one is the only fault. */
const COMPANIONS = {
  PAYMENT_TEST_SECRET: 'd'.repeat(16),
  PAYMENT_TEST_WEBHOOK_SECRET: 'e'.repeat(16),
  EVENTS_SECRET: 'events-0123456789-abcdefghijklmnop',
  STRIPE_SECRET_KEY: 'sk_test_0123456789abcdef',
  STRIPE_WEBHOOK_SECRET: 'whsec_0123456789abcdef',
  STRIPE_RETURN_URL: 'https://shop.example.test/paid',
  JWT_ROTATED_AT: '2026-11-22T10:00:00Z',
  MAIL_API_TOKEN: 'm'.repeat(8),
  MAIL_FROM: 'shop@example.test',
  OIDC_REDIRECT_URIS: 'https://shop.example.test/back',
};

const faultsWith = (changes: Record<string, unknown>) => faultsOf({ ...BINDINGS, ...changes });

describe('a binding that must be there', () => {
  test.each(Object.keys(BINDINGS))('%s is named when it is missing', (name) => {
    const { [name]: _left, ...rest } = BINDINGS;
    expect(faultsOf(rest)).toEqual([`${name} is missing`]);
  });

  test.each(Object.keys(BINDINGS))('%s counts as missing when it is blank', (name) => {
    expect(faultsWith({ [name]: '' })).toEqual([`${name} is missing`]);
  });

  test('all that are missing are named at once', () => {
    const faults = faultsOf({});
    for (const name of Object.keys(BINDINGS)) expect(faults).toContain(`${name} is missing`);
  });
});

describe('a binding that is wrong is named', () => {
  const wrong: [name: string, value: unknown][] = [
    ['ENVIRONMENT', 'prod'],
    ['SERVICE_NAME', 'x'.repeat(65)],
    ['SERVICE_VERSION', 'x'.repeat(65)],
    ['BUILD_TIME', 'yesterday'],
    ['BUILD_TIME', '2026-11-22T10:00:00'],
    ['DATABASE_URL', 'nope'],
    ['DATABASE_URL', 'https://db.example.test/shop'],
    ['DATABASE_ENDPOINT', 'postgres://db.example.test/shop'],
    ['DATABASE_TIMEOUT_MS', '99'],
    ['DATABASE_TIMEOUT_MS', 'soon'],
    ['DATABASE_MAX_OPEN_CONNS', '0'],
    ['DATABASE_MAX_IDLE_CONNS', '-1'],
    ['DATABASE_MAX_IDLE_CONNS', '1001'],
    ['DATABASE_CONN_MAX_LIFETIME', '0'],
    ['TICK_INTERVAL', '3601'],
    ['UPSTASH_REDIS_REST_URL', 'redis://localhost:6379'],
    ['UPSTASH_REDIS_REST_TOKEN', 'short'],
    ['UPSTASH_REDIS_REST_TOKEN', 'change-me-token-of-the-redis-endpoint'],
    ['REDIS_TIMEOUT_MS', '9'],
    ['CACHE_TTL', '86401'],
    ['JWT_ACCESS_SECRET', 'short'],
    ['JWT_REFRESH_SECRET', 'short'],
    ['ORDER_TOKEN_SECRET', 'x'.repeat(31)],
    ['ORDER_TOKEN_SECRET', 'ab'.repeat(16)],
    ['ORDER_TOKEN_SECRET', 'generate-strong-random-secret-32-chars-min'],
    ['JWT_ACCESS_SECRET_PREVIOUS', 'short'],
    ['JWT_REFRESH_SECRET_PREVIOUS', 'short'],
    ['JWT_ROTATED_AT', 'today'],
    ['JWT_ACCESS_TTL', '59'],
    ['JWT_REFRESH_TTL', '1.5'],
    ['RATE_LIMIT_ENABLED', 'yes'],
    ['RATE_LIMIT_PUBLIC', '0'],
    ['RATE_LIMIT_AUTHENTICATED', '-1'],
    ['RATE_LIMIT_LOGIN', '0'],
    ['RATE_LIMIT_REGISTER', '0'],
    ['RATE_LIMIT_RESET', '0'],
    ['RATE_LIMIT_ORDER', 'many'],
    ['RATE_LIMIT_WINDOW', '0'],
    ['TRUSTED_IP_HEADER', 'x-forwarded-for'],
    ['ALLOWED_ORIGINS', '*'],
    ['ALLOWED_ORIGINS', 'https://shop.example, shop.example'],
    ['CREDENTIAL_ORIGINS', 'https://shop.example/path'],
    ['LOG_LEVEL', 'verbose'],
    ['LOG_FORMAT', 'xml'],
    ['LOG_SAMPLE', '1.1'],
    ['METRICS_TOKEN', 'short'],
    ['METRICS_TOKEN', 'change-me-token-of-prometheus'],
    ['METRICS_FLUSH_SECONDS', '0'],
    ['REMOTE_WRITE_URL', 'nope'],
    ['REMOTE_WRITE_USERNAME', 'x'.repeat(501)],
    ['REMOTE_WRITE_PASSWORD', 1],
    ['REMOTE_WRITE_LABELS', 'le=1'],
    ['TRACING_ENABLED', '1'],
    ['TRACING_EXPORTER', 'zipkin'],
    ['OTLP_ENDPOINT', 'otel-collector:4317'],
    ['OTLP_HEADERS', 'nothing'],
    ['JAEGER_ENDPOINT', 'http://jaeger:14268/api/traces'],
    ['TRACING_SAMPLING_RATE', '10'],
    ['TRACING_SLOW_MS', '0'],
    ['TRACE_PROPAGATION_HOSTS', '*'],
    ['TRUSTED_TRACE_TOKEN', 'short'],
    ['PAYMENT_TEST_URL', 'nope'],
    ['PAYMENT_TEST_SECRET', 'short'],
    ['PAYMENT_TEST_WEBHOOK_SECRET', 'short'],
    ['PAYMENT_TIMEOUT_MS', '99999'],
    ['STRIPE_SECRET_KEY', 'short'],
    ['STRIPE_WEBHOOK_SECRET', 'short'],
    ['STRIPE_RETURN_URL', '/paid'],
    ['STRIPE_API_BASE', 'nope'],
    ['MAIL_API_URL', 'smtp://mail.example.test'],
    ['MAIL_API_TOKEN', 'short'],
    ['MAIL_FROM', 'x'],
    ['MAIL_TIMEOUT_MS', '0'],
    ['PASSWORD_RESET_URL', 'https://shop.example.test/reset'],
    ['EMAIL_VERIFICATION_URL', 'https://shop.example.test/verify'],
    ['ORDER_URL', '/orders/{token}'],
    ['OIDC_PROVIDERS', 'none'],
    ['OIDC_REDIRECT_URIS', 'https://shop.example.test/#fragment'],
    ['OIDC_TIMEOUT_MS', '99'],
    ['EVENTS_URL', 'ftp://events.example.test'],
    ['EVENTS_SECRET', 'short'],
  ];
  test.each(wrong)('%s=%s', (name, value) => {
    const faults = faultsWith({ ...COMPANIONS, [name]: value });
    expect(faults.map((fault) => fault.split(' ', 1)[0])).toEqual([name]);
  });

  test('no variable is left out here', () => {
    expect(new Set(wrong.map(([name]) => name))).toEqual(new Set(Object.keys(bindings.shape)));
  });
});

describe('bindings that do not fit each other', () => {
  const url = { PAYMENT_TEST_URL: 'https://pay.example.test' };

  test('one secret for both kinds of token is refused', () => {
    const faults = faultsWith({ JWT_REFRESH_SECRET: BINDINGS['JWT_ACCESS_SECRET'] });
    expect(faults).toEqual(['JWT_REFRESH_SECRET must differ from JWT_ACCESS_SECRET']);
  });

  test('the test provider needs both of its secrets', () => {
    expect(faultsWith({ ...COMPANIONS, ...url })).toEqual([]);
    expect(faultsWith(url)).toEqual([
      'PAYMENT_TEST_SECRET is needed with PAYMENT_TEST_URL',
      'PAYMENT_TEST_WEBHOOK_SECRET is needed with PAYMENT_TEST_URL',
    ]);
  });

  test('Stripe needs all of its bindings, whichever of them is there', () => {
    const { STRIPE_SECRET_KEY } = COMPANIONS;
    expect(faultsWith({ STRIPE_SECRET_KEY })).toEqual([
      'STRIPE_WEBHOOK_SECRET is needed with STRIPE_SECRET_KEY',
      'STRIPE_RETURN_URL is needed with STRIPE_SECRET_KEY',
    ]);
    expect(faultsWith({ ...COMPANIONS, STRIPE_SECRET_KEY: '' })).toEqual([
      'STRIPE_SECRET_KEY is needed with STRIPE_WEBHOOK_SECRET',
    ]);
    expect(faultsWith({ STRIPE_API_BASE: 'https://stripe.example.test' })).toHaveLength(3);
  });

  test('the test provider does not exist in production', () => {
    const faults = faultsWith({ ...COMPANIONS, ...url, ENVIRONMENT: 'production' });
    expect(faults).toEqual(['PAYMENT_TEST_URL must not be set in production']);
  });

  test.each([
    ['', false],
    ['?sslmode=disable', false],
    ['?sslmode=prefer', false],
    ['?sslmode=require', true],
    ['?sslmode=verify-ca', true],
    ['?channel_binding=require&sslmode=verify-full', true],
  ])('in production a database address that ends in "%s" is taken: %s', (query, isTaken) => {
    const fault = 'DATABASE_URL must have sslmode=require, verify-ca or verify-full in production';
    const DATABASE_URL = `postgres://app:secret@db.example.test/shop${query}`;
    expect(faultsWith({ ENVIRONMENT: 'production', DATABASE_URL })).toEqual(isTaken ? [] : [fault]);
    expect(faultsWith({ DATABASE_URL })).toEqual([]);
  });

  test('idle connections are open ones', () => {
    const both = { DATABASE_MAX_OPEN_CONNS: '10', DATABASE_MAX_IDLE_CONNS: '11' };
    expect(faultsWith(both)).toEqual(['DATABASE_MAX_IDLE_CONNS must not exceed DATABASE_MAX_OPEN_CONNS']);
    expect(faultsWith({ DATABASE_MAX_OPEN_CONNS: '10' })).toEqual([]);
  });

  test('are named along with all that is missing or wrong by itself', () => {
    expect(faultsOf({ ENVIRONMENT: 'production', EVENTS_URL: 'nope', ...url })).toEqual(
      expect.arrayContaining([
        'DATABASE_URL is missing',
        'EVENTS_URL must be an http(s) URL',
        'EVENTS_SECRET is needed with EVENTS_URL',
        'PAYMENT_TEST_URL must not be set in production',
        'PAYMENT_TEST_SECRET is needed with PAYMENT_TEST_URL',
      ]),
    );
  });

  test('events are not sent unsigned', () => {
    const events = { EVENTS_URL: 'https://events.example.test' };
    expect(faultsWith(events)).toEqual(['EVENTS_SECRET is needed with EVENTS_URL']);
    expect(faultsWith({ ...COMPANIONS, ...events })).toEqual([]);
  });
});

test('the error lists every fault in one text and never a value', () => {
  const bad = {
    ...BINDINGS,
    DATABASE_URL: 'mysql://root:hunter2@db.example.test',
    JWT_ACCESS_SECRET: 'hunter2',
    REDIS_TIMEOUT_MS: 'hunter2',
    LOG_LEVEL: 'hunter2',
  };
  const error = new ConfigError(faultsOf(bad));
  expect(error.faults).toHaveLength(4);
  for (const fault of error.faults) expect(error.message).toContain(fault);
  expect(error.message).not.toContain('hunter2');
});

test('what is read has its types, its units and the defaults of the design', () => {
  expect(parseConfig(BINDINGS)).toMatchObject({
    SERVICE_NAME: 'ecommerce-api',
    DATABASE_TIMEOUT_MS: 10_000,
    DATABASE_MAX_OPEN_CONNS: 50,
    DATABASE_MAX_IDLE_CONNS: 25,
    DATABASE_CONN_MAX_LIFETIME: 3_600,
    TICK_INTERVAL: 60,
    REDIS_TIMEOUT_MS: 500,
    JWT_ACCESS_TTL: 900,
    JWT_REFRESH_TTL: 604_800,
    RATE_LIMIT_ENABLED: true,
    RATE_LIMIT_PUBLIC: 100,
    RATE_LIMIT_AUTHENTICATED: 500,
    RATE_LIMIT_WINDOW: 60,
    ALLOWED_ORIGINS: [],
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
  });
  const given = { RATE_LIMIT_ENABLED: 'false', ALLOWED_ORIGINS: 'https://a.example, http://b.example:8080,' };
  expect(parseConfig({ ...BINDINGS, ...given })).toMatchObject({
    RATE_LIMIT_ENABLED: false,
    ALLOWED_ORIGINS: ['https://a.example', 'http://b.example:8080'],
  });
});
