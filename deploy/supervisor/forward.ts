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
/** How long work goes on whose client has left. */
const ORPHAN_MS = 60_000;
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
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

  const forward = async (exchange: Exchange): Promise<void> => {
    const { request, response } = exchange;
    const startedAt = performance.now();
    const socketPath = workerd.socket() ?? (await workerd.whenUp(START_WAIT_MS));
    if (socketPath === null) return refuseAndSay(exchange, 'worker_starting', 'no worker', startedAt);
    if (response.destroyed) return;
    const outgoing = send(agent, socketPath, exchange);
    const late = setTimeout(() => refuseAndSay(exchange, 'worker_slow', 'no reply in time', startedAt), writeTimeoutMs);
    request.once('end', () => late.refresh());
    response.once('close', () => {
      clearTimeout(late);
      // An order goes on without its client; what changes nothing, or has not arrived in full, does not.
      if (SAFE.has(request.method ?? '') || !request.complete) outgoing.destroy();
    });
    try {
      await relay(outgoing, response);
    } catch (error) {
      if (response.writableEnded || response.destroyed) return;
      clearTimeout(late);
      const cause = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      refuseAndSay(exchange, NEVER_SENT.has(cause) ? 'worker_starting' : 'worker_lost', cause, startedAt);
    }
  };
  return { forward, close: () => agent.destroy() };
}

function send(agent: Agent, socketPath: string, { request, address, requestId }: Exchange): ClientRequest {
  const outgoing = sendRequest({
    agent,
    socketPath,
    method: request.method,
    path: request.url,
    headers: requestHeaders(request, address, requestId),
    setHost: false,
  });
  request.pipe(outgoing);
  return outgoing;
}

/** Ends with the reply. Of a reply whose client has left, or was refused meanwhile, the rest is read and dropped. */
function relay(outgoing: ClientRequest, response: ServerResponse): Promise<void> {
  const orphaned = setTimeout(() => outgoing.destroy(), ORPHAN_MS);
  return new Promise<void>((resolve, reject) => {
    outgoing.on('error', reject);
    outgoing.on('close', resolve);
    outgoing.on('response', (incoming) => {
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
