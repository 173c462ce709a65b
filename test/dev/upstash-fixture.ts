import { execFileSync } from 'node:child_process';
import { Redis } from '@upstash/redis';
import { startUpstashEndpoint, type UpstashEndpoint, type UpstashEndpointOptions } from '../../dev/upstash/server.ts';
import { startRedisServer } from '../support/redis-server.ts';

export interface UpstashFixture {
  endpoint: UpstashEndpoint;
  /** The real client, without auto-pipelining: one command, one request. */
  redis: Redis;
  close(): Promise<void>;
}

export const TOKEN = 'test-token';

/** Every behaviour is held against both: the embedded Redis must not differ from a real one where it is used. */
export const BACKENDS = ['embedded', 'redis-server'] as const;
export type BackendName = (typeof BACKENDS)[number];

const REDIS_SERVER = 'redis-server';
const hasRedisServer = isOnPath(REDIS_SERVER);
if (!hasRedisServer) console.warn('redis-server is not on PATH: the tests against a real Redis are skipped');

export const isAbsent = (backend: BackendName): boolean => backend === 'redis-server' && !hasRedisServer;

/** An endpoint with an empty Redis of its own behind it. */
export async function startUpstashFixture(
  backend: BackendName,
  options: Partial<UpstashEndpointOptions> = {},
): Promise<UpstashFixture> {
  const server = backend === 'redis-server' ? await startRedisServer() : undefined;
  const redisUrl = server === undefined ? {} : { redisUrl: server.url };
  const endpoint = await startUpstashEndpoint({ token: TOKEN, ...redisUrl, ...options });
  return {
    endpoint,
    redis: client(endpoint),
    async close() {
      await endpoint.close();
      await server?.close();
    },
  };
}

/** The real client for an endpoint, failing at once instead of retrying. */
export function client(endpoint: UpstashEndpoint, options: object = {}): Redis {
  return new Redis({ url: endpoint.url, token: TOKEN, retry: false, enableAutoPipelining: false, ...options });
}

/** Sends to the endpoint without the client. */
export function send(endpoint: UpstashEndpoint, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (!headers.has('authorization')) headers.set('authorization', `Bearer ${TOKEN}`);
  return fetch(`${endpoint.url}${path}`, { ...init, headers });
}

export const post = (endpoint: UpstashEndpoint, path: string, body: unknown, headers = {}): Promise<Response> =>
  send(endpoint, path, { method: 'POST', body: JSON.stringify(body), headers });

function isOnPath(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
