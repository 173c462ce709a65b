import { createServer } from 'node:http';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

/** What a handler answers; `body` is sent as JSON. */
export interface Reply {
  status: number;
  body: unknown;
  headers?: OutgoingHttpHeaders;
}

/** Answers one request. `gone` aborts when the client disconnects before it was answered. */
export type Handler = (request: IncomingMessage, gone: AbortSignal) => Promise<Reply> | Reply;

export type ListenOn = 'loopback' | 'every address';

export interface HttpEndpoint {
  port: number;
  /** Stops listening, cuts what is open, and waits until every handler has returned. */
  close(): Promise<void>;
  /** Stops listening and waits until every request that came is answered, `withinMs` at most; then closes. */
  drain(withinMs: number): Promise<void>;
}

/** A request body above the limit of `readBody`. */
export class BodyTooLarge extends Error {
  readonly limitBytes: number;
  constructor(limitBytes: number) {
    super(`request is too large (max is ${limitBytes} bytes)`);
    this.limitBytes = limitBytes;
  }
}

// Longer than any client keeps an idle connection, so that it is never this side that closes a connection just being reused.
const KEEP_ALIVE_MS = 120_000;
const DRAIN_MS = 5_000;

/**
 * Serves JSON over HTTP, on the loopback address unless told otherwise. A handler that throws is answered with 500 and
 * `{ error }`. Rejects when the port is taken (EADDRINUSE).
 */
export async function serveHttp(
  port: number,
  handler: Handler,
  log: (line: string) => void,
  listenOn: ListenOn = 'loopback',
): Promise<HttpEndpoint> {
  const running = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    const answer = async (): Promise<void> => {
      const reply = await handleSafely(handler, request, gone.signal, log);
      if (gone.signal.aborted) return;
      const body = Buffer.from(JSON.stringify(reply.body));
      const unread = !request.complete;
      response.writeHead(reply.status, {
        'content-type': 'application/json',
        'content-length': body.length,
        ...(unread || !server.listening ? { connection: 'close' } : {}),
        ...reply.headers,
      });
      response.end(body);
      if (unread) drain(request);
    };
    const work = answer().finally(() => running.delete(work));
    running.add(work);
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (listenOn === 'loopback') server.listen(port, '127.0.0.1', resolve);
    else server.listen(port, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a TCP port');
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    await Promise.allSettled(running);
  };
  return {
    port: address.port,
    close,
    async drain(withinMs) {
      // Node closes idle connections by itself here, and the others once they are answered with `connection: close`.
      const closed = new Promise((resolve) => server.close(resolve));
      const late = new AbortController();
      await Promise.race([
        closed,
        wait(withinMs, undefined, { signal: late.signal, ref: false }).catch(() => undefined),
      ]);
      late.abort();
      await close();
    },
  };
}

async function handleSafely(
  handler: Handler,
  request: IncomingMessage,
  gone: AbortSignal,
  log: (line: string) => void,
): Promise<Reply> {
  try {
    return await handler(request, gone);
  } catch (error) {
    if (!gone.aborted) log(`${request.method} ${request.url} failed: ${String(error)}`);
    return { status: 500, body: { error: 'internal error' } };
  }
}

// A client that is still sending must be able to read the refusal first; it gets a moment, then the socket is cut.
function drain(request: IncomingMessage): void {
  request.resume();
  const cut = setTimeout(() => request.socket.destroy(), DRAIN_MS);
  request.once('close', () => clearTimeout(cut));
}

/** The whole request body. Throws BodyTooLarge above `limitBytes`, without having kept more than that. */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw new BodyTooLarge(limitBytes);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const onData = (chunk: Buffer): void => {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) {
        request.off('data', onData);
        reject(new BodyTooLarge(limitBytes));
        return;
      }
      chunks.push(chunk);
    };
    request.on('data', onData);
    request.once('end', () => resolve(Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => reject(new Error('client disconnected')));
  });
}
