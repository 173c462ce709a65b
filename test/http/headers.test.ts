import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtDocument } from '../support/contract.ts';
import { startStack, type Stack } from '../support/stack.ts';

const SHOP = 'https://shop.example.test';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ env: { ALLOWED_ORIGINS: `${SHOP}, https://other.example.test` } });
});
afterAll(() => stack.close());

const document = builtDocument();
const PATHS = ['/api/v1/markets', '/api/v1/products/no-such-product', '/no/such/route', '/health/live'];

describe('every reply', () => {
  test.each(PATHS)('%s: tells a browser to run, frame and guess nothing', async (path) => {
    const { headers } = await stack.fetch(path);
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('strict-transport-security')).toMatch(/^max-age=\d{7,}/);
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(headers.get('x-powered-by')).toBeNull();
    expect(headers.get('x-request-id')).toBeTruthy();
    expect(headers.get('traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
  });

  test('tokens are kept by no cache', async () => {
    const body = JSON.stringify({ email: 'buyer@demo.test', password: 'demo-buyer-password' });
    const headers = { 'content-type': 'application/json' };
    const { status, headers: answered } = await stack.fetch('/api/v1/auth/login', { method: 'POST', headers, body });
    expect([status, answered.get('cache-control')]).toEqual([200, 'no-store']);
  });

  test('a refusal is kept by no cache', async () => {
    expect((await stack.fetch('/no/such/route')).headers.get('cache-control')).toBe('no-store');
  });
});

describe('a browser of another origin', () => {
  const preflight = (origin: string) =>
    stack.fetch('/api/v1/carts', {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization, content-type, idempotency-key, if-match, x-order-token',
      },
    });

  test('that is listed may ask and read', async () => {
    const { status, headers } = await preflight(SHOP);
    expect([status, headers.get('access-control-allow-origin')]).toEqual([204, SHOP]);
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE']) {
      expect(headers.get('access-control-allow-methods')).toContain(method);
    }
    const allowed = headers.get('access-control-allow-headers')?.toLowerCase() ?? '';
    for (const name of ['authorization', 'idempotency-key', 'if-match', 'if-none-match', 'x-order-token']) {
      expect(allowed).toContain(name);
    }
    for (const path of PATHS) {
      const reply = await stack.fetch(path, { headers: { origin: SHOP } });
      expect(reply.headers.get('access-control-allow-origin')).toBe(SHOP);
      expect(reply.headers.get('vary')?.toLowerCase()).toContain('origin');
      const exposed = reply.headers.get('access-control-expose-headers')?.split(',') ?? [];
      expect(exposed.toSorted()).toEqual(Object.keys(document.components['headers'] ?? {}).toSorted());
    }
  });

  test.each([
    'https://evil.example.test',
    `${SHOP}.evil.example.test`,
    'http://shop.example.test',
    `${SHOP}:8443`,
    'null',
  ])('%s may not, and is not told who may', async (origin) => {
    for (const reply of [await preflight(origin), await stack.fetch('/api/v1/markets', { headers: { origin } })]) {
      expect(reply.headers.get('access-control-allow-origin')).toBeNull();
      expect(JSON.stringify([...reply.headers])).not.toContain('shop.example.test');
    }
  });

  test('never sends its cookies along', async () => {
    const { headers } = await preflight(SHOP);
    expect(headers.get('access-control-allow-credentials')).toBeNull();
  });
});
