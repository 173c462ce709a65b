import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Exchange, type FaultProxy, startFaultProxy } from './fault-proxy.ts';

/** What reached the target, in order. */
let reached: string[];
let proxy: FaultProxy;
let stop: () => Promise<void>;
/** How the target answers; by default with a running number and what it was sent. */
let reply: (body: string, request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

beforeEach(async () => {
  reached = [];
  reply = (body, request, response) => {
    response.setHeader('x-target', 'yes').end(JSON.stringify({ call: reached.length, path: request.url, body }));
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    reached.push(body);
    await reply(body, request, response);
  };
  const target = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  proxy = await startFaultProxy(`http://127.0.0.1:${(target.address() as AddressInfo).port}/base/sql`);
  stop = async () => {
    await proxy.close();
    target.closeAllConnections();
    await new Promise((resolve) => target.close(resolve));
  };
});
afterEach(() => stop());

const post = (body: string, init: RequestInit = {}): Promise<Response> =>
  fetch(proxy.url, { method: 'POST', body, ...init });
const having = (text: string) => (exchange: Exchange) => exchange.requestBody.includes(text);
const gate = (): { closed: Promise<void>; open: () => void } => {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { closed: promise, open: resolve };
};

describe('without a fault', () => {
  test('it keeps the path, passes headers and bodies both ways, and records the exchange', async () => {
    expect(proxy.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/base\/sql$/);
    const answer = await fetch(`${proxy.url}?a=1`, { method: 'POST', body: 'naïve 🛒', headers: { 'X-Mine': 'me' } });
    expect(answer.headers.get('x-target')).toBe('yes');
    expect(await answer.json()).toEqual({ call: 1, path: '/base/sql?a=1', body: 'naïve 🛒' });
    expect(proxy.exchanges).toMatchObject([
      {
        seq: 1,
        method: 'POST',
        path: '/base/sql?a=1',
        headers: { 'x-mine': 'me' },
        requestBody: 'naïve 🛒',
        status: 200,
        responseBody: '{"call":1,"path":"/base/sql?a=1","body":"naïve 🛒"}',
      },
    ]);
  });

  test('bytes that are no text go through unchanged', async () => {
    reply = (_body, _request, response) => void response.writeHead(201).end(Buffer.from([0, 255, 128, 10]));
    const answer = await post('x');
    expect([answer.status, [...(await answer.bytes())]]).toEqual([201, [0, 255, 128, 10]]);
  });

  test('replies without a body and errors of the target go through', async () => {
    for (const status of [204, 304, 400, 503]) {
      reply = (_body, _request, response) => void response.writeHead(status).end();
      expect((await post('x')).status).toBe(status);
    }
    expect(proxy.exchanges.map(({ status }) => status)).toEqual([204, 304, 400, 503]);
  });

  test('200 requests at once are all carried, each with its own reply', async () => {
    const before = gate();
    reply = async (body, _request, response) => {
      if (reached.length === 200) before.open();
      await before.closed;
      response.end(body);
    };
    const bodies = Array.from({ length: 200 }, (_, i) => `request ${i}`);
    const answers = await Promise.all(bodies.map(async (body) => (await post(body)).text()));
    expect(answers).toEqual(bodies);
    expect(proxy.exchanges.map(({ seq }) => seq)).toEqual(bodies.map((_, i) => i + 1));
  });

  test('a slow target is waited for, longer than an idle connection is kept', async () => {
    reply = (_body, _request, response) => void setTimeout(() => response.end('late'), 2_500);
    expect(await (await post('x')).text()).toBe('late');
  });

  test('a client that leaves takes its request to the target with it', async () => {
    const [held, left] = [gate(), gate()];
    reply = (_body, _request, response) => {
      response.once('close', left.open);
      held.open();
    };
    const client = new AbortController();
    const request = post('x', { signal: client.signal });
    await held.closed;
    client.abort();
    await expect(request).rejects.toThrow('aborted');
    await left.closed;
    expect(proxy.exchanges[0]?.status).toBeUndefined();
  });

  test('a target that is not there is a broken connection', async () => {
    const nowhere = await startFaultProxy('http://127.0.0.1:1/');
    await expect(fetch(nowhere.url)).rejects.toThrow('fetch failed');
    await nowhere.close();
  });
});

describe('faults', () => {
  test('drop_request: the target never sees it, the client sees a broken connection', async () => {
    const { fired } = proxy.inject(having('b'), 'drop_request');
    expect((await post('a')).status).toBe(200);
    await expect(post('b')).rejects.toThrow('fetch failed');
    expect((await fired).requestBody).toBe('b');
    expect(reached).toEqual(['a']);
    expect(proxy.exchanges.map(({ requestBody, status }) => [requestBody, status])).toEqual([
      ['a', 200],
      ['b', undefined],
    ]);
  });

  test('drop_reply: the target has answered in full, the client sees a broken connection', async () => {
    const { fired } = proxy.inject(having('b'), 'drop_reply');
    await expect(post('b')).rejects.toThrow('fetch failed');
    expect(await fired).toMatchObject({ status: 200, responseBody: '{"call":1,"path":"/base/sql","body":"b"}' });
    expect(reached).toEqual(['b']);
  });

  test('after a cut the same client goes on', async () => {
    proxy.inject(() => true, 'drop_request');
    await expect(post('a')).rejects.toThrow('fetch failed');
    expect((await post('a')).status).toBe(200);
  });

  test('hold_request: nothing is sent until it is let go', async () => {
    const hold = gate();
    const { fired } = proxy.inject(having('slow'), { hold_request: hold.closed });
    const slow = post('slow');
    await fired;
    expect(await (await post('quick')).json()).toMatchObject({ call: 1 });
    expect(reached).toEqual(['quick']);
    hold.open();
    expect(await (await slow).json()).toMatchObject({ call: 2 });
  });

  test('hold_request: it is sent late even when the client has given up', async () => {
    const hold = gate();
    const done = gate();
    const { fired } = proxy.inject(having('slow'), { hold_request: hold.closed });
    const client = new AbortController();
    const slow = post('slow', { signal: client.signal });
    await fired;
    client.abort();
    await expect(slow).rejects.toThrow('aborted');
    reply = (_body, _request, response) => {
      response.once('close', done.open).end('late');
    };
    hold.open();
    await done.closed;
    expect(reached).toEqual(['slow']);
  });

  test('hold_reply: the target has answered, the client waits', async () => {
    const hold = gate();
    const { fired } = proxy.inject(having('slow'), { hold_reply: hold.closed });
    let isAnswered = false;
    const slow = post('slow').finally(() => (isAnswered = true));
    expect((await fired).status).toBe(200);
    expect((await post('quick')).status).toBe(200);
    expect([reached, isAnswered]).toEqual([['slow', 'quick'], false]);
    hold.open();
    expect(await (await slow).json()).toMatchObject({ call: 1 });
  });

  test('duplicate: the target gets it twice, the second reply is the answer', async () => {
    const { fired } = proxy.inject(having('x'), 'duplicate');
    expect(await (await post('x')).json()).toMatchObject({ call: 2 });
    expect(reached).toEqual(['x', 'x']);
    expect(await fired).toMatchObject({ seq: 1, responseBody: '{"call":2,"path":"/base/sql","body":"x"}' });
    expect(proxy.exchanges).toHaveLength(1);
  });

  test('respond: the target never sees it, the client gets this answer', async () => {
    proxy.inject(having('x'), { respond: { status: 503, body: '{"error":"down"}' } });
    const answer = await post('x');
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      503,
      'application/json',
      '{"error":"down"}',
    ]);
    expect(reached).toEqual([]);
    expect(proxy.exchanges).toMatchObject([{ status: 503, responseBody: '{"error":"down"}' }]);
  });
});

