import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setDefaultCACertificates } from 'node:tls';
import type { Deployment } from '../../dev/doctor/deployment.ts';
import { ALERTS, type Clinic, DUMP, DUMP_SUM, FOLDER, ofNeon, OTHER_KEY, ROOTS } from './doctor-clinic.ts';
import { type Mangle, withHeaders } from './doctor-fixture.ts';

export type Break = {
  values?: Record<string, string>;
  changes?: Partial<Deployment>;
  mangle?: Mangle;
  prepare?: (clinic: Clinic) => unknown;
};
const only =
  (wanted: string, change: (reply: Response) => Response): Mangle =>
  (path, reply) =>
    path.startsWith(wanted) ? change(reply) : reply;
const status = (code: number) => (reply: Response) => new Response('{}', { status: code, headers: reply.headers });
const body = (edit: (text: string) => string) => async (path: string, reply: Response) =>
  path === '/health' || path === '/metrics' ? new Response(edit(await reply.text()), reply) : reply;
const later = (days: number) => () => new Date(Date.now() + days * 86_400_000);

/** By check, what is broken: each of these has to be found. */
export const BREAKS: Record<string, Record<string, Break>> = {
  environment: { 'of another': { values: { ENVIRONMENT: 'staging' } }, unset: { values: { ENVIRONMENT: '' } } },
  names: {
    'misspelt in wrangler.toml': { changes: { vars: ['RATE_LIMT_PUBLIC'] } },
    'misspelt in the file': { changes: { inFile: ['JWT_ACESS_SECRET'] } },
    'a secret nobody reads': { changes: { secrets: ['OLD_SECRET'] } },
  },
  bindings: {
    missing: { values: { ORDER_TOKEN_SECRET: '' } },
    'missing at Cloudflare, too': { values: { UPSTASH_REDIS_REST_TOKEN: '' }, changes: { secrets: ['METRICS_TOKEN'] } },
    'out of range': { values: { TICK_INTERVAL: '0' } },
    "of the host's": { values: { PORT: 'http' } },
    'the gRPC port': { values: { OTLP_ENDPOINT: 'otel-collector:4317' } },
  },
  'jwt-secrets': {
    short: { values: { JWT_ACCESS_SECRET: 'abc' } },
    'of the guide': { values: { JWT_ACCESS_SECRET: 'generate-strong-random-secret-32-chars-min' } },
    monotonous: { values: { JWT_REFRESH_SECRET: 'ab'.repeat(20) } },
    'one for two': {
      values: { ORDER_TOKEN_SECRET: 'kR7!x'.repeat(9) + 'q2wZ', JWT_REFRESH_SECRET: 'kR7!x'.repeat(9) + 'q2wZ' },
    },
  },
  certificate: {
    'soon over': { changes: { now: later(80) } },
    'of another key': { values: { TLS_KEY_FILE: OTHER_KEY } },
    'not there': { values: { TLS_CERT_FILE: '/nowhere/cert.pem' } },
  },
  'database-tls': {
    'no sslmode': { values: { DATABASE_URL: 'postgres://ecommerce_app:pw@db.example.test/shop' } },
    prefer: { values: { DATABASE_URL: 'postgres://ecommerce_app:pw@db.example.test/shop?sslmode=prefer' } },
    "the owner's": { values: { MIGRATION_DATABASE_URL: 'postgres://owner:pw@db.example.test/shop' } },
    "the owner's, where Cloudflare holds the other": {
      values: { DATABASE_URL: '', MIGRATION_DATABASE_URL: 'postgres://owner:pw@db.example.test/shop' },
      changes: { secrets: ['DATABASE_URL'] },
    },
    'an endpoint in the clear': { values: { DATABASE_ENDPOINT: 'http://db.public.example.com/sql' } },
    'an endpoint in the clear, in staging': {
      values: { DATABASE_ENDPOINT: 'http://db.public.example.com/sql' },
      changes: { environment: 'staging' },
    },
  },
  'database-role': {
    'the superuser': { values: { DATABASE_URL: 'postgres://postgres:pw@db.example.test/shop?sslmode=require' } },
    'who migrates': {
      values: {
        DATABASE_URL: 'postgres://me:pw@db.example.test/shop?sslmode=require',
        MIGRATION_DATABASE_URL: 'postgres://me:pw@direct.example.test/shop?sslmode=require',
      },
    },
  },
  'redis-password': {
    'none behind the endpoint': { values: { REDIS_URL: 'redis:6379' } },
    'one letter behind the endpoint': { values: { REDIS_URL: 'redis:6379', REDIS_PASSWORD: 'x' } },
    'one letter in the address': { values: { REDIS_URL: 'redis://:x@redis:6379' } },
    'of an example behind the endpoint': { values: { REDIS_PASSWORD: 'your-redis-password' } },
    'a token of an example': { values: { UPSTASH_REDIS_REST_TOKEN: 'change-me-token-of-the-redis-endpoint' } },
    'a token in the clear': { values: { UPSTASH_REDIS_REST_URL: 'http://redis.example.test' } },
    'a token in the clear, whatever is behind': {
      values: {
        UPSTASH_REDIS_REST_URL: 'http://redis.example.test',
        REDIS_URL: 'redis:6379',
        REDIS_PASSWORD: 'f3a9c1d2'.repeat(4),
      },
    },
    'a short token': { values: { UPSTASH_REDIS_REST_TOKEN: 'token' } },
  },
  'rate-limits': { off: { values: { RATE_LIMIT_ENABLED: 'false' } } },
  cors: {
    none: { values: { ALLOWED_ORIGINS: '' } },
    anybody: { values: { ALLOWED_ORIGINS: '*' } },
    'in the clear': { values: { ALLOWED_ORIGINS: 'http://shop.example.test' } },
  },
  'metrics-token': {
    none: { values: { METRICS_TOKEN: '' } },
    short: { values: { METRICS_TOKEN: 'x' } },
    'of an example': { values: { METRICS_TOKEN: 'change-me-token-of-prometheus' } },
  },
  logs: {
    'for people': { values: { LOG_FORMAT: 'console' } },
    'errors alone': { values: { LOG_LEVEL: 'error' } },
    'kept by nobody': { changes: { keepsLogs: false } },
  },
  cron: { none: { changes: { crons: [] } } },
  backups: {
    none: { values: { BACKUP_DIR: import.meta.dirname } },
    'from the day before yesterday': { changes: { now: later(2) } },
    empty: { prepare: () => writeFileSync(DUMP, '') },
    'not what its sum says': { prepare: () => writeFileSync(DUMP, 'a dumq') },
    'without a sum': { prepare: () => rmSync(DUMP_SUM) },
    'of another one': { prepare: () => writeFileSync(DUMP_SUM, readFileSync(DUMP_SUM, 'utf8').replace('backup', 'x')) },
    'of an older one that was copied': {
      prepare: () => renameSync(DUMP, join(FOLDER, 'backup-20260101T020000Z.dump')),
    },
    'where nothing is': { values: { BACKUP_DIR: '/nowhere' } },
    'a key of Neon alone': { values: { NEON_PROJECT_ID: '', NEON_BRANCH_ID: '' } },
    'none at Neon': { prepare: ({ neon }) => (neon.replies = ofNeon()) },
    'at Neon, from the day before yesterday': { prepare: ({ neon }) => (neon.replies = ofNeon(2)) },
    'of another branch at Neon': { values: { NEON_BRANCH_ID: 'br-other' } },
    'refused by Neon': { values: { NEON_PROJECT_ID: 'another' } },
  },
  tls: {
    'none at all': { changes: { url: 'http://127.0.0.1:1' } },
    'an unknown issuer': { prepare: () => setDefaultCACertificates(ROOTS) },
    'soon over': { changes: { now: later(80) } },
  },
  'security-headers': Object.fromEntries(
    [
      ['x-content-type-options', null],
      ['x-frame-options', null],
      ['content-security-policy', "default-src 'self'"],
      ['referrer-policy', 'unsafe-url'],
      ['strict-transport-security', 'max-age=60'],
    ].map(([name, value]) => [
      String(name),
      { mangle: only('/api', (reply) => withHeaders(reply, { [String(name)]: value ?? null })) },
    ]),
  ),
  'cors-live': {
    'anybody may read': { mangle: only('/api', (reply) => withHeaders(reply, { 'access-control-allow-origin': '*' })) },
    'a listed one may not': { values: { ALLOWED_ORIGINS: 'https://new.example.test' } },
  },
  'rate-limits-live': {
    'no headers': { mangle: only('/api', (reply) => withHeaders(reply, { 'ratelimit-limit': null })) },
    'another limit': { values: { RATE_LIMIT_PUBLIC: '7' } },
  },
  health: {
    'not ready': { mangle: only('/health/ready', status(503)) },
    'not alive': { mangle: only('/health/live', status(500)) },
    'another environment': { mangle: body((text) => text.replace('"production"', '"staging"')) },
    'another version': { values: { SERVICE_VERSION: '1.2.4' } },
    'no build time': { mangle: body((text) => text.replace('"2026-11-22T09:30:00Z"', 'null')) },
  },
  metrics: {
    'for everybody': { mangle: only('/metrics', status(200)) },
    'another token': { values: { METRICS_TOKEN: 'x'.repeat(32) } },
    'no tick': { mangle: body((text) => text.replace(/^ecommerce_tick_last.*$/gm, '')) },
    'a tick of long ago': { changes: { now: later(0.01) } },
  },
  docs: {
    'no document': { mangle: only('/openapi.json', status(404)) },
    'no page': { mangle: only('/docs', status(404)) },
  },
  admin: { open: { mangle: only('/api/v1/admin', status(200)) } },
  prometheus: {
    'no such job': {
      prepare: ({ prometheus }) => (prometheus.replies['/api/v1/targets'] = { data: { activeTargets: [] } }),
    },
    down: {
      prepare: ({ prometheus }) => {
        const target = { labels: { job: 'ecommerce-api' }, health: 'down', lastError: '401 Unauthorized' };
        prometheus.replies['/api/v1/targets'] = { data: { activeTargets: [target] } };
      },
    },
    'not there': { changes: { prometheusUrl: 'http://127.0.0.1:1' } },
  },
  'alert-rules': {
    'one is missing': {
      prepare: ({ prometheus }) =>
        (prometheus.replies['/api/v1/rules'] = { data: { groups: [{ rules: [{ name: ALERTS[0] }] }] } }),
    },
    'nobody to tell': {
      prepare: ({ prometheus }) =>
        (prometheus.replies['/api/v1/alertmanagers'] = { data: { activeAlertmanagers: [] } }),
    },
  },
  grafana: {
    'one is missing': { prepare: ({ grafana }) => (grafana.replies['/api/search'] = [{ uid: 'ecommerce-api' }]) },
    'refuses the token': { prepare: ({ grafana }) => (grafana.replies = {}) },
  },
};
