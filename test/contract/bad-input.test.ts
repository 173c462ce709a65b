import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiOperation, type ApiParameter, builtDocument, dereference } from '../support/contract.ts';
import { startStack, type Stack } from '../support/stack.ts';
import {
  badBodies,
  badHeaders,
  badMembers,
  badPathValues,
  badQueries,
  type BadRequest,
  DELIVERED_BYTES_MAX,
  hugeBodies,
} from './bad-requests.ts';
import { Examples, TEXTS } from './examples.ts';

/** What the shop has, so that a fault is the only reason to refuse. */
interface Fixtures {
  cart: string;
  texts: string[];
  token: string;
  /** May do everything. */
  staffToken: string;
}

const AT_ONCE = 8;
const REQUEST_ID = /^[\w=+/.-]{1,128}$/;
const document = builtDocument();
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([verb, operation]) => ({ name: `${verb.toUpperCase()} ${path}`, verb, path, operation })),
);

let stack: Stack;
let fixtures: Fixtures;

beforeAll(async () => {
  // No request gets as far as the provider.
  const provider = { test: { issuer: 'http://127.0.0.1:1', client_id: 'shop' } };
  const env = { OIDC_PROVIDERS: JSON.stringify(provider), OIDC_REDIRECT_URIS: 'https://shop.example.test/signed-in' };
  stack = await startStack({ env });
  fixtures = await makeFixtures();
});
afterAll(() => stack.close());

test.each(operations)('$name refuses bad input, names it and writes nothing', async ({ verb, path, operation }) => {
  const before = await digests();
  const failures = await inGroups(badRequests(verb, path, operation), (bad) =>
    refusalFault(verb, path, operation, bad),
  );
  expect(failures).toEqual([]);
  expect(await digests()).toEqual(before);
});

test.each(operations)('$name replaces a bad X-Request-Id', async ({ verb, path }) => {
  const method = verb === 'get' ? 'GET' : 'PUT';
  for (const id of ['', 'two words', 'x'.repeat(129), 'k\u00e9y', '{"a":1}', "';--"]) {
    const response = await stack.fetch(fill(path), { method, headers: { 'x-request-id': id } });
    const answered = response.headers.get('x-request-id') ?? '';
    expect(answered).toMatch(REQUEST_ID);
    expect(answered).not.toBe(id);
  }
});

test.each(operations.filter(({ operation }) => '428' in operation.responses))(
  '$name needs If-Match',
  async ({ verb, path }) => {
    const headers = { authorization: `Bearer ${fixtures.staffToken}` };
    const response = await stack.fetch(fill(path), { method: verb.toUpperCase(), headers });
    expect(await response.json()).toMatchObject({ status: 428, code: 'precondition_required', param: 'If-Match' });
  },
);

test.each([...new Set(operations.map(({ path }) => path))])('%s refuses methods it does not have', async (path) => {
  const before = await digests();
  const has = new Set(Object.keys(document.paths[path] ?? {}));
  for (const verb of ['get', 'post', 'put', 'patch', 'delete'].filter((each) => !has.has(each))) {
    const response = await stack.fetch(fill(path), { method: verb.toUpperCase() });
    expect([404, 405]).toContain(response.status);
  }
  expect(await digests()).toEqual(before);
});

// A dot segment takes the one before it away (RFC 3986, 5.2.4), so another route or none is met.
test.each(operations.filter(({ path }) => path.includes('{')))(
  '$name survives dot segments',
  async ({ verb, path }) => {
    const before = await digests();
    for (const name of pathNames(path)) {
      for (const dots of ['..', '%2e%2e', '%2e', '.%2E']) {
        const response = await stack.fetch(fill(path, { [name]: dots }), { method: verb.toUpperCase() });
        expect(verb === 'get' ? [200, 401, 404] : [404, 405]).toContain(response.status);
      }
    }
    expect(await digests()).toEqual(before);
  },
);

function pathNames(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
}

function badRequests(verb: string, path: string, operation: ApiOperation): BadRequest[] {
  const examples = new Examples(document, fixtures.texts);
  const parameters = operation.parameters.map((each) => dereference<ApiParameter>(document, each));
  const headerNames = new Set(parameters.filter((each) => each.in === 'header').map((each) => each.name));
  const schema = operation.requestBody?.content['application/json']?.schema;
  const bodies = schema === undefined ? [] : examples.bodies(schema);
  const valid = bodies[0];
  const isDelivered = path.includes('/webhooks/');
  const withBody = (bad: BadRequest): BadRequest =>
    valid === undefined
      ? bad
      : { ...bad, headers: { 'content-type': 'application/json', ...bad.headers }, body: JSON.stringify(valid) };
  const paths = pathNames(path).flatMap((name) =>
    badPathValues().map((value) => ({
      fault: `${name} = ${value.slice(0, 20)}`,
      path: fill(path, { [name]: value }),
      status: 404,
      param: name,
    })),
  );
  return [
    ...[...paths, ...badQueries(operation), ...badHeaders(operation, headerNames)].map(withBody),
    ...bodies.flatMap((body) => [...badBodies(body), ...badMembers(examples, schema ?? {}, body)]),
    ...(verb !== 'get' && valid === undefined ? hugeBodies('{}', isDelivered ? DELIVERED_BYTES_MAX : undefined) : []),
    ...(isDelivered ? unsignedBodies() : []),
  ];
}

