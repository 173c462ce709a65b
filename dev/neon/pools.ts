import pg from 'pg';
import type { Target } from './request.ts';

export interface Pools {
  /** Lends a connection for one request and takes it back clean, whatever `work` did to it. */
  withClient<T>(target: Target, gone: AbortSignal, work: (client: pg.PoolClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 10_000;

/** One bounded pool for each (user, password, database): a wrong password can never be served by another's connection. */
export function createPools(options: { maxConnections: number; log: (line: string) => void }): Pools {
  const pools = new Map<string, pg.Pool>();

  const poolOf = (target: Target): pg.Pool => {
    const key = JSON.stringify(target);
    const existing = pools.get(key);
    if (existing !== undefined) return existing;
    const pool = new pg.Pool({
      ...connectionConfig(target),
      max: options.maxConnections,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    // An idle connection that was closed on the other side is replaced at the next request.
    pool.on('error', ignoreLostConnection);
    pool.on('remove', () => {
      if (pool.totalCount > 0 || pool.waitingCount > 0 || pools.get(key) !== pool) return;
      pools.delete(key);
    });
    pools.set(key, pool);
    return pool;
  };

  return {
    async withClient(target, gone, work) {
      const client = await poolOf(target).connect();
      let terminated: Promise<void> | undefined;
      const terminate = (): void => {
        terminated = terminateBackend(target, backendPid(client)).catch((error: unknown) =>
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
        await giveBack(client, terminated !== undefined);
      }
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.end()));
      pools.clear();
    },
  };
}

function connectionConfig(target: Target): pg.ClientConfig {
  const { host, port, user, password, database, applicationName, startupOptions } = target;
  return {
    host,
    port,
    user,
    password,
    database,
    ...(applicationName === undefined ? {} : { application_name: applicationName }),
    ...(startupOptions === undefined ? {} : { options: startupOptions }),
  };
}

// The failure reaches the caller through its query; without a listener it would also end the process.
function ignoreLostConnection(): void {}

/** Session state must not reach the next request: the hosted endpoint promises no session. */
async function giveBack(client: pg.PoolClient, terminated: boolean): Promise<void> {
  client.off('error', ignoreLostConnection);
  if (terminated || client.getTransactionStatus() !== 'I') {
    client.release(true);
    return;
  }
  client.release();
}

/** pg keeps the backend's process id on every connected client, but its types leave it out. */
function backendPid(client: pg.PoolClient): number {
  return Number(Reflect.get(client, 'processID'));
}

// Terminating, not cancelling: a cancel that lands between two statements of a batch would be lost, and the batch would commit.
async function terminateBackend(target: Target, pid: number): Promise<void> {
  const client = new pg.Client(connectionConfig(target));
  await client.connect();
  try {
    await client.query('select pg_terminate_backend($1)', [pid]);
  } finally {
    await client.end();
  }
}
