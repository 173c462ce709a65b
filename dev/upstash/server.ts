import { createEmbeddedRedis } from './embedded.ts';
import { serveRedis } from './endpoint.ts';
import type { EndpointOptions, UpstashEndpoint } from './endpoint.ts';
import { connectRedis } from './redis.ts';

export type { UpstashEndpoint } from './endpoint.ts';

export interface UpstashEndpointOptions extends EndpointOptions {
  /** A real Redis, as redis://...; without it data lives in this process and ends with it. */
  redisUrl?: string;
}

/**
 * A local stand-in for Upstash's Redis over REST, with a Redis of its own when none is given. Rejects when the port is
 * taken or `redisUrl` cannot be reached.
 */
export async function startUpstashEndpoint(options: UpstashEndpointOptions): Promise<UpstashEndpoint> {
  const { redisUrl, log = () => undefined } = options;
  return serveRedis(redisUrl === undefined ? createEmbeddedRedis() : await connectRedis(redisUrl, log), options);
}
