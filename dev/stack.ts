import { createServer } from 'node:net';
import { join } from 'node:path';
import { printMail, startMailApi } from './mail/server.ts';
import { migrateUp } from './migrate.ts';
import { startNeonEndpoint } from './neon/server.ts';
import { startPostgres } from './postgres.ts';
import { startTestProvider } from './provider/server.ts';
import { APP_ROLE, asRole, createDatabase, createRoles, dropDatabase, OWNER_ROLE } from './roles.ts';
import type { DevSecrets } from './secrets.ts';
import { hasProducts, seedDemo } from './seed/index.ts';
import { seedProgress } from './seed/progress.ts';
import type { Settings } from './settings.ts';
import { startUpstashEndpoint } from './upstash/server.ts';
import { startDevWorker } from './worker.ts';

export interface DevStack {
  url: string;
  /** For psql; absent when the database is not ours. */
  ownerUrl: string | undefined;
  providerUrl: string | undefined;
}

const DATABASE = 'shop';
const DEMO_PRODUCTS = 1_000;
const DEMO_SENDER = 'Demo shop <shop@demo.test>';

type Bindings = Record<string, string>;
/** How to end what was started so far; to be called last first. */
export type Stops = (() => Promise<void>)[];

/** Starts the parts in the order in which they need each other, and adds each one's end to `stops`. */
export async function startDevStack(
  settings: Settings,
  secrets: DevSecrets,
  stateDir: string,
  stops: Stops,
): Promise<DevStack> {
  await refuseTakenPort(settings.port);
  const database = await startDatabase(settings, secrets, stateDir, stops);
  const redis = await startRedis(settings, secrets, stops);
  const payments = await startPayments(settings, secrets, stops);
  const mail = await startMail(settings, secrets, stops);
  const bindings = { ...settings.bindings, ...database.bindings, ...redis, ...payments.bindings, ...mail };
  const worker = await startDevWorker({ port: settings.port, bindings, stateDir: join(stateDir, 'worker') });
  stops.push(() => worker.stop());
  payments.provider?.setWebhookUrl(`${worker.url}/api/v1/webhooks/payments/test`);
  return { url: worker.url, ownerUrl: database.ownerUrl, providerUrl: payments.provider?.url };
}

async function startDatabase(
  settings: Settings,
  secrets: DevSecrets,
  stateDir: string,
  stops: Stops,
): Promise<{ bindings: Bindings; ownerUrl: string | undefined }> {
  if (settings.databaseUrl !== undefined) {
    if (settings.migrate && settings.migrationUrl) await migrate(settings.migrationUrl);
    if (settings.seed && settings.migrationUrl) await seed(settings.migrationUrl);
    if (new URL(settings.databaseUrl).hostname.endsWith('.neon.tech')) return { bindings: {}, ownerUrl: undefined };
    const endpoint = await startNeonEndpoint({});
    stops.push(() => endpoint.close());
    return { bindings: { DATABASE_ENDPOINT: endpoint.url }, ownerUrl: undefined };
  }
  const postgres = await startPostgres({ dataDir: join(stateDir, 'postgres') });
  stops.push(() => postgres.stop());
  const superuserUrl = postgres.superuserUrl('postgres');
  const { POSTGRES_OWNER_PASSWORD: owner, POSTGRES_APP_PASSWORD: app } = secrets;
  await createRoles(superuserUrl, { owner, app });
  if (settings.reset) await dropDatabase(superuserUrl, DATABASE);
  await createDatabase(superuserUrl, DATABASE);
  const ownerUrl = asRole(superuserUrl, OWNER_ROLE, owner, DATABASE);
  await migrate(ownerUrl).catch((error: unknown) => {
    throw new Error(
      `${error instanceof Error ? error.message : ''}\nTo start over with an empty database: npm run dev -- --reset`,
      { cause: error },
    );
  });
  if (!(await hasProducts(ownerUrl))) await seed(ownerUrl);
  const endpoint = await startNeonEndpoint({ upstream: { host: postgres.host, port: postgres.port } });
  stops.push(() => endpoint.close());
  // Production wants it said; the endpoint on the loopback needs no TLS towards its own Postgres.
  const mode = settings.bindings['ENVIRONMENT'] === 'production' ? '?sslmode=require' : '';
  const appUrl = `${asRole(superuserUrl, APP_ROLE, app, DATABASE)}${mode}`;
  return { bindings: { DATABASE_URL: appUrl, DATABASE_ENDPOINT: endpoint.url }, ownerUrl };
}

async function startRedis(settings: Settings, secrets: DevSecrets, stops: Stops): Promise<Bindings> {
  if (settings.upstashUrl !== undefined) return {};
  const token = secrets.UPSTASH_REDIS_REST_TOKEN;
  const { redisUrl } = settings;
  const endpoint = await startUpstashEndpoint(redisUrl === undefined ? { token } : { token, redisUrl });
  stops.push(() => endpoint.close());
  return { UPSTASH_REDIS_REST_URL: endpoint.url, UPSTASH_REDIS_REST_TOKEN: token };
}

async function startPayments(settings: Settings, secrets: DevSecrets, stops: Stops) {
  if (!settings.startProvider) return { bindings: {}, provider: undefined };
  const { PAYMENT_TEST_SECRET: apiKey, PAYMENT_TEST_WEBHOOK_SECRET: webhookSecret } = secrets;
  const provider = await startTestProvider({ apiKey, webhookSecret });
  stops.push(() => provider.close());
  const keys = { PAYMENT_TEST_SECRET: apiKey, PAYMENT_TEST_WEBHOOK_SECRET: webhookSecret };
  return { bindings: { PAYMENT_TEST_URL: provider.url, ...keys }, provider };
}

/** Mails are printed here: the Worker's own log never shows an address or a link. */
async function startMail(settings: Settings, secrets: DevSecrets, stops: Stops): Promise<Bindings> {
  if (settings.bindings['MAIL_API_URL'] !== undefined || settings.bindings['ENVIRONMENT'] === 'production') return {};
  const token = secrets.MAIL_API_TOKEN;
  const api = await startMailApi({ token, onMail: printMail });
  stops.push(() => api.close());
  return { MAIL_API_URL: api.url, MAIL_API_TOKEN: token, MAIL_FROM: DEMO_SENDER };
}

async function migrate(ownerUrl: string): Promise<void> {
  const applied = await migrateUp(ownerUrl);
  if (applied.length > 0) console.log(`Applied ${applied.length} migrations.`);
}

async function seed(ownerUrl: string): Promise<void> {
  const progress = seedProgress();
  try {
    await seedDemo(ownerUrl, { products: DEMO_PRODUCTS, onProgress: (done, total) => progress.update(done, total) });
  } finally {
    progress.stop();
  }
}

/** Asked before anything is started, on both loopback addresses that "localhost" may mean. */
async function refuseTakenPort(port: number): Promise<void> {
  if (port === 0) return;
  for (const host of ['127.0.0.1', '::1']) {
    const code = await new Promise<string | undefined>((resolve) => {
      const server = createServer();
      server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      server.listen(port, host, () => server.close(() => resolve(undefined)));
    });
    if (code === 'EADDRINUSE') {
      throw new Error(`Port ${port} is taken. Stop what uses it, or choose another: PORT=${port + 1} npm run dev`);
    }
    if (code === 'EACCES') throw new Error(`Port ${port} needs more rights. Choose another: PORT=8787 npm run dev`);
  }
}
