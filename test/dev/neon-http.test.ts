import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startNeonEndpoint } from '../../dev/neon/server.ts';
import { startUpstashEndpoint } from '../../dev/upstash/server.ts';
import { neonError, type NeonFixture, post, startNeonFixture } from './neon-fixture.ts';

const LIMIT_BYTES = 64 * 1024;

let fixture: NeonFixture;
beforeAll(async () => {
  fixture = await startNeonFixture({ bodyLimitBytes: LIMIT_BYTES });
});
afterAll(() => fixture.close());

const refused = async (reply: Response, status: number): Promise<string> => {
  const body = (await reply.json()) as { message: string };
  expect([reply.status, body.message]).toEqual([status, expect.any(String)]);
  return body.message;
};
const SELECT_ONE = JSON.stringify({ query: 'select 1', params: [] });

describe('what is refused', () => {
  test('a missing or garbled connection string', async () => {
    for (const [value, part] of [
      ['', 'not a postgres:// URL'],
      ['mysql://u:p@h/d', 'not a postgres:// URL'],
      ['postgres://u:p@h:port/d', 'not a URL'],
      ['postgres://:p@h/d', 'missing user'],
      ['postgres://u@h/d', 'missing password'],
      ['postgres://u:p@h/', 'missing database'],
      ['postgres://u:%zz@h/d', 'percent-encoding'],
    ] as const) {
      expect(await refused(await post(fixture, SELECT_ONE, { 'Neon-Connection-String': value }), 400)).toContain(part);
    }
    const without = await fetch(fixture.endpoint.url, { method: 'POST', body: SELECT_ONE });
    expect(await refused(without, 400)).toContain('Neon-Connection-String');
  });

  test('a body that is not JSON, or not a query', async () => {
    for (const body of [
      '',
      '{',
      'null',
      '[]',
      '{}',
      '{"query":1}',
      '{"queries":{}}',
      '{"queries":[{"params":[]}]}',
      '{"query":"select 1","params":1}',
    ]) {
      expect(await refused(await post(fixture, body), 400)).toContain('invalid body');
    }
    const badUtf8 = await fetch(fixture.endpoint.url, {
      method: 'POST',
      body: Buffer.from([0x22, 0xff, 0x22]),
      headers: { 'Neon-Connection-String': fixture.connectionString, 'Neon-Raw-Text-Output': 'true' },
    });
    expect(await refused(badUtf8, 400)).toContain('not JSON');
  });

  test('any reply format but raw text, which is all that the client asks for', async () => {
    expect(await refused(await post(fixture, SELECT_ONE, { 'Neon-Raw-Text-Output': 'false' }), 400)).toContain(
      'raw text',
    );
    expect(await refused(await post(fixture, SELECT_ONE, { 'Neon-Array-Mode': '1' }), 400)).toContain(
      'neon-array-mode',
    );
  });

  test('another method or path', async () => {
    const got = await fetch(fixture.endpoint.url);
    expect(got.headers.get('allow')).toBe('POST');
    await refused(got, 405);
    await refused(
      await fetch(fixture.endpoint.url.replace(/sql$/, 'other'), { method: 'POST', body: SELECT_ONE }),
      404,
    );
  });
});

describe('body limit', () => {
  const bodyOf = (bytes: number): string => {
    const empty = JSON.stringify({ query: 'select length($1) as n', params: [''] });
    return JSON.stringify({ query: 'select length($1) as n', params: ['x'.repeat(bytes - empty.length)] });
  };

  test('a body of exactly the limit is taken, one byte more is 413', async () => {
    expect((await post(fixture, bodyOf(LIMIT_BYTES))).status).toBe(200);
    expect(await refused(await post(fixture, bodyOf(LIMIT_BYTES + 1)), 413)).toContain(`${LIMIT_BYTES} bytes`);
  });

  test('a body without a length is counted as it comes', async () => {
    const stream = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 10; i += 1) controller.enqueue(new TextEncoder().encode('x'.repeat(LIMIT_BYTES / 4)));
        controller.close();
      },
    });
    const reply = await fetch(fixture.endpoint.url, {
      method: 'POST',
      body: stream,
      duplex: 'half',
      headers: { 'Neon-Connection-String': fixture.connectionString, 'Neon-Raw-Text-Output': 'true' },
    } as RequestInit);
    expect(await refused(reply, 413)).toContain(`${LIMIT_BYTES} bytes`);
  });

  test('the client reads the refusal of a far too large body, and its next query works', async () => {
    const error = await neonError(fixture.sql`select length(${'x'.repeat(20 * LIMIT_BYTES)})`);
    expect(error.message).toContain('HTTP status 413');
    expect(await fixture.sql`select 1 as one`).toEqual([{ one: 1 }]);
  });
});

test('a taken port is said at once', async () => {
  const port = Number(new URL(fixture.endpoint.url).port);
  await expect(startNeonEndpoint({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await expect(startUpstashEndpoint({ port, token: 'any' })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('health answers on a kept-alive connection, as queries do', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports: (number | undefined)[] = [];
  const get = (url: string, method: string, body: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const headers = { 'Neon-Connection-String': fixture.connectionString, 'Neon-Raw-Text-Output': 'true' };
      const outgoing = request(url, { agent, method, headers }, (incoming) => {
        ports.push(incoming.socket.localPort);
        incoming.resume().on('end', () => resolve(incoming.statusCode));
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  const health = fixture.endpoint.url.replace(/sql$/, 'health');
  const statuses = [];
  for (const [url, method, body] of [
    [health, 'GET', ''],
    [fixture.endpoint.url, 'POST', SELECT_ONE],
    [fixture.endpoint.url, 'POST', '{'],
    [health, 'GET', ''],
  ] as const) {
    statuses.push(await get(url, method, body));
  }
  agent.destroy();
  expect(statuses).toEqual([200, 200, 400, 200]);
  expect(new Set(ports).size).toBe(1);
});
