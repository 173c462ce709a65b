import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { startNeonEndpoint } from '../../dev/neon/server.ts';
import { startTestProvider, type TestProvider } from '../../dev/provider/server.ts';
import { startMailApi, type MailApi } from '../../dev/mail/server.ts';
import { APP_ROLE, asRole, createDatabase, dropDatabase, OWNER_ROLE } from '../../dev/roles.ts';
import { startUpstashEndpoint } from '../../dev/upstash/server.ts';
import { checkedFetch } from './contract.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import type { SharedStack } from './global-setup.ts';
import { nextDatabase } from './redis-server.ts';
import { startWorker, type TestWorker } from './worker.ts';

export interface Stack {
  /** Base URL of the Worker, without a slash at the end. */
  url: string;
  /** Throws when the reply breaks /openapi.json. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** The owner's connections to this file's own database. */
  owner: pg.Pool;
  databaseName: string;
  /** Between the Worker and its peers: records every exchange, and cuts them at will. */
  neon: FaultProxy;
  redis: FaultProxy;
  payments: FaultProxy;
  provider: TestProvider;
  /** Mails as they arrive, some time after the reply that promises them; the proxy before it is `mail`. */
  mails: MailApi;
  mail: FaultProxy;
  /** The Worker's structured log lines so far. */
  logs(): Record<string, unknown>[];
  worker: TestWorker;
  /** What the Worker is configured with, to start another one beside it. */
  bindings: Record<string, string>;
  close(): Promise<void>;
}

export interface StackOptions {
  /** Bindings of the Worker that differ. */
  env?: Record<string, string>;
  /** Stripe's bindings beside those of the test provider: the same peer, since it speaks as Stripe does. */
  stripe?: boolean;
  /** Another Redis behind the Upstash-compatible endpoint than the one that all files share. */
  redisUrl?: string;
  /** Another Postgres, or another bundle of the Worker, than what all files share. */
  shared?: Partial<SharedStack>;
}

const secret = (): string => randomBytes(32).toString('hex');

/** The real Worker on real parts, with a database of its own: call it once in a file, and close() at the end. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  const opened = <T extends { close(): Promise<unknown> }>(part: T): T => {
    closers.push(() => part.close());
    return part;
  };
  try {
    const shared = { ...inject('shared'), ...options.shared };
    const database = await ownDatabase(shared, closers);
    const secrets = { apiKey: secret(), webhookSecret: secret() };
    const provider = opened(await startTestProvider(secrets));
    const neonEndpoint = opened(await startNeonEndpoint({ upstream: database.upstream }));
    const redisToken = secret();
    const redisUrl = options.redisUrl ?? (shared.redisUrl === null ? null : await nextDatabase(shared.redisUrl));
    const redisEndpoint = opened(
      await startUpstashEndpoint({ token: redisToken, ...(redisUrl !== null && { redisUrl }) }),
    );
    const mailToken = secret();
    const mails = opened(await startMailApi({ token: mailToken }));
    const proxies = {
      neon: opened(await startFaultProxy(neonEndpoint.url)),
      redis: opened(await startFaultProxy(redisEndpoint.url)),
      payments: opened(await startFaultProxy(provider.url)),
      mail: opened(await startFaultProxy(mails.url)),
    };
    const bindings = {
      ...wideBindings(),
      // Production wants it said; the endpoint on the loopback needs no TLS towards its own Postgres.
      DATABASE_URL: `${database.appUrl}${options.env?.['ENVIRONMENT'] === 'production' ? '?sslmode=require' : ''}`,
      DATABASE_ENDPOINT: proxies.neon.url,
      UPSTASH_REDIS_REST_URL: proxies.redis.url,
      UPSTASH_REDIS_REST_TOKEN: redisToken,
      PAYMENT_TEST_URL: proxies.payments.url,
      PAYMENT_TEST_SECRET: secrets.apiKey,
      PAYMENT_TEST_WEBHOOK_SECRET: secrets.webhookSecret,
      ...(options.stripe === true && {
        STRIPE_API_BASE: proxies.payments.url,
        STRIPE_SECRET_KEY: secrets.apiKey,
        STRIPE_WEBHOOK_SECRET: secrets.webhookSecret,
        STRIPE_RETURN_URL: 'https://shop.example.test/paid',
      }),
      MAIL_API_URL: proxies.mail.url,
      MAIL_API_TOKEN: mailToken,
      MAIL_FROM: 'Test shop <shop@example.test>',
      ...options.env,
    };
    const worker = opened(await startWorker(shared.workerDir, shared.workerConfig, bindings));
    const { url } = worker;
    provider.setWebhookUrl(`${url}/api/v1/webhooks/payments/${options.stripe === true ? 'stripe' : 'test'}`);
    return {
      url,
      fetch: checkedFetch(url),
      owner: database.owner,
      databaseName: database.name,
      ...proxies,
      provider,
      mails,
      logs: () => worker.logs().flatMap(({ message }) => parseLogLine(message)),
      worker,
      bindings,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface OwnDatabase {
  name: string;
  upstream: { host: string; port: number };
  appUrl: string;
  owner: pg.Pool;
}

async function ownDatabase(shared: SharedStack, closers: (() => Promise<unknown>)[]): Promise<OwnDatabase> {
  const name = `shop_${randomBytes(6).toString('hex')}`;
  await createDatabase(shared.superuserUrl, name, shared.template);
  closers.push(() => dropDatabase(shared.superuserUrl, name));
  const ownerUrl = asRole(shared.superuserUrl, OWNER_ROLE, shared.ownerPassword, name);
  const owner = new pg.Pool({ connectionString: ownerUrl, max: 5 });
  // The pool ends before its sockets do, and the drop may still end one of them.
  owner.on('connect', (client) => void client.on('error', () => undefined));
  owner.on('error', () => undefined);
  closers.push(() => owner.end());
  return {
    name,
    upstream: { host: shared.host, port: shared.port },
    appUrl: asRole(shared.superuserUrl, APP_ROLE, shared.appPassword, name),
    owner,
  };
}

/** Secrets of this run alone, and limits and timeouts that no test meets by accident on a slow machine. */
function wideBindings(): Record<string, string> {
  return {
    ENVIRONMENT: 'test',
    JWT_ACCESS_SECRET: secret(),
    JWT_REFRESH_SECRET: secret(),
    ORDER_TOKEN_SECRET: secret(),
    METRICS_TOKEN: secret(),
    RATE_LIMIT_PUBLIC: '100000',
    RATE_LIMIT_AUTHENTICATED: '100000',
    RATE_LIMIT_LOGIN: '100000',
    RATE_LIMIT_REGISTER: '100000',
    RATE_LIMIT_RESET: '100000',
    RATE_LIMIT_ORDER: '100000',
    DATABASE_TIMEOUT_MS: '60000',
    REDIS_TIMEOUT_MS: '5000',
    // Tests change rows behind the Worker's back; those of the cache turn it on.
    CACHE_TTL: '0',
    LOG_LEVEL: 'debug',
    LOG_FORMAT: 'json',
  };
}

function parseLogLine(message: string): Record<string, unknown>[] {
  try {
    const line: unknown = JSON.parse(message);
    return typeof line === 'object' && line !== null ? [{ ...line }] : [];
  } catch {
    return [];
  }
}
