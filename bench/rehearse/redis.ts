import { randomBytes } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { type UpstashEndpoint, startUpstashEndpoint } from '../../dev/upstash/server.ts';
import { startRedisServer } from '../../test/support/redis-server.ts';

/** Something that the Worker depends on and that can be taken away. */
export interface Peer {
  /** What it is, for the report. */
  kind: string;
  down(): Promise<void>;
  up(): Promise<void>;
}

export interface Redis extends Peer {
  url: string;
  token: string;
}

/** The Upstash-compatible endpoint on a real redis-server; without one installed, on the embedded stand-in. */
export async function startRedis(closers: (() => Promise<unknown>)[]): Promise<Redis> {
  const token = randomBytes(32).toString('hex');
  if (spawnSync('redis-server', ['--version']).error !== undefined) return startEmbedded(token, closers);
  const server = await startRedisServer();
  closers.push(() => server.close());
  const endpoint = await startUpstashEndpoint({ token, redisUrl: server.url });
  closers.push(() => endpoint.close());
  return { kind: 'redis-server', url: endpoint.url, token, down: () => server.kill(), up: () => server.start() };
}

async function startEmbedded(token: string, closers: (() => Promise<unknown>)[]): Promise<Redis> {
  let endpoint: UpstashEndpoint = await startUpstashEndpoint({ token });
  const { url } = endpoint;
  closers.push(() => endpoint.close());
  return {
    kind: 'embedded stand-in (redis-server is not installed)',
    url,
    token,
    down: () => endpoint.close(),
    async up() {
      endpoint = await startUpstashEndpoint({ token, port: Number(new URL(url).port) });
    },
  };
}
