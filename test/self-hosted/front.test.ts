import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createForwarder, type Forwarder } from '../../deploy/supervisor/forward.ts';
import { FIGURES, startFront, type Front } from '../../deploy/supervisor/front.ts';
import { trustedBy } from '../../deploy/supervisor/headers.ts';
import { until } from '../observability/programs.ts';
import { gate } from '../support/order-path.ts';

const SHORT = { ...FIGURES, readTimeoutMs: 300, idleTimeoutMs: 2_000 };
const WRITE_TIMEOUT_MS = 500;

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

let folder: string;
/** Stands in the place of workerd. */
let worker: Server;
let handle: Handler;
let front: Front;
let forwarder: Forwarder;
const said: { msg: string; fields: object | undefined }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'front-'));
  const socket = join(folder, 'worker.sock');
  worker = createServer((asked, response) => void handle(asked, response)).listen(socket);
  await once(worker, 'listening');
  const workerd = { whenUp: () => Promise.resolve(socket), stop: () => Promise.resolve() };
  const log = { say: (_level: string, msg: string, fields?: object) => void said.push({ msg, fields }) };
  forwarder = createForwarder({ workerd, log, writeTimeoutMs: WRITE_TIMEOUT_MS });
  const isTrusted = trustedBy(['127.0.0.0/8']);
  front = await startFront({ port: 0, tls: null, isTrusted, assets: () => false, forwarder, figures: SHORT });
});
beforeEach(() => void said.splice(0));
afterAll(async () => {
  front.drain();
  await front.close(0);
  forwarder.close();
  worker.close();
  worker.closeAllConnections();
  await rm(folder, { recursive: true });
});

const url = (path = '/') => `http://127.0.0.1:${front.port}${path}`;

async function bodyOf(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of message.setEncoding('utf8')) text += chunk;
  return text;
}

test("the figures are the guide's", () => {
  expect(FIGURES).toEqual({
    readTimeoutMs: 15_000,
    writeTimeoutMs: 15_000,
    idleTimeoutMs: 60_000,
    headerBytesMax: 1_048_576,
  });
});

