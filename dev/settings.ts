import { readFileSync } from 'node:fs';
import { parseConfig } from '../src/platform/config.ts';
import { bindings as variables } from '../src/platform/config/variables.ts';
import type { DevSecrets } from './secrets.ts';

type Env = Record<string, string | undefined>;

/** What `npm run dev` was asked for: every variable is optional, and a blank one counts as unset. */
export interface Settings {
  /** Of the Worker; 0: any free port. */
  port: number;
  /** Set: a database that is not ours. Absent: the embedded one. */
  databaseUrl: string | undefined;
  migrationUrl: string | undefined;
  /** Set: an Upstash that is not ours. Absent: the local endpoint, with `redisUrl` behind it if set. */
  upstashUrl: string | undefined;
  redisUrl: string | undefined;
  /** Set: a test provider that is not ours, or none at all in production. */
  startProvider: boolean;
  migrate: boolean;
  seed: boolean;
  /** Start over with an empty embedded database. */
  reset: boolean;
  /** The bindings of the Worker before the parts of the stack add their addresses. */
  bindings: Record<string, string>;
}

/** Bindings that each part of the stack provides; stand-ins for the check before any of them is started. */
const NOT_YET_KNOWN = {
  DATABASE_URL: 'postgres://localhost/shop?sslmode=require',
  UPSTASH_REDIS_REST_URL: 'http://localhost',
  PAYMENT_TEST_URL: 'http://localhost',
};

/** Reads the variables and flags. Throws one readable error that names every faulty one. */
export function readSettings(environment: Env, flags: string[], secrets: DevSecrets): Settings {
  const unknown = flags.filter((flag) => !['--migrate', '--seed', '--reset'].includes(flag));
  if (unknown.length > 0) throw new Error(`Unknown: ${unknown.join(' ')}. There are --migrate, --seed and --reset.`);
  const env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const migrate = flags.includes('--migrate');
  const seed = flags.includes('--seed');
  const reset = flags.includes('--reset');
  const databaseUrl = env['DATABASE_URL'];
  const migrationUrl = env['MIGRATION_DATABASE_URL'];
  if (databaseUrl !== undefined && (migrate || seed) && migrationUrl === undefined) {
    throw new Error('--migrate and --seed need MIGRATION_DATABASE_URL: the owner of the schema, unpooled.');
  }
  if (databaseUrl !== undefined && reset)
    throw new Error('--reset is for the embedded database, not for DATABASE_URL.');
  const bindings = { ...defaults(secrets), ...given(env) };
  const upstashUrl = env['UPSTASH_REDIS_REST_URL'];
  const startProvider = env['PAYMENT_TEST_URL'] === undefined && bindings['ENVIRONMENT'] !== 'production';
  const settings = { port: readPort(env['PORT']), databaseUrl, migrationUrl, upstashUrl, redisUrl: env['REDIS_URL'] };
  if (upstashUrl !== undefined && env['UPSTASH_REDIS_REST_TOKEN'] === undefined) {
    throw new Error('UPSTASH_REDIS_REST_TOKEN is missing: it belongs to UPSTASH_REDIS_REST_URL.');
  }
  const { PAYMENT_TEST_URL, ...placeholders } = NOT_YET_KNOWN;
  parseConfig({ ...placeholders, ...(startProvider ? { PAYMENT_TEST_URL } : {}), ...bindings });
  return { ...settings, startProvider, migrate, seed, reset, bindings };
}

/** A demo on a laptop: limits that a load test does not meet, logs that a person can read. */
function defaults(secrets: DevSecrets): Record<string, string> {
  return {
    ENVIRONMENT: 'development',
    SERVICE_VERSION: `${readVersion()}-dev`,
    BUILD_TIME: `${new Date().toISOString().slice(0, 19)}Z`,
    JWT_ACCESS_SECRET: secrets.JWT_ACCESS_SECRET,
    JWT_REFRESH_SECRET: secrets.JWT_REFRESH_SECRET,
    ORDER_TOKEN_SECRET: secrets.ORDER_TOKEN_SECRET,
    UPSTASH_REDIS_REST_TOKEN: secrets.UPSTASH_REDIS_REST_TOKEN,
    METRICS_TOKEN: 'demo-metrics-token',
    PAYMENT_TEST_SECRET: secrets.PAYMENT_TEST_SECRET,
    PAYMENT_TEST_WEBHOOK_SECRET: secrets.PAYMENT_TEST_WEBHOOK_SECRET,
    RATE_LIMIT_PUBLIC: '100000',
    RATE_LIMIT_AUTHENTICATED: '100000',
    RATE_LIMIT_LOGIN: '100000',
    RATE_LIMIT_REGISTER: '100000',
    RATE_LIMIT_RESET: '100000',
    RATE_LIMIT_ORDER: '100000',
    LOG_FORMAT: 'console',
  };
}

function readVersion(): string {
  const manifest: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return manifest.version;
}

function given(env: Env): Record<string, string> {
  const pairs = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && Object.hasOwn(variables.shape, name) ? [[name, value] as const] : [],
  );
  return Object.fromEntries(pairs);
}

function readPort(text = '8787'): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new Error(`PORT must be a number from 0 to 65535, not "${text}".`);
  return port;
}
