import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import tailWorker from '../../observability/loki-tail/index.ts';

interface Received {
  authorization: string | undefined;
  body: { streams: { stream: Record<string, string>; values: [string, string][] }[] };
}

const received: Received[] = [];
let status = 204;
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    received.push({
      authorization: request.headers.authorization,
      body: JSON.parse(Buffer.concat(chunks).toString()),
    });
    response.writeHead(status).end(status === 204 ? undefined : 'entry too far behind');
  });
});
let url: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/loki/api/v1/push`;
});
afterAll(() => server.close());

const line = (level: string, msg: string) => JSON.stringify({ level, service: 'ecommerce-api', msg, request_id: 'r1' });
const env = () => ({ LOKI_URL: url, LOKI_USERNAME: '12', LOKI_PASSWORD: 'secret', ENVIRONMENT: 'production' });

test('lines go to Loki by service, env and level alone, in nanoseconds, oldest first', async () => {
  await tailWorker.tail(
    [
      {
        logs: [
          { timestamp: 2_000, message: [line('info', 'b')] },
          { timestamp: 1_000, message: [line('info', 'a')] },
        ],
        exceptions: [],
      },
      {
        logs: [{ timestamp: 3_000, message: [line('error', 'c')] }],
        exceptions: [{ timestamp: 4_000, name: 'TypeError', message: 'no ada@example.test' }],
        scriptName: 'edge-commerce',
      },
    ],
    env(),
  );
  const [{ authorization, body }] = received as [Received];
  expect(authorization).toBe(`Basic ${Buffer.from('12:secret').toString('base64')}`);
  expect(body.streams).toEqual([
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
  ]);
});

test('a refusal of Loki is an error that says why, and nothing is sent for nothing', async () => {
  status = 400;
  await expect(
    tailWorker.tail([{ logs: [{ timestamp: 1, message: 'plain text' }], exceptions: [] }], env()),
  ).rejects.toThrow('Loki answered 400: entry too far behind');
  const before = received.length;
  await tailWorker.tail([{ logs: [], exceptions: [] }], env());
  expect(received.length).toBe(before);
});
