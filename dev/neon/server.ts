import type { IncomingMessage } from 'node:http';
import { readBody, serveHttp } from '../http-endpoint.ts';
import type { Reply } from '../http-endpoint.ts';
import { errorReply } from './errors.ts';
import { execute } from './execute.ts';
import { createPools } from './pools.ts';
import { parseSqlRequest, parseTarget } from './request.ts';

export interface NeonEndpoint {
  /** What `neonConfig.fetchEndpoint` is set to: http://127.0.0.1:PORT/sql */
  url: string;
  close(): Promise<void>;
}

export interface NeonEndpointOptions {
  /** 0, the default, takes any free port. */
  port?: number;
  /** Where Postgres is; without it, the host and port of each request's connection string. */
  upstream?: { host: string; port: number };
  bodyLimitBytes?: number;
  /** For each user and database. */
  maxConnections?: number;
  log?: (line: string) => void;
}

const BODY_LIMIT_BYTES = 10 * 1024 * 1024;
const MAX_CONNECTIONS = 20;

/**
 * A local stand-in for Neon's SQL over HTTP, as @neondatabase/serverless speaks it: POST /sql with one statement or a
 * batch in one transaction, and GET /health. Rejects when the port is taken.
 */
export async function startNeonEndpoint(options: NeonEndpointOptions): Promise<NeonEndpoint> {
  const log = options.log ?? (() => undefined);
  const bodyLimitBytes = options.bodyLimitBytes ?? BODY_LIMIT_BYTES;
  const pools = createPools({ maxConnections: options.maxConnections ?? MAX_CONNECTIONS, log });

  const answerSql = async (request: IncomingMessage, gone: AbortSignal): Promise<Reply> => {
    try {
      const target = parseTarget(request.headers, options.upstream);
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

  const endpoint = await serveHttp(options.port ?? 0, handler, log);
  return {
    url: `http://127.0.0.1:${endpoint.port}/sql`,
    async close() {
      await endpoint.close();
      await pools.close();
    },
  };
}
