import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/platform/config.ts';
import { hostVariables, parseHost } from '../../src/platform/config/variables.ts';

function faultsOf(env: object): string[] {
  try {
    parseHost(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults;
  }
}

test('without variables everything has the value of the guide', () => {
  expect(parseHost({ PATH: '/usr/bin', PORT: '' })).toEqual({
    PORT: 8080,
    LOG_OUTPUT: 'stdout',
    TLS_ENABLED: false,
    DRAIN_SECONDS: 25,
    TRUSTED_PROXIES: [],
    STATE_DIR: '/var/lib/ecommerce-api',
    DATABASE_MAX_OPEN_CONNS: 50,
    DATABASE_MAX_IDLE_CONNS: 25,
    DATABASE_CONN_MAX_LIFETIME: 3600,
    TICK_INTERVAL: 60,
    REDIS_DB: 0,
    REDIS_MAX_RETRIES: 3,
    BACKUP_DIR: '/var/backups/ecommerce',
    BACKUP_RETENTION_DAYS: 14,
    BACKUP_ENV: '/etc/ecommerce/backup.env',
    NEON_API_URL: 'https://console.neon.tech/api/v2',
    NEON_WAIT_SECONDS: 300,
  });
});

test.each([
  ['redis-host:6379', 'redis://redis-host:6379'],
  ['redis://:pw@redis:6379/2', 'redis://:pw@redis:6379/2'],
  ['rediss://redis', 'rediss://redis'],
])('REDIS_URL=%s is %s', (given, url) => {
  expect(parseHost({ REDIS_URL: given }).REDIS_URL).toBe(url);
});

test('trusted proxies are addresses and blocks of them', () => {
  expect(parseHost({ TRUSTED_PROXIES: '10.0.0.0/8, ::1 ,2001:db8::/32,192.0.2.7' }).TRUSTED_PROXIES).toEqual([
    '10.0.0.0/8',
    '::1',
    '2001:db8::/32',
    '192.0.2.7',
  ]);
});

describe('a variable that is wrong is named', () => {
  const long = 'x'.repeat(4097);
  const wrong: [name: string, value: unknown][] = [
    ['PORT', '65536'],
    ['PORT', 'http'],
    ['LOG_OUTPUT', long],
    ['TLS_ENABLED', 'yes'],
    ['TLS_CERT_FILE', long],
    ['TLS_KEY_FILE', long],
    ['DRAIN_SECONDS', '301'],
    ['TRUSTED_PROXIES', 'nginx'],
    ['TRUSTED_PROXIES', '10.0.0.0/33'],
    ['BUNDLE_DIR', long],
    ['STATE_DIR', long],
    ['DATABASE_MAX_OPEN_CONNS', '0'],
    ['DATABASE_MAX_IDLE_CONNS', '-1'],
    ['DATABASE_CONN_MAX_LIFETIME', '0'],
    ['TICK_INTERVAL', '0'],
    ['REDIS_URL', 'http://redis:6379'],
    ['REDIS_PASSWORD', 'x'],
    ['REDIS_PASSWORD', 'your-redis-password'],
    ['REDIS_DB', '-1'],
    ['REDIS_MAX_RETRIES', '21'],
    ['MIGRATION_DATABASE_URL', 'mysql://db.example.test/shop'],
    ['BACKUP_DIR', long],
    ['BACKUP_RETENTION_DAYS', '0'],
    ['BACKUP_ENV', long],
    ['NEON_API_KEY', 1],
    ['NEON_PROJECT_ID', long],
    ['NEON_BRANCH_ID', long],
    ['NEON_API_URL', 'nope'],
    ['NEON_WAIT_SECONDS', '0'],
    ['CLOUDFLARE_API_TOKEN', 1],
    // Any text but none is a key, and none is a missing one.
    ['CLOUDFLARE_ACCOUNT_ID', long],
    ['DEPLOY_URL', 'nope'],
    ['GRAFANA_TOKEN', 1],
    ['LOKI_URL', 'loki:3100'],
    ['LOKI_USERNAME', long],
    ['LOKI_PASSWORD', 1],
  ];
  test.each(wrong)('%s=%s', (name, value) => {
    expect(faultsOf({ [name]: value }).map((fault) => fault.split(' ', 1)[0])).toEqual([name]);
  });

  test('no variable is left out here', () => {
    expect(new Set(wrong.map(([name]) => name))).toEqual(new Set(Object.keys(hostVariables().shape)));
  });
});

test('TLS needs both files', () => {
  expect(faultsOf({ TLS_ENABLED: 'true' })).toEqual([
    'TLS_CERT_FILE is needed with TLS_ENABLED',
    'TLS_KEY_FILE is needed with TLS_ENABLED',
  ]);
  expect(faultsOf({ TLS_ENABLED: 'true', TLS_CERT_FILE: 'cert.pem', TLS_KEY_FILE: 'key.pem' })).toEqual([]);
});