/** A webhook reads its body raw, and believes nothing that is not signed. */
function unsignedBodies(): BadRequest[] {
  const signatures = [
    '',
    't=1',
    't=x,v1=y',
    `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}`,
    'x'.repeat(5_000),
  ];
  return ['', '{', 'null', '{"id":"evt_1"}', '\0'].flatMap((body) =>
    [undefined, ...signatures].map((signature) => ({
      fault: `body ${JSON.stringify(body)} signed ${signature?.slice(0, 20)}`,
      headers: signature === undefined ? {} : { 'test-signature': signature },
      body,
      status: 401,
    })),
  );
}

/** What is wrong with the answer to a bad request; null when it is refused as it should be. */
async function refusalFault(
  verb: string,
  path: string,
  operation: ApiOperation,
  bad: BadRequest,
): Promise<string | null> {
  const { fault, query = '', headers = {}, body, status, param } = bad;
  const needsToken = operation.security.length > 0 && operation.security.every((each) => 'bearer' in each);
  const token = operation['x-auth'] === 'staff' ? fixtures.staffToken : fixtures.token;
  const response = await stack
    .fetch(`${bad.path ?? fill(path)}${query === '' ? '' : `?${query}`}`, {
      method: verb.toUpperCase(),
      headers: {
        ...(needsToken && { authorization: `Bearer ${token}` }),
        ...('428' in operation.responses && { 'if-match': '*' }),
        ...lowerCase(headers),
      },
      ...(body !== undefined && { body, duplex: 'half' }),
    })
    .catch((error: unknown) => error as Error);
  if (response instanceof Error) return `${fault}: ${response.message}`;
  const text = await response.text();
  const problem = JSON.parse(text) as {
    code?: string;
    param?: string;
    errors?: { param: string }[];
    request_id?: string;
  };
  const named = [problem.param, ...(problem.errors ?? []).map((each) => each.param)];
  if (response.status !== status) return `${fault}: ${response.status} instead of ${status}: ${text}`;
  if (problem.request_id !== response.headers.get('x-request-id')) return `${fault}: request_id is another`;
  if (param !== undefined && !named.includes(param)) return `${fault}: ${param} is not named: ${text}`;
  return null;
}

function lowerCase(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** The path with the shop's own ids, so that what is asked for is there. */
function fill(path: string, values: Record<string, string> = {}): string {
  return path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => {
    if (values[name] !== undefined) return values[name];
    if (name === 'provider') return 'test';
    return path.includes('/carts/{id}') && name === 'id' ? fixtures.cart : randomUUID();
  });
}

async function makeFixtures(): Promise<Fixtures> {
  const { rows } = await stack.owner.query<{ id: string }>('select id from skus order by code limit 1');
  const sku = rows[0]?.id ?? '';
  const post = async (path: string, body: unknown) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await stack.fetch(`/api/v1${path}`, init);
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as { id: string; access_token: string };
  };
  const cart = await post('/carts', { items: [{ sku_id: sku, quantity: 1 }] });
  const { access_token: token } = await post('/auth/register', { email: 'bad@example.test', password: randomUUID() });
  const admin = await post('/auth/login', { email: 'admin@demo.test', password: 'demo-admin-password' });
  return { cart: cart.id, token, staffToken: admin.access_token, texts: [cart.id, sku, ...TEXTS] };
}

/** Of every table: what is in it. */
async function digests(): Promise<Record<string, string>> {
  const { rows } = await stack.owner.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`,
  );
  const entries = rows.map(async ({ name }) => {
    const text = `select count(*) || ' rows ' || md5(coalesce(string_agg(t::text, ',' order by t::text), '')) as digest from "${name}" t`;
    const result = await stack.owner.query<{ digest: string }>(text);
    return [name, result.rows[0]?.digest ?? ''] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function inGroups(
  requests: readonly BadRequest[],
  ask: (bad: BadRequest) => Promise<string | null>,
): Promise<string[]> {
  const faults: string[] = [];
  for (let start = 0; start < requests.length; start += AT_ONCE) {
    const answers = await Promise.all(requests.slice(start, start + AT_ONCE).map(ask));
    faults.push(...answers.filter((answer) => answer !== null));
  }
  return faults;
}
