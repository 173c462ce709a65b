import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { hasNginx, type Nginx, startNginx } from './nginx.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

interface Upstream {
  port: number;
  seen: string[];
  /** What it does, until told otherwise: answers 200 with its number. */
  handle: Handler;
  close(): Promise<void>;
}

async function startUpstream(number: number): Promise<Upstream> {
  const answer: Handler = (asked, response) => {
    const bytes = asked.rawHeaders.join('').length;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ number, headers: asked.headers, bytes }));
  };
  const upstream = { seen: [] as string[], handle: answer };
  const server = createServer({ maxHeaderSize: 2 * 1024 * 1024 }, (asked, response) => {
    upstream.seen.push(`${asked.method} ${asked.url}`);
    asked.resume();
    asked.once('end', () => upstream.handle(asked, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(upstream, {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

const TIMEOUT = '1s';

describe.runIf(hasNginx())('nginx with deploy/nginx.conf', () => {
  let upstreams: Upstream[];
  let nginx: Nginx;
  beforeAll(async () => {
    upstreams = await Promise.all([1, 2, 3].map(startUpstream));
    nginx = await startNginx(
      upstreams.map(({ port }) => port),
      TIMEOUT,
    );
  });
  const answers = upstreamsAnswer();
  beforeEach(async () => {
    answers.restore(upstreams);
    // One that failed is left alone for a while; the next test wants all three.
    await vi.waitUntil(allThreeAnswer, { timeout: 30_000, interval: 250 });
    for (const upstream of upstreams) upstream.seen.splice(0);
  });
  afterAll(async () => {
    await nginx?.close();
    await Promise.all((upstreams ?? []).map((upstream) => upstream.close()));
  });
  async function allThreeAnswer(): Promise<boolean> {
    const numbers = new Set<unknown>();
    for (let i = 0; i < 6; i += 1) {
      const reply = (await (await nginx.fetch('/')).json()) as { number: number };
      numbers.add(reply.number);
    }
    return numbers.size === 3;
  }
  const seen = (): string[] => upstreams.flatMap((upstream) => upstream.seen);
  const post = (path: string): Promise<Response> => nginx.fetch(path, { method: 'POST', body: '{}' });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s', async (version) => {
    expect(await handshake(version)).toBe(version);
  });

  test('does not speak TLS 1.1', async () => {
    await expect(handshake('TLSv1.1')).rejects.toThrow(/alert|protocol/i);
  });

  test('sends whoever comes without TLS to where there is', async () => {
    const reply = await fetch(`${nginx.httpUrl}/api/v1/products?limit=1`, { redirect: 'manual' });
    expect([reply.status, reply.headers.get('location')]).toEqual([308, 'https://localhost/api/v1/products?limit=1']);
  });

  test('says who asks, whatever they say themselves', async () => {
    const spoofed = { 'x-real-ip': '198.51.100.1', 'x-forwarded-proto': 'http', 'x-forwarded-for': '198.51.100.1' };
    const { headers } = (await (await nginx.fetch('/', { headers: spoofed })).json()) as {
      headers: Record<string, string>;
    };
    expect(headers).toMatchObject({
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '198.51.100.1, 127.0.0.1',
      host: 'localhost',
    });
  });

  test('takes headers of 1 MB in all', async () => {
    const line = 'x'.repeat(255_000);
    const some = await nginx.fetch('/', { headers: { 'x-a': line, 'x-b': line, 'x-c': line } });
    expect(((await some.json()) as { bytes: number }).bytes).toBeGreaterThan(765_000);
    const more = await rawRequest({ 'x-a': line, 'x-b': line, 'x-c': line, 'x-d': line, 'x-e': line });
    expect(more).toBe(400);
  });

  test('gives a GET to another replica when one is lost with it, and a POST to nobody', async () => {
    for (const upstream of upstreams) upstream.handle = (asked) => asked.socket.destroy();
    const lost = await post('/lost');
    expect([lost.status, lost.headers.get('content-type'), await lost.json()]).toEqual([
      502,
      'application/problem+json',
      expect.objectContaining({
        code: 'worker_lost',
        status: 502,
        request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      }),
    ]);
    expect(seen()).toEqual(['POST /lost']);

    const first = upstreams.find((upstream) => upstream.seen.length === 0);
    answers.restore([first!]);
    const found = await nginx.fetch('/found');
    expect(found.status).toBe(200);
    const line = nginx.accesses().findLast(({ path }) => path === '/lost');
    expect([line?.upstream.length, line?.upstreamBytesSent.filter((bytes) => bytes > 0).length]).toEqual([1, 1]);
  });

  test('gives up on a replica that does not answer, and its POST to nobody else', async () => {
    for (const upstream of upstreams) upstream.handle = () => undefined;
    const slow = await post('/slow');
    expect([slow.status, await slow.json()]).toEqual([504, expect.objectContaining({ code: 'worker_slow' })]);
    expect(seen()).toEqual(['POST /slow']);
  });

  test('gives a POST that could not even be sent to another', async () => {
    const gone = await startUpstream(1);
    await gone.close();
    const alive = upstreams[1]!;
    const own = await startNginx([gone.port, alive.port, gone.port]);
    for (let i = 0; i < 3; i += 1) {
      const reply = await own.fetch('/sent', { method: 'POST', body: '{}' });
      expect(reply.status).toBe(200);
    }
    const lines = own.accesses().filter(({ path }) => path === '/sent');
    expect(lines.some(({ upstream }) => upstream.length > 1)).toBe(true);
    for (const { upstreamBytesSent } of lines) expect(upstreamBytesSent.filter((bytes) => bytes > 0)).toHaveLength(1);
    expect(alive.seen).toEqual(['POST /sent', 'POST /sent', 'POST /sent']);
    await own.close();
  });

  test('refuses a body that no route takes with a problem of its own', async () => {
    const reply = await nginx.fetch('/', { method: 'POST', body: 'x'.repeat(3 * 1024 * 1024) });
    expect([reply.status, await reply.json()]).toEqual([413, expect.objectContaining({ code: 'payload_too_large' })]);
  });

  test('leaves the refusals of the API as they are', async () => {
    for (const upstream of upstreams) {
      upstream.handle = (_asked, response) => response.writeHead(502, { 'content-type': 'text/plain' }).end('mine');
    }
    const reply = await nginx.fetch('/refused');
    expect([reply.status, await reply.text()]).toEqual([502, 'mine']);
  });

  function handshake(version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'): Promise<string | null> {
    const { port } = new URL(nginx.url);
    const options = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    return new Promise((resolve, reject) => {
      const socket = connect({ host: 'localhost', port: Number(port), ca: nginx.ca, ...options }, () => {
        resolve(socket.getProtocol());
        socket.destroy();
      });
      socket.once('error', reject);
    });
  }

  /** Of a request that is refused before all of it is read. */
  function rawRequest(headers: Record<string, string>): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const sent = request(nginx.url, { ca: nginx.ca, headers }, (reply) => {
        resolve(reply.statusCode);
        reply.resume();
      });
      sent.once('error', reject);
      sent.end();
    });
  }
});

/** Puts back what they do by themselves. */
function upstreamsAnswer() {
  const own = new Map<Upstream, Handler>();
  return {
    restore(upstreams: readonly Upstream[]): void {
      for (const upstream of upstreams) {
        if (!own.has(upstream)) own.set(upstream, upstream.handle);
        upstream.handle = own.get(upstream) ?? upstream.handle;
      }
    },
  };
}
