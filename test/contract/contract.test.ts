import { describe, expect, test } from 'vitest';
import { builtDocument, Contract } from '../support/contract.ts';

const contract = new Contract(builtDocument());
const HEADERS = { 'content-type': 'application/json', 'x-request-id': 'r1' };
const PROBLEM_HEADERS = { ...HEADERS, 'content-type': 'application/problem+json' };
const MARKETS = '/api/v1/markets';
const market = {
  id: '1',
  code: 'us',
  name: 'US',
  currency: 'USD',
  tax_inclusive: false,
  countries: ['US'],
  manual_payments: true,
  is_default: true,
};
const list = { data: [market], has_more: false, next_cursor: null };
const problem = {
  type: 'urn:problem:not_found',
  title: 'Not found',
  status: 404,
  detail: 'No such resource.',
  code: 'not_found',
  request_id: 'r1',
};

function replied(body: unknown, init: ResponseInit = {}): Response {
  return new Response(JSON.stringify(body), { headers: HEADERS, ...init });
}

describe('a reply as described passes', () => {
  const replies: [name: string, method: string, path: string, Response][] = [
    ['a list', 'GET', MARKETS, replied(list)],
    ['a head', 'HEAD', MARKETS, new Response(null, { headers: HEADERS })],
    ['a not modified', 'GET', MARKETS, new Response(null, { status: 304, headers: HEADERS })],
    ['an empty reply', 'POST', '/api/v1/auth/logout', new Response(null, { status: 204, headers: HEADERS })],
    ['a refusal', 'GET', '/api/v1/products/x', replied(problem, { status: 404, headers: PROBLEM_HEADERS })],
    ['a path that is none', 'GET', '/nowhere', replied(problem, { status: 404, headers: PROBLEM_HEADERS })],
    [
      'a file',
      'GET',
      '/docs/start.js',
      new Response('"use strict"', { headers: { 'content-type': 'text/javascript' } }),
    ],
    [
      'a refusal with members of its operation',
      'POST',
      '/api/v1/orders',
      replied(
        { ...problem, status: 402, code: 'payment_declined', reason: 'generic_decline', order_id: '1' },
        { status: 402, headers: PROBLEM_HEADERS },
      ),
    ],
  ];
  test.each(replies)('%s', async (_name, method, path, response) => {
    await expect(contract.check(method, path, response)).resolves.toBeUndefined();
  });
});

describe('a reply that is not is named', () => {
  const { code: _code, ...withoutCode } = problem;
  const replies: [fault: string, method: string, path: string, Response][] = [
    ['must NOT have additional properties: "surprise"', 'GET', MARKETS, replied({ ...list, surprise: 1 })],
    [
      '/data/0 must NOT have additional properties: "secret"',
      'GET',
      MARKETS,
      replied({ ...list, data: [{ ...market, secret: 1 }] }),
    ],
    ["must have required property 'has_more'", 'GET', MARKETS, replied({ data: [], next_cursor: null })],
    [
      '/data/0/tax_inclusive must be boolean',
      'GET',
      MARKETS,
      replied({ ...list, data: [{ ...market, tax_inclusive: 'no' }] }),
    ],
    [
      '/data/0/currency must match pattern',
      'GET',
      MARKETS,
      replied({ ...list, data: [{ ...market, currency: 'usd' }] }),
    ],
    ['status 201 is not described', 'GET', MARKETS, replied(list, { status: 201, headers: HEADERS })],
    ['the body is not JSON', 'GET', MARKETS, new Response('{', { headers: HEADERS })],
    [
      'media type text/html is not application/json',
      'GET',
      MARKETS,
      new Response('', { headers: { ...HEADERS, 'content-type': 'text/html' } }),
    ],
    [
      'header X-Request-Id is missing',
      'GET',
      MARKETS,
      replied(list, { headers: { 'content-type': 'application/json' } }),
    ],
    [
      'header RateLimit-Limit is no integer',
      'GET',
      MARKETS,
      replied(list, { headers: { ...HEADERS, 'ratelimit-limit': 'x' } }),
    ],
    ['a body is not described', 'POST', '/api/v1/auth/logout', bodied(204)],
    ['no operation is described', 'GET', '/nowhere', replied({}, { headers: HEADERS })],
    [
      "must have required property 'code'",
      'GET',
      '/nowhere',
      replied(withoutCode, { status: 404, headers: PROBLEM_HEADERS }),
    ],
    [
      '/code must be equal to one of the allowed values',
      'GET',
      '/api/v1/products/x',
      replied({ ...problem, code: 'cart_full' }, { status: 404, headers: PROBLEM_HEADERS }),
    ],
    [
      'must NOT have unevaluated properties: "order_id"',
      'GET',
      '/api/v1/products/x',
      replied({ ...problem, order_id: '1' }, { status: 404, headers: PROBLEM_HEADERS }),
    ],
  ];
  test.each(replies)('%s', async (fault, method, path, response) => {
    await expect(contract.check(method, path, response)).rejects.toThrow(fault);
  });
});

/** fetch drops such a body; a Worker behind another server could still send one. */
function bodied(status: number): Response {
  const response = replied({});
  Object.defineProperty(response, 'status', { value: status });
  return response;
}
