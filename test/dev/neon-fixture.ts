import { randomBytes } from 'node:crypto';
import { neon, neonConfig, NeonDbError, type NeonQueryFunction } from '@neondatabase/serverless';
import pg from 'pg';
import { inject } from 'vitest';
import { type NeonEndpoint, type NeonEndpointOptions, startNeonEndpoint } from '../../dev/neon/server.ts';
import { createDatabase, dropDatabase } from '../../dev/roles.ts';

export interface NeonFixture {
  endpoint: NeonEndpoint;
  /** The real client, talking to the endpoint. */
  sql: NeonQueryFunction<false, false>;
  connectionString: string;
  /** Straight to the same database, to see what is really there. */
  direct: pg.Pool;
  close(): Promise<void>;
}

/** A database of its own behind an endpoint of its own. The client's endpoint is global: one fixture in a file. */
export async function startNeonFixture(options: NeonEndpointOptions = {}): Promise<NeonFixture> {
  const { superuserUrl, host, port } = inject('shared');
  const database = `neon_${randomBytes(6).toString('hex')}`;
  await createDatabase(superuserUrl, database);
  const url = new URL(superuserUrl);
  url.pathname = `/${database}`;
  const connectionString = url.href;
  const endpoint = await startNeonEndpoint({ upstream: { host, port }, ...options });
  neonConfig.fetchEndpoint = endpoint.url;
  const direct = new pg.Pool({ connectionString });
  direct.on('error', () => undefined);
  return {
    endpoint,
    sql: neon(connectionString),
    connectionString,
    direct,
    async close() {
      await direct.end();
      await endpoint.close();
      await dropDatabase(superuserUrl, database);
    },
  };
}

/** The error that the client throws for a failing query; anything else fails the test. */
export async function neonError(query: PromiseLike<unknown>): Promise<NeonDbError> {
  try {
    await query;
  } catch (error) {
    if (error instanceof NeonDbError) return error;
    throw error;
  }
  throw new Error('the query was expected to fail');
}

/** Posts to the endpoint without the client. */
export function post(fixture: NeonFixture, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(fixture.endpoint.url, {
    method: 'POST',
    body,
    headers: {
      'Neon-Connection-String': fixture.connectionString,
      'Neon-Raw-Text-Output': 'true',
      'Neon-Array-Mode': 'true',
      ...headers,
    },
  });
}

/** Asks again until the answer is `true`; throws after `timeoutMs`. */
export async function until(ask: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error('it did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
