import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { migrateUp } from '../dev/migrate.ts';
import { startNeonEndpoint } from '../dev/neon/server.ts';
import { startPostgres } from '../dev/postgres.ts';
import { startTestProvider } from '../dev/provider/server.ts';
import { APP_ROLE, OWNER_ROLE, asRole, createDatabase, createRoles } from '../dev/roles.ts';
import { seedDemo } from '../dev/seed/index.ts';
import { startUpstashEndpoint } from '../dev/upstash/server.ts';
import { type Workers, startWorkers } from './workerd.ts';
import { wrangler } from './wrangler.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
const ENVIRONMENT = 'dev';
const DATABASE = 'shop';

export interface ShopOptions {
  /** Bindings of the Worker that differ. */
  env?: Record<string, string>;
  inspect?: boolean;
  /** Source of another entry than the Worker's own; it imports modules of the project by their path from the root. */
  entry?: (root: string) => string;
}

/** The demo shop's database and peers, for any number of Workers; close() ends all of it and leaves nothing behind. */
export interface ShopParts {
  /** A Worker on these parts, limiter off. */
  start(options?: ShopOptions): Promise<Workers>;
  close(): Promise<void>;
}

export async function startShopParts(products: number): Promise<ShopParts> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const postgres = await startPostgres({});
    closers.push(() => postgres.stop());
    const { appUrl } = await makeDatabase(postgres.superuserUrl('postgres'), products);
    const bindings = await startPeers(appUrl, postgres, closers);
    return {
      async start({ env = {}, inspect = false, entry } = {}) {
        const bundle = await bundleWorker(closers, entry);
        const all = { ...bindings, ...env };
        const workers = await startWorkers({ root: ROOT, environment: ENVIRONMENT, bundle, bindings: all, inspect });
        let isOpen = true;
        const closeOnce = async () => {
          if (isOpen) await workers.close();
          isOpen = false;
        };
        closers.push(closeOnce);
        return { ...workers, close: closeOnce };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** One Worker on parts of its own; close() ends both. */
export async function startShop(products: number, options: ShopOptions = {}): Promise<Workers> {
  const parts = await startShopParts(products);
  try {
    return { ...(await parts.start(options)), close: () => parts.close() };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/** Path of the bundle; the last of `closers` removes it. */
export async function bundleWorker(closers: (() => Promise<unknown>)[], entry?: ShopOptions['entry']): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-shop-'));
  closers.push(() => rm(folder, { recursive: true }));
  const script = path.join(folder, 'index.ts');
  if (entry !== undefined) await writeFile(script, entry(ROOT));
  const output = path.join(folder, 'bundle');
  const own = entry === undefined ? [] : [script, '--config', path.join(ROOT, 'wrangler.toml')];
  await wrangler(ROOT, ['deploy', ...own, '--dry-run', '--env', ENVIRONMENT, '--outdir', output]);
  return path.join(output, 'index.js');
}

/** The demo shop's database, and the connection strings of its owner and of the Worker's role. */
export async function makeDatabase(
  superuserUrl: string,
  products: number,
): Promise<{ ownerUrl: string; appUrl: string }> {
  const passwords = { owner: secret(), app: secret() };
  await createRoles(superuserUrl, passwords);
  await createDatabase(superuserUrl, DATABASE);
  const ownerUrl = asRole(superuserUrl, OWNER_ROLE, passwords.owner, DATABASE);
  await migrateUp(ownerUrl);
  await seedDemo(ownerUrl, { products });
  return { ownerUrl, appUrl: asRole(superuserUrl, APP_ROLE, passwords.app, DATABASE) };
}

async function startPeers(
  databaseUrl: string,
  upstream: { host: string; port: number },
  closers: (() => Promise<unknown>)[],
): Promise<Record<string, string>> {
  const neon = await startNeonEndpoint({ upstream: { host: upstream.host, port: upstream.port } });
  closers.push(() => neon.close());
  const { REDIS_URL: redisUrl } = process.env;
  const redis = await startUpstashEndpoint({ token: secret(), ...(redisUrl === undefined ? {} : { redisUrl }) });
  closers.push(() => redis.close());
  const payment = { apiKey: secret(), webhookSecret: secret() };
  const provider = await startTestProvider(payment);
  closers.push(() => provider.close());
  return {
    DATABASE_URL: databaseUrl,
    DATABASE_ENDPOINT: neon.url,
    UPSTASH_REDIS_REST_URL: redis.url,
    UPSTASH_REDIS_REST_TOKEN: redis.token,
    JWT_ACCESS_SECRET: secret(),
    JWT_REFRESH_SECRET: secret(),
    ORDER_TOKEN_SECRET: secret(),
    METRICS_TOKEN: secret(),
    PAYMENT_TEST_URL: provider.url,
    PAYMENT_TEST_SECRET: payment.apiKey,
    PAYMENT_TEST_WEBHOOK_SECRET: payment.webhookSecret,
    RATE_LIMIT_ENABLED: 'false',
    LOG_LEVEL: 'error',
  };
}

function secret(): string {
  return randomBytes(32).toString('hex');
}
