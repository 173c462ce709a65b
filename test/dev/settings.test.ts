import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { devSecrets } from '../../dev/secrets.ts';
import { readSettings } from '../../dev/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'edge-commerce-secrets-'));
const file = join(folder, 'nested/secrets.json');
const secrets = devSecrets(file);
afterAll(() => rmSync(folder, { recursive: true }));
const read = (env: Record<string, string>, ...flags: string[]) => readSettings(env, flags, secrets);

test('secrets are made once, all different, readable by their user alone', () => {
  expect(devSecrets(file)).toEqual(secrets);
  expect(new Set(Object.values(secrets)).size).toBe(Object.keys(secrets).length);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(secrets);
});

test('without variables: the whole embedded stack, wide limits, the demo metrics token', () => {
  const settings = read({});
  expect(settings).toMatchObject({ port: 8787, databaseUrl: undefined, upstashUrl: undefined, startProvider: true });
  expect(settings.bindings).toMatchObject({ ENVIRONMENT: 'development', METRICS_TOKEN: 'demo-metrics-token' });
  expect(settings.bindings['RATE_LIMIT_PUBLIC']).toBe('100000');
});

test("the shop knows its version, and that it is nobody's release; a given version wins", () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  const startedAtMs = Date.now();
  const { bindings } = read({});
  expect(bindings['SERVICE_VERSION']).toBe(`${version}-dev`);
  expect(Math.abs(Date.parse(bindings['BUILD_TIME'] ?? '') - startedAtMs)).toBeLessThan(60_000);
  expect(read({ SERVICE_VERSION: '9.9.9' }).bindings['SERVICE_VERSION']).toBe('9.9.9');
});

test('a variable wins over the default, and a blank one counts as unset', () => {
  const { bindings } = read({ RATE_LIMIT_PUBLIC: '5', METRICS_TOKEN: '', HOME: '/home/somebody' });
  expect(bindings).toMatchObject({ RATE_LIMIT_PUBLIC: '5', METRICS_TOKEN: 'demo-metrics-token' });
  expect(bindings).not.toHaveProperty('HOME');
});

test('REDIS_URL goes behind the endpoint and is no binding', () => {
  const settings = read({ REDIS_URL: 'redis://127.0.0.1:6379' });
  expect(settings.redisUrl).toBe('redis://127.0.0.1:6379');
  expect(settings.bindings).not.toHaveProperty('REDIS_URL');
});

test('production starts no test provider', () => {
  expect(read({ ENVIRONMENT: 'production' }).startProvider).toBe(false);
});

test.each([
  [{ PORT: 'http' }, [], 'PORT must be a number'],
  [{ PORT: '70000' }, [], 'PORT must be a number'],
  [{}, ['--seeds'], '--seeds'],
  [{ DATABASE_URL: 'postgres://u:p@db.example.com/shop' }, ['--migrate'], 'MIGRATION_DATABASE_URL'],
  [{ DATABASE_URL: 'postgres://u:p@db.example.com/shop' }, ['--reset'], 'embedded database'],
  [{ DATABASE_URL: 'mysql://db.example.com/shop' }, [], 'DATABASE_URL'],
  [{ UPSTASH_REDIS_REST_URL: 'https://x.upstash.io' }, [], 'UPSTASH_REDIS_REST_TOKEN is missing'],
])('refuses %o %o', (env, flags, message) => {
  expect(() => read(env, ...flags)).toThrow(message);
});
