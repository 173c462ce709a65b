import type { IncomingMessage } from 'node:http';
import { readBody, serveHttp } from '../http-endpoint.ts';
import type { ListenOn, Reply } from '../http-endpoint.ts';
import { errorReply } from './errors.ts';
import { execute } from './execute.ts';
import { createPools } from './pools.ts';
import type { PoolLimits } from './pools.ts';
import { parseSqlRequest, parseTarget, RequestError } from './request.ts';
import type { Target } from './request.ts';

export interface NeonEndpoint {
  port: number;
  /** What `neonConfig.fetchEndpoint` is set to: http://127.0.0.1:PORT/sql */
  url: string;
  /** Answers what has come, `withinMs` at most, before it closes. */
  drain(withinMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface NeonEndpointOptions extends Partial<PoolLimits> {
  /** 0, the default, takes any free port. */
  port?: number;
  /** `loopback` by default. */
  listenOn?: ListenOn;
  /** Where Postgres is; without it, the host and port of each request's connection string. */
  upstream?: { host: string; port: number };
  /** Refuses everybody whom it does not answer true to; by default Postgres alone decides. */
  admits?: (target: Target) => boolean;
  bodyLimitBytes?: number;
  log?: (line: string) => void;
}

const BODY_LIMIT_BYTES = 10 * 1024 * 1024;
const MAX_CONNECTIONS = 20;

/**
 * Neon's SQL over HTTP in front of any Postgres, as @neondatabase/serverless speaks it: POST /sql with one statement or a
 * batch in one transaction, and GET /health. Rejects when the port is taken.
 */
export async function startNeonEndpoint(options: NeonEndpointOptions): Promise<NeonEndpoint> {
  const log = options.log ?? (() => undefined);
  const bodyLimitBytes = options.bodyLimitBytes ?? BODY_LIMIT_BYTES;
  const pools = createPools({ ...options, maxConnections: options.maxConnections ?? MAX_CONNECTIONS, log });

  const answerSql = async (request: IncomingMessage, gone: AbortSignal): Promise<Reply> => {
    try {
      const target = parseTarget(request.headers, options.upstream);
      if (options.admits?.(target) === false) throw new RequestError(400, 'password authentication failed');
      const sql = parseSqlRequest(request.headers, await readBody(request, bodyLimitBytes));
      const body = await pools.withClient(target, gone, (client) => execute(client, sql, gone));
      return { status: 200, body };
    } catch (error) {
      if (gone.aborted) throw error;
      return errorReply(error, log);
    }
  };

  const handler = (request: IncomingMessage, gone: AbortSignal): Promise<Reply> | Reply => {
    const path = request.url?.split('?', 1)[0];
    if (path === '/health' && request.method === 'GET') return { status: 200, body: { status: 'ok' } };
    if (path !== '/sql') return { status: 404, body: { message: 'not found' } };
    if (request.method !== 'POST') {
      return { status: 405, body: { message: 'method not allowed' }, headers: { allow: 'POST' } };
    }
    return answerSql(request, gone);
  };

  const endpoint = await serveHttp(options.port ?? 0, handler, log, options.listenOn);
  return {
    port: endpoint.port,
    url: `http://127.0.0.1:${endpoint.port}/sql`,
    async drain(withinMs) {
      await endpoint.drain(withinMs);
      await pools.close();
    },
    async close() {
      await endpoint.close();
      await pools.close();
    },
  };
}
