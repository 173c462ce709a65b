import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import { Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext } from 'node:tls';
import type { Assets } from './assets.ts';
import type { Forwarder } from './forward.ts';
import { clientAddress } from './headers.ts';
import { rawProblem, refuse, type ProblemCode } from './problem.ts';

/** The production guide's figures; a write takes as long as a read. */
export const FIGURES = {
  readTimeoutMs: 15_000,
  writeTimeoutMs: 15_000,
  idleTimeoutMs: 60_000,
  headerBytesMax: 1 << 20,
};
/** How often late requests are looked for. */
const CHECK_MS = 1_000;
/** An idle connection may be meeting its next request right now: it gets this long to show it. */
const LINGER_MS = 2_000;
const REQUEST_ID = /^[\w=+/.-]{1,128}$/;
const READINESS = new Set(['/health/ready', '/health']);
/** Node's names for what a client can do wrong before there is a request. */
const CLIENT_FAULTS: Record<string, ProblemCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

export interface TlsFiles {
  cert: string;
  key: string;
}

export interface FrontOptions {
  /** 0: any free port. */
  port: number;
  tls: TlsFiles | null;
  isTrusted: (address: string) => boolean;
  assets: Assets;
  forwarder: Forwarder;
  /** Other than the guide's, for a test that cannot wait as long. */
  figures?: typeof FIGURES;
}

export interface Front {
  port: number;
  /** Reads the files of the certificate again; rejects, and keeps the old one, when they are not good. */
  reloadTls(): Promise<void>;
  /** From now on readiness is 503, no connection is taken, and each reply ends its own. */
  drain(): void;
  /** Resolves to how many requests were cut: 0 when all have ended within `timeoutMs`. */
  close(timeoutMs: number): Promise<number>;
  /** When the last request ended, on the clock of `performance`; 0 before there was one. */
  lastEndedAtMs(): number;
}

/** Rejects when the port is taken or the certificate is not good. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const { isTrusted, assets, forwarder, tls, figures = FIGURES } = options;
  let isDraining = false;
  let lastEndedAtMs = 0;
  const running = new Set<Promise<void>>();

  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    if (isDraining) response.shouldKeepAlive = false;
    const told = request.headers['x-request-id'];
    const requestId = typeof told === 'string' && REQUEST_ID.test(told) ? told : randomUUID();
    if (isDraining && READINESS.has(request.url ?? '')) {
      refuse(response, 'draining', requestId);
      return;
    }
    if (assets(request, response)) return;
    const address = clientAddress(request, isTrusted);
    const work = forwarder.forward({ request, response, address, requestId }).finally(() => {
      running.delete(work);
      lastEndedAtMs = performance.now();
    });
    running.add(work);
  };

  const server = await createServer(tls, figures, serve);
  server.on('clientError', answerClientError);
  await listen(server, options.port);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening on a TCP port');
  let closed: Promise<void> = Promise.resolve();

  return {
    port: address.port,
    async reloadTls() {
      if (tls !== null && server instanceof https.Server) server.setSecureContext(await readTls(tls));
    },
    drain() {
      if (isDraining) return;
      isDraining = true;
      closed = stopListening(server);
      setTimeout(() => server.closeIdleConnections(), LINGER_MS).unref();
    },
    async close(timeoutMs) {
      const ended = (async () => {
        await closed;
        await Promise.all(running);
      })();
      const isEnded = await Promise.race([ended.then(() => true), pause(timeoutMs)]);
      const cut = isEnded === true ? 0 : running.size;
      server.closeAllConnections();
      return cut;
    },
    lastEndedAtMs: () => lastEndedAtMs,
  };
}

const pause = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms).unref());

/** Rejects with one sentence that names the variable at fault. */
export async function readTls({ cert, key }: TlsFiles): Promise<{ cert: Buffer; key: Buffer }> {
  const read = (name: string, file: string) =>
    readFile(file).catch((error: unknown) => {
      throw new Error(`${name} cannot be read: ${error instanceof Error ? error.message : file}`);
    });
  const pair = { cert: await read('TLS_CERT_FILE', cert), key: await read('TLS_KEY_FILE', key) };
  try {
    createSecureContext(pair);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown';
    throw new Error(`TLS_CERT_FILE and TLS_KEY_FILE are no pair: ${reason}`, { cause: error });
  }
  return pair;
}

async function createServer(
  tls: TlsFiles | null,
  figures: typeof FIGURES,
  serve: RequestListener,
): Promise<http.Server | https.Server> {
  const limits = {
    maxHeaderSize: figures.headerBytesMax,
    headersTimeout: figures.readTimeoutMs,
    requestTimeout: figures.readTimeoutMs,
    keepAliveTimeout: figures.idleTimeoutMs,
    connectionsCheckingInterval: CHECK_MS,
  };
  const server =
    tls === null
      ? http.createServer(limits, serve)
      : https.createServer({ ...limits, ...(await readTls(tls)), minVersion: 'TLSv1.3' }, serve);
  // A client that takes nothing of its reply holds a connection no longer than one that asks for nothing.
  server.timeout = figures.idleTimeoutMs;
  return server;
}

function listen(server: http.Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Of an http.Server, close() would also end idle connections at once; here they keep a moment. */
function stopListening(server: http.Server): Promise<void> {
  return new Promise((resolve) => NetServer.prototype.close.call(server, () => resolve()));
}

function answerClientError(error: Error & { code?: string }, socket: Duplex | Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  socket.end(rawProblem(CLIENT_FAULTS[error.code ?? ''] ?? 'malformed_request', randomUUID()));
}
