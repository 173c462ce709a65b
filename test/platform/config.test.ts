import { describe, expect, test } from 'vitest';
import { ConfigError, parseConfig } from '../../src/platform/config.ts';
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
};

const faultsWith = (changes: Record<string, string | undefined>) => faultsOf({ ...BINDINGS, ...changes });

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
  const wrong: [string, string][] = [
    ['ENVIRONMENT', 'prod'],
    ['SERVICE_NAME', 'x'.repeat(65)],
    ['SERVICE_VERSION', 'x'.repeat(65)],
    ['DATABASE_URL', 'nope'],
    ['DATABASE_URL', 'https://db.example.test/shop'],
    ['DATABASE_ENDPOINT', 'postgres://db.example.test/shop'],
    ['DATABASE_TIMEOUT_MS', '99'],
    ['DATABASE_TIMEOUT_MS', 'soon'],
    ['UPSTASH_REDIS_REST_URL', 'redis://localhost:6379'],
    ['REDIS_TIMEOUT_MS', '9'],
    ['JWT_ACCESS_SECRET', 'short'],
    ['JWT_REFRESH_SECRET', 'short'],
    ['ORDER_TOKEN_SECRET', 'x'.repeat(31)],
    ['JWT_ACCESS_TTL', '59'],
    ['JWT_REFRESH_TTL', '1.5'],
    ['RATE_LIMIT_ENABLED', 'yes'],
    ['RATE_LIMIT_PUBLIC', '0'],
    ['RATE_LIMIT_AUTHENTICATED', '-1'],
    ['RATE_LIMIT_WINDOW', '0'],
    ['TRUSTED_IP_HEADER', 'x-forwarded-for'],
    ['ALLOWED_ORIGINS', '*'],
    ['ALLOWED_ORIGINS', 'https://shop.example, shop.example'],
    ['LOG_LEVEL', 'verbose'],
    ['LOG_FORMAT', 'xml'],
    ['PAYMENT_TEST_URL', 'nope'],
    ['PAYMENT_TEST_SECRET', 'short'],
    ['PAYMENT_TEST_WEBHOOK_SECRET', 'short'],
    ['PAYMENT_TIMEOUT_MS', '99999'],
    ['STRIPE_SECRET_KEY', 'short'],
    ['STRIPE_WEBHOOK_SECRET', 'short'],
    ['STRIPE_RETURN_URL', '/paid'],
    ['STRIPE_API_BASE', 'nope'],
    ['EVENTS_URL', 'ftp://events.example.test'],
    ['EVENTS_SECRET', 'short'],
  ];
  test.each(wrong)('%s=%s', (name, value) => {
    const faults = faultsWith({ ...COMPANIONS, [name]: value });
    expect(faults.map((fault) => fault.split(' ', 1)[0])).toEqual([name]);
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
