import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, type Reply } from '../../support/shop.ts';
import { startStack, type Stack } from '../../support/stack.ts';
import { oidcBindings, REDIRECT_URI, start } from './shop-page.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** What the provider does on a path; the rest of its metadata is in order. */
const behaviour = new Map<string, Answer>();
const METADATA = '/.well-known/openid-configuration';
const client = { client_id: 'the-shop', client_secret: 'secret-of-the-shop' };
const PROVIDERS_MAX = 20;

let stack: Stack;
let server: Server;
let origin: string;
let used = 0;

/** Each try at metadata has an issuer of its own: what was found of another one is kept for minutes. */
const next = (): string => `p${(used += 1)}`;
const json = (body: unknown, status = 200): Answer => {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
};
const metadataOf = (issuer: string) => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
});

beforeAll(async () => {
  server = createServer((request, response) => {
    const [, name = '', path = ''] = /^\/(\w+)(\/.*)$/.exec(request.url ?? '') ?? [];
    const answer = behaviour.get(path) ?? (path === METADATA ? json(metadataOf(`${origin}/${name}`)) : json({}, 404));
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const names = Array.from({ length: PROVIDERS_MAX - 1 }, (_, index) => `p${index + 1}`);
  const providers = Object.fromEntries(names.map((name) => [name, { issuer: `${origin}/${name}`, client }]));
  const env = oidcBindings({ ...providers, gone: { issuer: 'http://127.0.0.1:1', client } });
  stack = await startStack({ env: { ...env, OIDC_TIMEOUT_MS: '1000' } });
});
afterAll(async () => {
  await stack.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const DOWN = [503, 'dependency_unavailable', '5'];
const refusal = ({ status, body, headers }: Reply) => [status, body.code, headers.get('retry-after')];
const endless: Answer = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const chunk = Buffer.alloc(64 * 1024, ' ');
  const more = () => void (response.writable && response.write(chunk, () => setImmediate(more)));
  more();
};
const stuck: Answer = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write('{');
};

test('a provider that is gone is 503 at the start, and the next try asks again', async () => {
  for (const _ of [1, 2]) expect(refusal(await start(stack, 'gone'))).toEqual(DOWN);
  expect((await stack.owner.query('select from oidc_logins')).rows).toEqual([]);
});

const faults: [string, Answer][] = [
  ['a 500', json({}, 500)],
  ['a 404', json({}, 404)],
  [
    'a redirect elsewhere',
    (_request, response) => response.writeHead(302, { location: `${origin}/p19${METADATA}` }).end(),
  ],
  ['a page instead of JSON', (_request, response) => response.setHeader('content-type', 'text/html').end('<html>')],
  ['no end of it', endless],
  ['half of it and silence', stuck],
  ['nothing at all', () => undefined],
  ['a cut connection', (request) => request.socket.destroy()],
  ['the metadata of another issuer', json(metadataOf('https://evil.example.test'))],
];
test.each(faults)('metadata that is %s is 503', async (_name, answer) => {
  behaviour.set(METADATA, answer);
  expect(refusal(await start(stack, next()))).toEqual(DOWN);
  behaviour.clear();
});

test('metadata without an address to send browsers to is 503', async () => {
  const name = next();
  const { authorization_endpoint: _left, ...rest } = metadataOf(`${origin}/${name}`);
  behaviour.set(METADATA, json(rest));
  expect(refusal(await start(stack, name))).toEqual(DOWN);
  behaviour.clear();
});

const tokenFaults: [string, Answer][] = [
  ['a 500', json({}, 500)],
  ['no end of it', endless],
  ['half of it and silence', stuck],
  ['a cut connection', (request) => request.socket.destroy()],
  ['not JSON', (_request, response) => response.setHeader('content-type', 'text/html').end('<html>')],
  ['a refusal of the shop itself', json({ error: 'invalid_client' }, 400)],
];
test.each(tokenFaults)('a token reply that is %s is 503, and the sign-in is spent', async (_name, answer) => {
  const name = next();
  const { body } = await start(stack, name);
  behaviour.set('/token', answer);
  const back = () =>
    call(stack, 'GET', `/auth/oidc/${name}/callback?state=${body.state}&code=abc`, undefined, {
      headers: { 'x-login-verifier': body.login_verifier },
    });
  expect(refusal(await back())).toEqual(DOWN);
  behaviour.clear();
  expect((await back()).status).toBe(401);
});

test('after all of this a start is still answered', async () => {
  const { status, body } = await start(stack, next());
  expect(status).toBe(200);
  expect(new URL(body.authorization_url).searchParams.get('redirect_uri')).toBe(REDIRECT_URI);
});