describe('injection', () => {
  test('a fault meets as many requests as it says, exactly so when they come at once', async () => {
    proxy.inject(having('x'), { respond: { status: 500, body: '' } }, 3);
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('x')));
    expect(answers.filter(({ status }) => status === 500)).toHaveLength(3);
    expect(reached).toHaveLength(17);
  });

  test('faults are tried in the order of injection, one for each request', async () => {
    proxy.inject(having('x'), { respond: { status: 501, body: '' } });
    proxy.inject(having('x'), { respond: { status: 502, body: '' } });
    const statuses = [];
    for (let i = 0; i < 3; i += 1) statuses.push((await post('x')).status);
    expect(statuses).toEqual([501, 502, 200]);
  });

  test('a match can look at everything, and at how many came before', async () => {
    proxy.inject(
      ({ seq, path, headers }) => seq === 2 && path.endsWith('/sql') && headers['x-mine'] === 'me',
      'drop_request',
    );
    const headers = { 'X-Mine': 'me' };
    expect((await post('a', { headers })).status).toBe(200);
    await expect(post('b', { headers })).rejects.toThrow('fetch failed');
    expect((await post('c', { headers })).status).toBe(200);
  });

  test('clear forgets the exchanges and the faults that were not used up, and goes on counting', async () => {
    proxy.inject(having('x'), 'drop_request', 2);
    await expect(post('x')).rejects.toThrow('fetch failed');
    proxy.clear();
    expect((await post('x')).status).toBe(200);
    expect(proxy.exchanges.map(({ seq }) => seq)).toEqual([2]);
  });
});
