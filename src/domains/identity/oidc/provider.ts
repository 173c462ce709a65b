import * as oauth from 'oauth4webapi';
import type { Clock } from '../../../platform/clock.ts';
import type { Deps } from '../../../platform/deps.ts';
import { notFound } from '../../../platform/errors.ts';
import type { Config } from '../../../platform/config.ts';
import { providerFetch, unavailable } from './calls.ts';

/** Clocks of two machines may differ by this much; seconds. */
const TOLERANCE_S = 30;
const METADATA_TTL_MS = 10 * 60_000;

/** A provider as one request speaks with it. */
export interface Peer {
  server: oauth.AuthorizationServer;
  client: oauth.Client;
  authentication: oauth.ClientAuth;
  /** `openid` and what is configured, as the authorization request carries them. */
  scope: string;
  /** For every call: bounded, traced, and within one deadline. */
  calls: Calls;
}

type Calls = oauth.TokenEndpointRequestOptions & oauth.ValidateSignatureOptions;

interface Known {
  server: oauth.AuthorizationServer;
  /** Filled and aged by the library: five minutes, and at once when a key is not in it that is older than one. */
  keys: oauth.JWKSCacheInput;
  untilMs: number;
}

/** Per isolate, by issuer: as many entries as the configuration has. Never promises, which belong to one request. */
const known = new Map<string, Known>();

async function discovered(clock: Clock, issuer: string, calls: Calls): Promise<Known> {
  const cached = known.get(issuer);
  const nowMs = clock.now().getTime();
  if (cached && cached.untilMs > nowMs) return cached;
  try {
    const url = new URL(issuer);
    const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, calls));
    const found = { server, keys: {}, untilMs: nowMs + METADATA_TTL_MS };
    known.set(issuer, found);
    return found;
  } catch (error) {
    throw unavailable(error);
  }
}

/** The registered default is Basic (OpenID Connect Core 1.0, 9); a provider that knows it not says so. */
function authenticationOf(server: oauth.AuthorizationServer, secret: string | undefined): oauth.ClientAuth {
  if (secret === undefined) return oauth.None();
  const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  return methods.includes('client_secret_basic') ? oauth.ClientSecretBasic(secret) : oauth.ClientSecretPost(secret);
}

/** Throws not_found unless the name is configured. */
export function assertProvider({ OIDC_PROVIDERS }: Config, name: string): void {
  if (!OIDC_PROVIDERS.has(name)) throw notFound('identity provider', 'provider');
}

/** Its metadata, from the cache or its discovery URL. 404 when the name is not configured, 503 when it does not answer. */
export async function peerOf(deps: Deps, name: string): Promise<Peer> {
  const { OIDC_PROVIDERS, OIDC_TIMEOUT_MS } = deps.config;
  const provider = OIDC_PROVIDERS.get(name);
  if (!provider) throw notFound('identity provider', 'provider');
  const { issuer, client_id, client_secret, scopes } = provider;
  const bounds = {
    signal: AbortSignal.timeout(OIDC_TIMEOUT_MS),
    [oauth.customFetch]: providerFetch(deps),
    // The configuration refuses such an issuer in production.
    [oauth.allowInsecureRequests]: /^http:/i.test(issuer),
  };
  const { server, keys } = await discovered(deps.clock, issuer, bounds);
  return {
    // A copy: the library keeps requests under way by this object, and those are of one request only.
    server: { ...server },
    client: { client_id, [oauth.clockTolerance]: TOLERANCE_S },
    authentication: authenticationOf(server, client_secret),
    scope: [...new Set(['openid', ...scopes])].join(' '),
    calls: { ...bounds, [oauth.jwksCache]: keys },
  };
}
