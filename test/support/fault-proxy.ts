import { Agent, createServer, request as sendRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request of the client and, once there is one, the reply it got. Bodies are text. */
export interface Exchange {
  /** Counts from 1 in the order in which requests were read in full; never reset. */
  seq: number;
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  requestBody: string;
  /** The target's reply, also when a fault kept it from the client; of a duplicate the second one. */
  status?: number;
  responseBody?: string;
}

export type Fault =
  /** Never sent to the target; the client's socket is destroyed. */
  | 'drop_request'
  /** Sent, the target's reply read in full, then the client's socket is destroyed. */
  | 'drop_reply'
  /** Waits, then sends: also when the client has given up in the meantime, as a late packet would. */
  | { hold_request: Promise<void> }
  /** Sends, reads the target's reply in full, waits, then replies. */
  | { hold_reply: Promise<void> }
  /** Sent twice, one after the other; the second reply is the answer. */
  | 'duplicate'
  /** Never sent to the target; answered with this. */
  | { respond: { status: number; body: string } };

export interface FaultProxy {
  /** The target's URL with this proxy's host and port. */
  url: string;
  exchanges: Exchange[];
  /** How many are being served right now, those that a fault holds among them. */
  underway(): number;
  /** Forgets the exchanges, and every fault that was not used up. */
  clear(): void;
  /**
   * Applies `fault` to the next `times` requests that match; faults are tried in the order of injection and a request
   * meets one at most. `fired` resolves at the first: when the cut is done, the reply is sent (duplicate, respond), or the
   * request or reply is being held.
   */
  inject(match: (exchange: Exchange) => boolean, fault: Fault, times?: number): { fired: Promise<Exchange> };
  close(): Promise<void>;
}

interface PendingFault {
  match: (exchange: Exchange) => boolean;
  fault: Fault;
  left: number;
  fire: (exchange: Exchange) => void;
}

interface UpstreamReply {
  status: number;
  rawHeaders: string[];
  body: Buffer;
}

interface Call {
  exchange: Exchange;
  body: Buffer;
  request: IncomingMessage;
  response: ServerResponse;
  /** Aborts when the client disconnects. */
  gone: AbortSignal;
}

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'proxy-connection',
  'te',
  'upgrade',
]);
const KEEP_ALIVE_MS = 120_000;
// Below Node's own five seconds: an idle connection is never reused while the target is closing it.
const UPSTREAM_IDLE_MS = 2_000;

/** Starts a proxy on a free loopback port in front of `target`, to record its traffic and to cut it at exact points. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const upstream = new URL(target);
  const agent = new Agent({ keepAlive: true, timeout: UPSTREAM_IDLE_MS });
  const exchanges: Exchange[] = [];
  let faults: PendingFault[] = [];
  let seq = 0;
  let underway = 0;

  const takeFault = (exchange: Exchange): PendingFault | undefined => {
    const pending = faults.find((candidate) => candidate.match(exchange));
    if (pending === undefined) return undefined;
    pending.left -= 1;
    if (pending.left === 0) faults = faults.filter((other) => other !== pending);
    return pending;
  };

  const send = async (call: Call, signal?: AbortSignal): Promise<UpstreamReply> => {
    const reply = await forward(upstream, agent, call, signal);
    call.exchange.status = reply.status;
    call.exchange.responseBody = reply.body.toString('utf8');
    return reply;
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    const body = await readAll(request);
    const exchange = recordOf(request, body, (seq += 1));
    exchanges.push(exchange);
    const call = { exchange, body, request, response, gone: gone.signal };
    const pending = takeFault(exchange);
    if (pending === undefined) answer(call, await send(call, gone.signal));
    else await applyFault(call, pending, (signal) => send(call, signal));
  };

  const server = createServer((request, response) => {
    underway += 1;
    serve(request, response)
      // The client left, or the target is not there: to the client both are a broken connection.
      .catch(() => request.socket.destroy())
      .finally(() => (underway -= 1));
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    url: url.href.replace(/\/$/, target.endsWith('/') ? '/' : ''),
    exchanges,
    underway: () => underway,
    clear() {
      exchanges.length = 0;
      faults = [];
    },
    inject(match, fault, times = 1) {
      const { promise, resolve } = Promise.withResolvers<Exchange>();
      faults.push({ match, fault, left: times, fire: resolve });
      return { fired: promise };
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

async function applyFault(
  call: Call,
  { fault, fire }: PendingFault,
  send: (signal?: AbortSignal) => Promise<UpstreamReply>,
): Promise<void> {
  const { exchange } = call;
  if (fault === 'drop_request') {
    call.request.socket.destroy();
    fire(exchange);
  } else if (fault === 'drop_reply') {
    await send();
    call.request.socket.destroy();
    fire(exchange);
  } else if (fault === 'duplicate') {
    await send();
    answer(call, await send());
    fire(exchange);
  } else if ('hold_request' in fault) {
    fire(exchange);
    await fault.hold_request;
    answer(call, await send());
  } else if ('hold_reply' in fault) {
    const reply = await send();
    fire(exchange);
    await fault.hold_reply;
    answer(call, reply);
  } else {
    const { status, body } = fault.respond;
    Object.assign(exchange, { status, responseBody: body });
    answer(call, { status, rawHeaders: ['content-type', 'application/json'], body: Buffer.from(body) });
    fire(exchange);
  }
}

function recordOf(request: IncomingMessage, body: Buffer, seq: number): Exchange {
  return {
    seq,
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    requestBody: body.toString('utf8'),
  };
}

function forward(upstream: URL, agent: Agent, call: Call, signal: AbortSignal | undefined): Promise<UpstreamReply> {
  return new Promise((resolve, reject) => {
    const { request, body } = call;
    const outgoing = sendRequest(
      {
        agent,
        host: upstream.hostname,
        port: upstream.port || 80,
        method: request.method,
        path: request.url,
        headers: [...endToEnd(request.rawHeaders), 'host', upstream.host, 'content-length', String(body.length)],
        ...(signal === undefined ? {} : { signal }),
      },
      (incoming) => {
        readAll(incoming).then(
          (reply) => resolve({ status: incoming.statusCode ?? 502, rawHeaders: incoming.rawHeaders, body: reply }),
          reject,
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function answer({ response, gone }: Call, reply: UpstreamReply): void {
  if (gone.aborted) return;
  const headers = endToEnd(reply.rawHeaders);
  const bodiless = reply.status === 204 || reply.status === 304;
  response.writeHead(reply.status, bodiless ? headers : [...headers, 'content-length', String(reply.body.length)]);
  response.end(reply.body);
}

/** The headers, as a flat list of names and values, that belong to the message and not to one connection. */
function endToEnd(rawHeaders: string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (HOP_BY_HOP.has(name.toLowerCase()) || name.toLowerCase() === 'host') continue;
    kept.push(name, rawHeaders[i + 1] ?? '');
  }
  return kept;
}

async function readAll(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
