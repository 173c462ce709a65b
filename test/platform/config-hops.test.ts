import { describe, expect, test } from 'vitest';
import { ConfigError, parseConfig } from '../../src/platform/config.ts';
import { BINDINGS } from './bindings.ts';

/** What the addresses below ask for beside them. */
const COMPANIONS = {
  EVENTS_SECRET: 'events-0123456789-abcdefghijklmnop',
  MAIL_API_TOKEN: 'm'.repeat(8),
  MAIL_FROM: 'shop@example.test',
  STRIPE_SECRET_KEY: 'sk_live_0123456789abcdef',
  STRIPE_WEBHOOK_SECRET: 'whsec_0123456789abcdef',
  STRIPE_RETURN_URL: 'https://shop.example.test/paid',
};

function faultsWith(changes: Record<string, string>): string[] {
  try {
    parseConfig({ ...BINDINGS, ...changes });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults;
  }
}

describe.each([
  'DATABASE_ENDPOINT',
  'UPSTASH_REDIS_REST_URL',
  'EVENTS_URL',
  'MAIL_API_URL',
  'REMOTE_WRITE_URL',
  'STRIPE_API_BASE',
])('in production %s', (name) => {
  const fault = `${name} must be https in production, or within a private network`;
  const production = { ...COMPANIONS, ENVIRONMENT: 'production' };

  test.each([
    'http://db.public.example.com/sql',
    'http://203.0.113.7',
    'http://10.example.com',
    'http://172.32.0.1',
    'http://192.169.0.1',
    'http://localhost.example.com',
    'http://[2001:db8::1]:8080',
    'http://[fc::1]',
    'http://[::ffff:203.0.113.7]',
    'http://a.svc.example.com',
    'http://internal.example.com',
  ])('is not %s', (url) => {
    expect(faultsWith({ ...production, [name]: url })).toEqual([fault]);
    expect(faultsWith({ ...COMPANIONS, [name]: url })).toEqual([]);
  });

  test.each([
    'https://db.public.example.com/sql',
    'http://localhost:8080',
    'http://127.0.0.1:8080/sql',
    'http://[::1]:8080',
    'http://10.1.2.3',
    'http://172.16.0.1',
    'http://172.31.255.254',
    'http://192.168.1.1',
    'http://[fd00::7]:8080',
    'http://postgres-endpoint:8080/sql',
    'http://db.shop.internal',
    'http://redis.shop.svc:8081',
    'http://redis.shop.svc.cluster.local:8081',
  ])('may be %s', (url) => {
    expect(faultsWith({ ...production, [name]: url })).toEqual([]);
  });
});