describe('a request and its reply', () => {
  test('pass as they are, but for what belongs to one connection', async () => {
    let got: IncomingMessage | undefined;
    handle = async (asked, response) => {
      got = asked;
      const body = await bodyOf(asked);
      const cookies = ['set-cookie', 'a=1', 'set-cookie', 'b=2'];
      response.writeHead(201, cookies.concat('connection', 'x-hop', 'x-hop', 'gone', 'x-end', 'kept'));
      response.end(body.toUpperCase());
    };
    const headers = {
      connection: 'x-private',
      'x-private': 'gone',
      'x-kept': 'yes',
      te: 'trailers',
      host: 'shop.test',
    };
    const asked = request(url('/a?b=%20c'), { method: 'POST', headers });
    asked.end('hello');
    const [reply] = (await once(asked, 'response')) as [IncomingMessage];
    expect([reply.statusCode, await bodyOf(reply)]).toEqual([201, 'HELLO']);
    expect(reply.headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect(reply.headers).toMatchObject({ 'x-end': 'kept' });
    expect(reply.headers).not.toHaveProperty('x-hop');
    expect(got?.url).toBe('/a?b=%20c');
    expect(got?.headers).toMatchObject({ host: 'shop.test', 'x-kept': 'yes', 'x-real-ip': '127.0.0.1' });
    for (const name of ['x-private', 'te']) expect(got?.headers).not.toHaveProperty(name);
  });

  test('stream both ways: each part is passed on before the next is sent', async () => {
    handle = (asked, response) => {
      response.writeHead(200);
      response.flushHeaders();
      asked.on('data', (chunk: Buffer) => response.write(`<${chunk.toString()}>`));
      asked.on('end', () => response.end());
    };
    const asked = request(url(), { method: 'PUT' });
    asked.write('one');
    const [reply] = (await once(asked, 'response')) as [IncomingMessage];
    expect(String((await once(reply, 'data'))[0])).toBe('<one>');
    asked.end('two');
    expect(await bodyOf(reply)).toBe('<two>');
  });

  test('keep their length: a POST without a body has none, a HEAD has a reply without one', async () => {
    let length: string | undefined;
    handle = (asked, response) => {
      length = asked.headers['content-length'];
      response.writeHead(200, { 'content-length': '5' });
      response.end(asked.method === 'HEAD' ? undefined : 'hello');
    };
    expect(await (await fetch(url(), { method: 'POST' })).text()).toBe('hello');
    expect(length).toBe('0');
    const head = await fetch(url(), { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '5']);
  });

  test('X-Real-IP is what a trusted proxy says, and nobody else', async () => {
    let address: unknown;
    handle = (asked, response) => {
      address = asked.headers['x-real-ip'];
      response.end();
    };
    await fetch(url(), { headers: { 'x-real-ip': '203.0.113.9' } });
    expect(address).toBe('203.0.113.9');
    await fetch(url(), { headers: { 'x-real-ip': 'nonsense' } });
    expect(address).toBe('127.0.0.1');
    const isTrusted = trustedBy(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32']);
    expect(['10.9.9.9', '192.0.2.1', '2001:db8::1'].map(isTrusted)).toEqual([true, true, true]);
    expect(['11.0.0.1', '192.0.2.2', '2001:db9::1', 'unknown'].map(isTrusted)).toEqual([false, false, false, false]);
  });
});

describe('too slow', () => {
  test('a Worker is 504 at the write timeout, and what it does goes on to its end', async () => {
    const { opened, open } = gate();
    const outcome = Promise.withResolvers<string>();
    handle = async (asked, response) => {
      response.on('close', () => outcome.resolve(response.writableFinished ? 'finished' : 'cut'));
      await bodyOf(asked);
      await opened;
      response.end('done');
    };
    const reply = await fetch(url(), { method: 'POST', body: 'x', headers: { 'x-request-id': 'slow-1' } });
    expect(reply.status).toBe(504);
    expect(await reply.json()).toMatchObject({ code: 'worker_slow', status: 504, request_id: 'slow-1' });
    expect(said).toContainEqual(expect.objectContaining({ msg: 'worker_slow' }));
    open();
    expect(await outcome.promise).toBe('finished');
  });

  test('a client is 408 at the read timeout', async () => {
    handle = (asked) => asked.resume().on('error', () => undefined);
    const socket = connect(front.port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 10\r\n\r\nfive5');
    let reply = '';
    socket.on('data', (chunk: Buffer) => (reply += chunk.toString()));
    await once(socket, 'close');
    expect(reply).toMatch(/^HTTP\/1\.1 408 [^]*"code":"request_timeout"/);
  });
});

describe('a client that leaves', () => {
  const leave = async (method: string): Promise<string> => {
    const outcome = Promise.withResolvers<string>();
    const { opened, open } = gate();
    const arrived = gate();
    handle = async (asked, response) => {
      response.on('close', () => outcome.resolve(response.writableFinished ? 'finished' : 'cut'));
      await bodyOf(asked);
      arrived.open();
      await opened;
      response.end('done');
    };
    const asked = request(url(), { method });
    asked.on('error', () => undefined).end();
    await arrived.opened;
    asked.destroy();
    if (method === 'GET') await outcome.promise;
    open();
    return await outcome.promise;
  };

  test('cuts what changes nothing', async () => {
    expect(await leave('GET')).toBe('cut');
  });

  test('does not cut what changes something', async () => {
    expect(await leave('POST')).toBe('finished');
  });
});

test('a reply that breaks off in the middle breaks off for the client, and is said', async () => {
  handle = (_asked, response) => {
    response.writeHead(200, { 'content-length': '10' });
    response.write('five5', () => response.destroy());
  };
  const reply = await fetch(url());
  await expect(reply.text()).rejects.toThrow('terminated');
  const line = await until('the line', 10_000, () => said.find(({ msg }) => msg === 'reply cut off'));
  expect(line.fields).not.toMatchObject({ cause: 'no reply in time' });
});
