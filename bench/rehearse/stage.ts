import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { startNeonEndpoint } from '../../dev/neon/server.ts';
import { type LocalPostgres, startPostgres } from '../../dev/postgres.ts';
import { clusterDir, postgresAccount } from '../../dev/postgres-files.ts';
import { type TestProvider, startTestProvider } from '../../dev/provider/server.ts';
import { bundleWorker, makeDatabase } from '../shop.ts';
import { type Peer, startRedis } from './redis.ts';
import { type SelfHosted, startSelfHosted } from './self-hosted.ts';
import { type Replica, type ReplicaOptions, startReplica } from './replica.ts';

export const METRICS_TOKEN = 'metrics-token-of-a-rehearsal';

/** Everything around the Workers, once for all rehearsals; each starts Workers of its own. */
export interface Stage {
  /** What else the machine was doing before this began; null: little. */
  busyWith: string | null;
  /** A temporary one, removed with the stage. */
  folder: string;
  /** The database as its owner sees it. */
  owner: pg.Pool;
  provider: TestProvider;
  redis: Peer;
  postgres: Peer;
  /** A Worker in a process of its own, from the bundle that would be deployed; closed with the stage at the latest. */
  start(options?: ReplicaOptions): Promise<Replica>;
  /** The same bundle under the supervisor of a self-hosted replica. */
  startSelfHosted(env: Record<string, string>): Promise<SelfHosted>;
  /** Ends all Workers. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

const PRODUCTS = 100;
const PRODUCTS_OF_A_PAGE = 100;
const POSTGRES_TRIES_MAX = 20;
/** Of load for each core, from which on a machine is busy. */
const BUSY = 1.5;

/** `say` is told what is being prepared. */
export async function openStage(say: (what: string) => void): Promise<Stage> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  const busyWith = foreignLoad();
  try {
    say('Postgres');
    const folder = await mkdtemp(path.join(tmpdir(), 'rehearse-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const { postgres, database } = await openDatabase(path.join(folder, 'postgres'), closers);
    say('the Worker');
    const bundle = await bundleWorker(closers);
    say('the peers');
    const redis = await startRedis(closers);
    const payment = { apiKey: secret(), webhookSecret: secret() };
    const provider = await startTestProvider(payment);
    closers.push(() => provider.close());
    const neon = await startNeonEndpoint({ upstream: { host: database.host, port: database.port } });
    closers.push(() => neon.close());
    const bindings = {
      ...ownBindings(),
      DATABASE_URL: database.appUrl,
      DATABASE_ENDPOINT: neon.url,
      UPSTASH_REDIS_REST_URL: redis.url,
      UPSTASH_REDIS_REST_TOKEN: redis.token,
      PAYMENT_TEST_URL: provider.url,
      PAYMENT_TEST_SECRET: payment.apiKey,
      PAYMENT_TEST_WEBHOOK_SECRET: payment.webhookSecret,
    };
    const running: (() => Promise<unknown>)[] = [];
    // One at a time: a replica knows its process as the one that was not there before.
    let turn: Promise<unknown> = Promise.resolve();
    const clear = async () => {
      for (const end of running.splice(0)) await end();
    };
    closers.push(clear);
    return {
      busyWith,
      folder,
      owner: database.owner,
      provider,
      redis,
      postgres,
      async start(options = {}) {
        const started = turn.then(() => startReplica({ bundle, folder, bindings, ...options }));
        turn = started.catch(() => undefined);
        const replica = await started;
        running.push(() => replica.close());
        return replica;
      },
      async startSelfHosted(env) {
        const replica = await startSelfHosted({ bundle, folder, bindings: { ...bindings, ...env } });
        running.push(() => replica.stop());
        return replica;
      },
      clear,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A Postgres that flushes to disk, unlike those of the tests, since it is stopped in the middle of writing. */
async function openDatabase(dataDir: string, closers: (() => Promise<unknown>)[]) {
  let server: LocalPostgres = await startPostgres({ dataDir });
  const { host, port } = server;
  closers.push(async () => {
    await server.stop();
    await rm(clusterDir(dataDir, postgresAccount()), { recursive: true, force: true });
  });
  const { ownerUrl, appUrl } = await makeDatabase(server.superuserUrl('postgres'), PRODUCTS);
  const owner = new pg.Pool({ connectionString: ownerUrl, max: 3 });
  // A server that stops ends idle connections too; the next query opens a new one.
  owner.on('connect', (client) => void client.on('error', () => undefined));
  owner.on('error', () => undefined);
  closers.push(() => owner.end());
  const postgres: Peer = {
    kind: 'PostgreSQL 18, flushing to disk',
    down: () => server.stop(),
    async up() {
      server = await startAgain(dataDir, port);
    },
  };
  return { postgres, database: { host, port, appUrl, owner } };
}

async function startAgain(dataDir: string, port: number): Promise<LocalPostgres> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startPostgres({ dataDir, port });
    } catch (error) {
      if (attempt === POSTGRES_TRIES_MAX) throw error;
      await sleep(250);
    }
  }
}

function ownBindings(): Record<string, string> {
  return {
    ENVIRONMENT: 'test',
    JWT_ACCESS_SECRET: secret(),
    JWT_REFRESH_SECRET: secret(),
    ORDER_TOKEN_SECRET: secret(),
    METRICS_TOKEN,
    METRICS_FLUSH_SECONDS: '1',
    TRUSTED_IP_HEADER: 'x-real-ip',
    RATE_LIMIT_ENABLED: 'false',
    LOG_LEVEL: 'fatal',
  };
}

/** What else runs is in every latency. */
function foreignLoad(): string | null {
  const [load = 0] = loadavg();
  const cores = availableParallelism();
  return load > BUSY * cores ? `load ${load.toFixed(0)} on ${cores} cores beforehand` : null;
}

function secret(): string {
  return randomBytes(32).toString('hex');
}

/** Handles of products that the seed put on sale. */
export async function handlesOf({ owner }: Stage): Promise<string[]> {
  const { rows } = await owner.query<{ handle: string }>(
    `select handle from products where status = 'active' and handle not like 'rehearsal-%' order by handle limit $1`,
    [PRODUCTS_OF_A_PAGE],
  );
  return rows.map(({ handle }) => handle);
}
