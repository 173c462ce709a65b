import { Agent, request as sendRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { endToEnd, requestHeaders } from './headers.ts';
import type { Log } from './log.ts';
import { refuse, type ProblemCode } from './problem.ts';
import type { Workerd } from './workerd.ts';

/** workerd closes a connection that was idle for five seconds: ours are closed before, so none is met half closed. */
const IDLE_MS = 3_000;
/** How long a request may wait for a Worker that is being started again. */
const START_WAIT_MS = 5_000;
const RETRY_MS = 50;
/** How long work goes on whose client has left. */
const ORPHAN_MS = 60_000;
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
/** What the client wrote cannot be written to the Worker. */
const UNSENDABLE = new Set(['ERR_INVALID_CHAR', 'ERR_UNESCAPED_CHARACTERS', 'ERR_INVALID_HTTP_TOKEN']);
/** The Worker never had the request. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOENT']);

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  address: string;
  requestId: string;
}

export interface ForwardOptions {
  workerd: Workerd;
  log: Log;
  /** From the end of the request to the end of its reply, in milliseconds. */
  writeTimeoutMs: number;
}

export interface Forwarder {
  /** Resolves when the Worker has nothing more to do with it, also when the client left before. Never rejects. */
  forward(exchange: Exchange): Promise<void>;
  close(): void;
}

/** Hands requests to the Worker as they are, bodies streamed both ways. */
export function createForwarder({ workerd, log, writeTimeoutMs }: ForwardOptions): Forwarder {
  const agent = new Agent({ keepAlive: true, timeout: IDLE_MS, scheduling: 'lifo' });

  const refuseAndSay = (exchange: Exchange, code: ProblemCode, cause: string, startedAt: number): void => {
    const { request, response, requestId } = exchange;
    const base = { method: request.method ?? '', request_id: requestId, cause };
    const duration_ms = Math.round(performance.now() - startedAt);
    if (response.headersSent) {
      response.destroy();
      log.say('error', 'reply cut off', { ...base, duration_ms });
      return;
    }
    const status = refuse(response, code, requestId);
    log.say('error', code, { ...base, status, duration_ms });
  };

  /** One try; throws when the Worker is lost on the way. */
  const attempt = async (exchange: Exchange, socketPath: string, startedAt: number): Promise<void> => {
    const { request, response } = exchange;
    const outgoing = send(agent, socketPath, exchange);
    let late: NodeJS.Timeout | undefined;
    // A request that does not arrive in full is the read timeout's.
    const startTimer = () => {
      late = setTimeout(() => refuseAndSay(exchange, 'worker_slow', 'no reply in time', startedAt), writeTimeoutMs);
    };
    const onClose = () => {
      clearTimeout(late);
      request.off('end', startTimer);
      // An order goes on without its client; what changes nothing, or has not arrived in full, does not.
      if (isSafe(request) || !request.complete) outgoing.destroy();
    };
    if (request.readableEnded) startTimer();
    else request.once('end', startTimer);
    response.once('close', onClose);
    try {
      await relay(outgoing, response);
    } catch (error) {
      clearTimeout(late);
      request.off('end', startTimer);
      response.off('close', onClose);
      throw error;
    }
  };

  const forward = async (exchange: Exchange): Promise<void> => {
    const { request, response } = exchange;
    const startedAt = performance.now();
    const waitMs = () => startedAt + START_WAIT_MS - performance.now();
    let cause = 'no worker';
    while (!response.destroyed) {
      const socketPath = await workerd.whenUp(waitMs());
      if (socketPath === null || waitMs() <= 0) return refuseAndSay(exchange, 'worker_starting', cause, startedAt);
      try {
        return await attempt(exchange, socketPath, startedAt);
      } catch (error) {
        cause = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      }
      if (response.writableEnded) return;
      if (UNSENDABLE.has(cause)) return refuseAndSay(exchange, 'malformed_request', cause, startedAt);
      const mayRepeat = NEVER_SENT.has(cause) || (isSafe(request) && !response.headersSent);
      if (!mayRepeat && !response.destroyed) return refuseAndSay(exchange, 'worker_lost', cause, startedAt);
      await pause(RETRY_MS);
    }
  };
  return { forward, close: () => agent.destroy() };
}

const isSafe = ({ method }: IncomingMessage): boolean => SAFE.has(method ?? '');
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** The body follows the connection: of a request that finds nobody, nothing is gone. */
function send(agent: Agent, socketPath: string, { request, address, requestId }: Exchange): ClientRequest {
  const outgoing = sendRequest({
    // What cannot be repeated must not meet a connection that workerd is closing for its age: it has one of its own.
    agent: isSafe(request) ? agent : false,
    socketPath,
    method: request.method,
    path: request.url,
    headers: requestHeaders(request, address, requestId),
    setHost: false,
  });
  outgoing.once('socket', (socket) => {
    const start = () => request.pipe(outgoing);
    if (socket.connecting) socket.once('connect', start);
    else start();
  });
  return outgoing;
}

/** Ends with the reply. Of a reply whose client has left, or was refused meanwhile, the rest is read and dropped. */
function relay(outgoing: ClientRequest, response: ServerResponse): Promise<void> {
  const orphaned = setTimeout(() => outgoing.destroy(), ORPHAN_MS);
  return new Promise<void>((resolve, reject) => {
    let reply: IncomingMessage | null = null;
    outgoing.on('error', reject);
    outgoing.on('close', () => {
      if (reply?.complete === true) resolve();
      else reject(new Error('the reply broke off'));
    });
    outgoing.on('response', (incoming) => {
      reply = incoming;
      incoming.on('error', reject);
      if (response.headersSent || response.destroyed) {
        incoming.resume();
        return;
      }
      const headers = endToEnd(incoming.rawHeaders);
      if (!response.shouldKeepAlive) headers.push('connection', 'close');
      response.writeHead(incoming.statusCode ?? 502, headers);
      incoming.pipe(response);
      response.once('close', () => incoming.resume());
    });
  }).finally(() => clearTimeout(orphaned));
}
