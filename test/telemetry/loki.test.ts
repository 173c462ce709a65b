import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import tailWorker from '../../observability/loki-tail/index.ts';
import { type Push, pushFaults, readPush } from '../support/loki.ts';

/** No Loki runs here: this takes what its push API is documented to take, and refuses the rest. */
const received: Push[] = [];
/** Answers before it takes anything; 0 cuts the connection. */
let refusals: { status: number; retryAfter?: string }[] = [];
const server = createServer((request, response) => {
  void readPush(request).then((push) => {
    const refusal = refusals.shift();
    if (refusal?.status === 0) return request.socket.destroy();
    received.push(push);
    const headers = refusal?.retryAfter === undefined ? {} : { 'retry-after': refusal.retryAfter };
    if (refusal) return response.writeHead(refusal.status, headers).end('entry too far behind');
    const faults = pushFaults(push);
    return response.writeHead(faults.length === 0 ? 204 : 400).end(faults.join('\n'));
  });
});
let url: string;
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/loki/api/v1/push`;
});
beforeEach(() => {
  received.length = 0;
  refusals = [];
});
afterAll(() => server.close());

const line = (level: string, msg: string) => JSON.stringify({ level, service: 'ecommerce-api', msg, request_id: 'r1' });
const env = () => ({ LOKI_URL: url, LOKI_USERNAME: '12', LOKI_PASSWORD: 'secret', ENVIRONMENT: 'production' });
const logs = (...entries: [timestamp: number, message: unknown][]) => [
  { logs: entries.map(([timestamp, message]) => ({ timestamp, message })), exceptions: [] },
];

test('lines go to Loki by service, env and level alone, in nanoseconds, oldest first, packed', async () => {
  await tailWorker.tail(
    [
      ...logs([2_000, [line('info', 'b')]], [1_000, [line('info', 'a')]]),
      {
        logs: [{ timestamp: 3_000, message: [line('error', 'c')] }],
        exceptions: [{ timestamp: 4_000, name: 'TypeError', message: 'no ada@example.test' }],
        scriptName: 'edge-commerce',
      },
    ],
    env(),
  );
  const [{ headers, body, sentBytes, bodyBytes }] = received as [Push];
  expect(headers.authorization).toBe(`Basic ${Buffer.from('12:secret').toString('base64')}`);
  expect(headers['content-encoding']).toBe('gzip');
  expect(sentBytes).toBeLessThan(bodyBytes);
  expect(body).toEqual({
    streams: [
      {
        stream: { service: 'ecommerce-api', env: 'production', level: 'info' },
        values: [
          ['1000000000', line('info', 'a')],
          ['2000000000', line('info', 'b')],
        ],
      },
      {
        stream: { service: 'ecommerce-api', env: 'production', level: 'error' },
        values: [['3000000000', line('error', 'c')]],
      },
      {
        stream: { service: 'edge-commerce', env: 'production', level: 'fatal' },
        values: [['4000000000', '{"level":"fatal","msg":"TypeError","cause":"no [redacted]"}']],
      },
    ],
  });
});

test('equal lines of one millisecond are all kept, in their order', async () => {
  const same = line('info', 'same');
  await tailWorker.tail(logs([5, same], [5, same], [5, line('info', 'last')], [4.9, 'first, and no JSON']), env());
  const values = received.flatMap(({ body }) => (body as { streams: { values: unknown[] }[] }).streams);
  expect(values.map(({ values }) => values)).toEqual([
    [['4000000', 'first, and no JSON']],
    [
      ['5000000', same],
      ['5000001', same],
      ['5000002', line('info', 'last')],
    ],
  ]);
});

test('a level or a service that is none becomes no label, and a great many lines become several pushes', async () => {
  const long = JSON.stringify({ level: 'ada@example.test', service: '', msg: 'x'.repeat(200_000) });
  await tailWorker.tail(logs(...Array.from({ length: 12 }, (_none, n): [number, string] => [n + 1, long])), env());
  expect(received.map(({ lines }) => lines.length)).toEqual([4, 4, 4]);
  expect(received[0]?.body).toMatchObject({ streams: [{ stream: { service: 'worker', level: 'info' } }] });
});

describe('when Loki does not take it', () => {
  test('429, 503 and a broken connection are tried again, as soon as it says', async () => {
    refusals = [{ status: 429, retryAfter: '1' }, { status: 503 }, { status: 0 }];
    const startedAt = performance.now();
    await tailWorker.tail(logs([1, line('info', 'a')]), env());
    expect(received.map(({ lines }) => lines)).toEqual(Array.from({ length: 3 }, () => [line('info', 'a')]));
    // Retry-After's second, then twice and four times the first wait of half a second.
    expect(performance.now() - startedAt).toBeGreaterThan(1_000 + 1_000 + 2_000);
  });

  test('any other refusal is an error that says why, at once, and nothing is sent for nothing', async () => {
    refusals = [{ status: 400 }];
    await expect(tailWorker.tail(logs([1, 'plain text']), env())).rejects.toThrow(
      'Loki answered 400: entry too far behind',
    );
    await tailWorker.tail(logs(), env());
    expect(received).toHaveLength(1);
  });
});

describe('the receiver takes nothing else', () => {
  const values = [['1000', 'line']];
  const push = (body: unknown, more: Partial<Push> = {}): Push => ({
    request: 'POST /loki/api/v1/push',
    headers: { 'content-type': 'application/json' },
    sentBytes: 1,
    bodyBytes: 1,
    body,
    lines: [],
    ...more,
  });
  const stream = { service: 'a' };

  test.each([
    ['another path', push({ streams: [{ stream, values }] }, { request: 'POST /api/prom/push' })],
    ['another type', push({ streams: [{ stream, values }] }, { headers: { 'content-type': 'text/plain' } })],
    ['nothing', push({ streams: [] })],
    ['no label', push({ streams: [{ stream: {}, values }] })],
    ['an empty label', push({ streams: [{ stream: { service: '' }, values }] })],
    ['a name that is no label', push({ streams: [{ stream: { 'a-b': 'c' }, values }] })],
    ['a number for a time', push({ streams: [{ stream, values: [[1000, 'line']] }] })],
    ['a time of RFC 3339', push({ streams: [{ stream, values: [['2026-11-22T00:00:00Z', 'line']] }] })],
    ['an older line after a newer one', push({ streams: [{ stream, values: [['2000', 'b'], ...values] }] })],
    ['an object for a line', push({ streams: [{ stream, values: [['1000', {}]] }] })],
    ['a line too long', push({ streams: [{ stream, values: [['1000', 'x'.repeat(300_000)]] }] })],
    [
      'one stream twice',
      push({
        streams: [
          { stream, values },
          { stream, values },
        ],
      }),
    ],
  ])('%s', (_name, faulty) => {
    expect(pushFaults(faulty)).not.toEqual([]);
  });

  test('a line from another week', () => {
    expect(pushFaults(push({ streams: [{ stream, values }] }), Date.now())).toHaveLength(1);
    expect(pushFaults(push({ streams: [{ stream, values: [[`${Date.now()}000000`, 'now']] }] }), Date.now())).toEqual(
      [],
    );
  });
});
