import type { ConnectionOptions } from 'node:tls';
import pg from 'pg';
import type { Target } from './request.ts';

export interface Pools {
  /** Lends a connection for one request and takes it back clean, whatever `work` did to it. */
  withClient<T>(target: Target, gone: AbortSignal, work: (client: pg.PoolClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Of each pool. */
export interface PoolLimits {
  maxConnections: number;
  /** Connections kept without work; all of them by default. */
  maxIdle?: number;
  /** Time without work after which a connection is closed. */
  idleTimeoutMs?: number;
  /** Age at which a connection is replaced; never by default. */
  maxLifetimeS?: number;
  /** How Postgres is reached; without it in the clear. */
  tls?: ConnectionOptions | undefined;
}

const CONNECT_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 10_000;

/** One bounded pool for each (user, password, database): a wrong password can never be served by another's connection. */
export function createPools(options: PoolLimits & { log: (line: string) => void }): Pools {
  const { maxIdle = options.maxConnections, tls } = options;
  const pools = new Map<string, pg.Pool>();

  const forgetIfEmpty = (key: string, pool: pg.Pool): void => {
    if (pool.totalCount === 0 && pool.waitingCount === 0 && pools.get(key) === pool) pools.delete(key);
  };

  const poolOf = (key: string, target: Target): pg.Pool => {
    const existing = pools.get(key);
    if (existing !== undefined) return existing;
    const pool = new pg.Pool({
      ...connectionConfig(target, tls),
      max: options.maxConnections,
      idleTimeoutMillis: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
      maxLifetimeSeconds: options.maxLifetimeS ?? 0,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    // An idle connection that was closed on the other side is replaced at the next request.
    pool.on('error', ignoreLostConnection);
    pool.on('remove', () => forgetIfEmpty(key, pool));
    pools.set(key, pool);
    return pool;
  };

  const lend = async (target: Target): Promise<{ pool: pg.Pool; client: pg.PoolClient }> => {
    const key = JSON.stringify(target);
    const pool = poolOf(key, target);
    try {
      return { pool, client: await pool.connect() };
    } catch (error) {
      forgetIfEmpty(key, pool);
      throw error;
    }
  };

  return {
    async withClient(target, gone, work) {
      const { pool, client } = await lend(target);
      let terminated: Promise<void> | undefined;
      const terminate = (): void => {
        terminated = terminateBackend(connectionConfig(target, tls), backendPid(client)).catch((error: unknown) =>
          options.log(`could not terminate an abandoned query: ${String(error)}`),
        );
      };
      client.on('error', ignoreLostConnection);
      try {
        gone.throwIfAborted();
        gone.addEventListener('abort', terminate, { once: true });
        return await work(client);
      } finally {
        gone.removeEventListener('abort', terminate);
        await terminated;
        const isWanted = pool.waitingCount > 0 || pool.idleCount < maxIdle;
        await giveBack(client, { keep: isWanted && terminated === undefined });
      }
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.end()));
      pools.clear();
    },
  };
}

function connectionConfig(target: Target, tls: ConnectionOptions | undefined): pg.ClientConfig {
  const { host, port, user, password, database, applicationName, startupOptions } = target;
  return {
    host,
    port,
    user,
    password,
    database,
    ssl: tls ?? false,
    ...(applicationName === undefined ? {} : { application_name: applicationName }),
    ...(startupOptions === undefined ? {} : { options: startupOptions }),
  };
}

// The failure reaches the caller through its query; without a listener it would also end the process.
function ignoreLostConnection(): void {}

/** Session state (settings, temporary tables, advisory locks) must not reach the next request: there is no session over HTTP. */
async function giveBack(client: pg.PoolClient, { keep }: { keep: boolean }): Promise<void> {
  let clean = false;
  if (keep && client.getTransactionStatus() === 'I') {
    // The request's outcome stands, whatever becomes of its connection.
    clean = await client.query('discard all').then(
      () => true,
      () => false,
    );
  }
  client.off('error', ignoreLostConnection);
  client.release(!clean);
}

/** pg keeps the backend's process id on every connected client, but its types leave it out. */
function backendPid(client: pg.PoolClient): number {
  return Number(Reflect.get(client, 'processID'));
}

// Terminating, not cancelling: a cancel that lands between two statements of a batch would be lost, and the batch would commit.
async function terminateBackend(config: pg.ClientConfig, pid: number): Promise<void> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    await client.query('select pg_terminate_backend($1)', [pid]);
  } finally {
    await client.end();
  }
}
