import { generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider, type Configuration, type KoaContextWithOIDC } from 'oidc-provider';

export interface Claims {
  email?: string;
  email_verified?: unknown;
  given_name?: string;
  family_name?: string;
}

export type TokenReply = Record<string, unknown> & { id_token: string };

/** A real OpenID provider on loopback. */
export interface OidcServer {
  issuer: string;
  client: { client_id: string; client_secret: string };
  /** Who can sign in, by subject. */
  people: Map<string, Claims>;
  /** Who is at the browser: signs in without being asked. Null: declines. */
  present: string | null;
  /** Paths that were asked for by the Worker and by browsers, in their order. */
  requests: string[];
  /** Bodies of token requests. */
  tokenRequests: Record<string, unknown>[];
  /** Stands between the token endpoint and the Worker. */
  tamper: ((reply: TokenReply) => unknown) | null;
  /** An ID token with other claims or another header, signed with the provider's own key unless `alg` is none. */
  resign(idToken: string, claims: Record<string, unknown>, header?: Record<string, unknown>): string;
  close(): Promise<void>;
}

export interface OidcServerOptions {
  redirectUri: string;
  /** As OpenID Connect Core 1.0, 5.4 has it: with a code, the e-mail is at the userinfo endpoint only. */
  claimsAtUserinfoOnly: boolean;
}

const KID = 'test-key';

export async function startOidcServer(options: OidcServerOptions): Promise<OidcServer> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const client = { client_id: 'the-shop', client_secret: 'secret-of-the-shop-at-the-provider' };
  const state: OidcServer = {
    issuer,
    client,
    people: new Map(),
    present: null,
    requests: [],
    tokenRequests: [],
    tamper: null,
    resign: (idToken, claims, header) => resigned(privateKey, idToken, claims, header),
    close: () => closed(server),
  };
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid: KID, use: 'sig', alg: 'RS256' };
  const provider = new Provider(issuer, configuration(state, options, jwk));
  provider.use(tampering(state));
  const answer = provider.callback();
  server.on('request', (request, response) => {
    state.requests.push(new URL(request.url ?? '/', issuer).pathname);
    if (!request.url?.startsWith('/interaction/')) return void answer(request, response);
    const result =
      state.present === null ? { error: 'access_denied' } : { login: { accountId: state.present, remember: false } };
    void provider.interactionFinished(request, response, result);
  });
  return state;
}

function configuration(state: OidcServer, options: OidcServerOptions, jwk: JsonWebKey): Configuration {
  return {
    clients: [{ ...state.client, redirect_uris: [options.redirectUri] }],
    jwks: { keys: [jwk] },
    cookies: { keys: ['cookies of the test'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['given_name', 'family_name'] },
    conformIdTokenClaims: options.claimsAtUserinfoOnly,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...state.people.get(sub) }) }),
    loadExistingGrant: async (ctx) => {
      const { client, session, provider } = ctx.oidc;
      if (!client || !session?.accountId) return undefined;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  };
}

function tampering(state: OidcServer) {
  return async (ctx: KoaContextWithOIDC, next: () => Promise<void>): Promise<void> => {
    await next();
    if (ctx.path !== '/token') return;
    state.tokenRequests.push({ ...ctx.oidc?.params });
    if (ctx.status === 200 && state.tamper) ctx.body = state.tamper(ctx.body as TokenReply);
  };
}

function resigned(key: KeyObject, idToken: string, claims: Record<string, unknown>, header = {}): string {
  const [oldHeader = '', oldClaims = ''] = idToken.split('.');
  const part = (old: string, changes: object) =>
    Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(old, 'base64url').toString()), ...changes })).toString(
      'base64url',
    );
  const signed = `${part(oldHeader, header)}.${part(oldClaims, claims)}`;
  if ('alg' in header && header.alg === 'none') return `${signed}.`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

const HOPS_MAX = 10;

/** A browser of its own with its own cookies: follows the redirects until the shop's page, and answers its query. */
export async function browse(authorizationUrl: string, redirectUri: string): Promise<Record<string, string>> {
  const cookies = new Map<string, string>();
  let url = authorizationUrl;
  for (let hop = 0; hop < HOPS_MAX; hop += 1) {
    if (url.startsWith(redirectUri)) return Object.fromEntries(new URL(url).searchParams);
    const headers = { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    const response = await fetch(url, { redirect: 'manual', headers });
    const location = response.headers.get('location');
    if (location === null) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    url = new URL(location, url).href;
  }
  throw new Error('too many redirects');
}
