import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
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
}

/** The demo shop under workerd on real parts, limiter off; close() ends all of it and leaves nothing behind. */
export async function startShop(products: number, { env = {}, inspect = false }: ShopOptions = {}): Promise<Workers> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const postgres = await startPostgres({});
    closers.push(() => postgres.stop());
    const databaseUrl = await makeDatabase(postgres.superuserUrl('postgres'), products);
    const bindings = await startPeers(databaseUrl, postgres, closers);
    const output = await mkdtemp(path.join(tmpdir(), 'bench-shop-'));
    closers.push(() => rm(output, { recursive: true }));
    await wrangler(ROOT, ['deploy', '--dry-run', '--env', ENVIRONMENT, '--outdir', output]);
    const bundle = path.join(output, 'index.js');
    const workers = await startWorkers({
      root: ROOT,
      environment: ENVIRONMENT,
      bundle,
      bindings: { ...bindings, ...env },
      inspect,
    });
    closers.push(() => workers.close());
    return { ...workers, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The connection string of the Worker's role. */
async function makeDatabase(superuserUrl: string, products: number): Promise<string> {
  const passwords = { owner: secret(), app: secret() };
  await createRoles(superuserUrl, passwords);
  await createDatabase(superuserUrl, DATABASE);
  const ownerUrl = asRole(superuserUrl, OWNER_ROLE, passwords.owner, DATABASE);
  await migrateUp(ownerUrl);
  await seedDemo(ownerUrl, { products });
  return asRole(superuserUrl, APP_ROLE, passwords.app, DATABASE);
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
