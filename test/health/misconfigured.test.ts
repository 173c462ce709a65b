import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json } from '../support/shop.ts';
import { startStack, type Stack } from '../support/stack.ts';

/** Values that must be named neither to a caller nor in the log. */
const SECRET = 'hunter2';
const BAD = {
  DATABASE_URL: `mysql://root:${SECRET}@db.example.test`,
  JWT_ACCESS_SECRET: SECRET,
  LOG_LEVEL: SECRET,
  RATE_LIMIT_PUBLIC: SECRET,
  UPSTASH_REDIS_REST_TOKEN: '',
  EVENTS_URL: 'https://events.example.test',
};

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: BAD });
});
afterAll(() => stack.close());

describe('a Worker with wrong bindings', () => {
  test.each([
    ['GET', '/health'],
    ['GET', '/health/live'],
    ['GET', '/health/ready'],
    ['GET', '/api/v1/products'],
    ['POST', '/api/v1/orders'],
    ['PATCH', '/api/v1/carts/AAAAAAAAAAAAAAAAAAAAAA'],
    ['GET', '/'],
    ['DELETE', '/no/such/path'],
  ])('answers %s %s: 503 misconfigured, and says nothing of what is wrong', async (method, path) => {
    const response = await stack.fetch(path, { method, headers: { 'x-request-id': 'ask-me' } });
    const body: Json = await response.json();
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('x-request-id')).toBe('ask-me');
    expect(body).toMatchObject({ status: 503, code: 'misconfigured', request_id: 'ask-me' });
    for (const word of [SECRET, ...Object.keys(BAD)]) expect(JSON.stringify(body)).not.toContain(word);
  });

  test('lists every fault at once in its log, and no value', async () => {
    const reply = await stack.fetch('/', { headers: { 'x-request-id': 'logged' } });
    const line: Json = stack.logs().find(({ request_id }) => request_id === 'logged');
    expect(line).toMatchObject({ level: 'fatal', msg: 'misconfigured', method: 'GET', path: '/', status: 503 });
    expect(reply.headers.get('traceparent')).toBe(`00-${line.trace_id}-${line.span_id}-00`);
    const named = line.faults.map((fault: string) => fault.split(' ', 1)[0]);
    expect(named.toSorted()).toEqual(
      [
        'DATABASE_URL',
        'EVENTS_SECRET',
        'JWT_ACCESS_SECRET',
        'LOG_LEVEL',
        'RATE_LIMIT_PUBLIC',
        'UPSTASH_REDIS_REST_TOKEN',
      ].toSorted(),
    );
    expect(JSON.stringify(stack.logs())).not.toContain(SECRET);
  });

  test('asks neither Postgres nor Redis for anything, nor does its clockwork', async () => {
    const result = await stack.worker.scheduled({ cron: '* * * * *' });
    expect(result.outcome).toBe('exception');
    await stack.fetch('/api/v1/products');
    expect([...stack.neon.exchanges, ...stack.redis.exchanges]).toEqual([]);
  });
});
