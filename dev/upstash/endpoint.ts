import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BodyTooLarge, readBody, serveHttp } from '../http-endpoint.ts';
import type { ListenOn, Reply } from '../http-endpoint.ts';
import { BackendUnavailable } from './backend.ts';
import type { Backend, Command, Outcome } from './backend.ts';
import { CommandError, parseCommand, parseCommands, parsePath, refusal } from './command.ts';
import { encodeOutcome } from './reply.ts';
import { resolveScript } from './scripts.ts';
import type { ScriptCache } from './scripts.ts';

export interface UpstashEndpoint {
  port: number;
  /** UPSTASH_REDIS_REST_URL */
  url: string;
  /** UPSTASH_REDIS_REST_TOKEN */
  token: string;
  /** Answers what has come, `withinMs` at most, before it closes. */
  drain(withinMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface EndpointOptions {
  /** 0, the default, takes any free port. */
  port?: number;
  /** `loopback` by default. */
  listenOn?: ListenOn;
  token: string;
  bodyLimitBytes?: number;
  log?: (line: string) => void;
}

const BODY_LIMIT_BYTES = 10 * 1024 * 1024;

/**
 * Upstash's Redis over REST in front of any backend, which it closes at its own end: POST / with one command, POST
 * /pipeline, POST /multi-exec, commands as paths, and GET /health, which says that this process runs. Rejects when the
 * port is taken.
 */
export async function serveRedis(backend: Backend, options: EndpointOptions): Promise<UpstashEndpoint> {
  const log = options.log ?? (() => undefined);
  const bodyLimitBytes = options.bodyLimitBytes ?? BODY_LIMIT_BYTES;
  const scripts: ScriptCache = new Map();

  const handler = async (request: IncomingMessage): Promise<Reply> => {
    try {
      const url = new URL(request.url ?? '/', 'http://localhost');
      if (request.method !== 'POST' && request.method !== 'GET') throw new CommandError('ERR method not allowed', 405);
      if (request.method === 'GET' && url.pathname === '/health') return { status: 200, body: { status: 'ok' } };
      if (!isSame(tokenOf(request, url), options.token))
        throw new CommandError('WRONGPASS invalid or missing auth token', 401);
      const body = await readBody(request, bodyLimitBytes);
      const base64 = request.headers['upstash-encoding'] === 'base64';
      return await answer(backend, scripts, { method: request.method, url, body, base64 });
    } catch (error) {
      return errorReply(error, log);
    }
  };

  try {
    const endpoint = await serveHttp(options.port ?? 0, handler, log, options.listenOn);
    return {
      port: endpoint.port,
      url: `http://127.0.0.1:${endpoint.port}`,
      token: options.token,
      async drain(withinMs) {
        await endpoint.drain(withinMs);
        await backend.close();
      },
      async close() {
        await endpoint.close();
        await backend.close();
      },
    };
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** In a time that says nothing of where they differ. */
function isSame(given: string | undefined, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return given !== undefined && timingSafeEqual(digest(given), digest(expected));
}

function tokenOf(request: IncomingMessage, url: URL): string | undefined {
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '');
  return bearer?.[1] ?? url.searchParams.get('_token') ?? undefined;
}

interface RestRequest {
  method: string;
  url: URL;
  body: Buffer;
  base64: boolean;
}

async function answer(backend: Backend, scripts: ScriptCache, request: RestRequest): Promise<Reply> {
  const { method, url, body, base64 } = request;
  const path = method === 'POST' ? url.pathname : undefined;
  if (path === '/pipeline') {
    const outcomes = await Promise.all(parseCommands(body).map((command) => run(backend, scripts, command)));
    return { status: 200, body: outcomes.map((outcome) => encodeOutcome(outcome, base64)) };
  }
  if (path === '/multi-exec') {
    const outcomes = await transaction(backend, scripts, parseCommands(body));
    return { status: 200, body: outcomes.map((outcome) => encodeOutcome(outcome, base64)) };
  }
  const outcome = await run(backend, scripts, path === '/' ? parseCommand(body) : parsePath(url, body));
  return { status: 'error' in outcome ? 400 : 200, body: encodeOutcome(outcome, base64) };
}

async function run(backend: Backend, scripts: ScriptCache, command: Command): Promise<Outcome> {
  const refused = refusal(command);
  if (refused !== undefined) return { error: refused };
  const resolved = resolveScript(scripts, command);
  return 'outcome' in resolved ? resolved.outcome : backend.run(resolved.command);
}

async function transaction(backend: Backend, scripts: ScriptCache, commands: Command[]): Promise<Outcome[]> {
  const resolved = commands.map((command) => {
    const refused = refusal(command);
    if (refused !== undefined) throw new CommandError(`EXECABORT Transaction discarded because of: ${refused}`);
    return resolveScript(scripts, command);
  });
  const queued = resolved.flatMap((entry) => ('command' in entry ? [entry.command] : []));
  const replies = queued.length === 0 ? [] : await backend.transaction(queued);
  if ('discarded' in replies) throw new CommandError(replies.discarded);
  const next = replies.values();
  return resolved.map((entry) => ('outcome' in entry ? entry.outcome : (next.next().value ?? { result: null })));
}

function errorReply(error: unknown, log: (line: string) => void): Reply {
  if (error instanceof CommandError) return { status: error.status, body: { error: error.message } };
  if (error instanceof BodyTooLarge) return { status: 413, body: { error: `ERR ${error.message}` } };
  if (error instanceof BackendUnavailable) {
    log(error.message);
    return { status: 503, body: { error: 'ERR could not reach Redis' } };
  }
  throw error;
}
