import * as oauth from 'oauth4webapi';
import type { Deps } from '../../../platform/deps.ts';
import { AppError } from '../../../platform/errors.ts';
import { digestOf } from '../../../platform/auth/credential.ts';
import { insertOidcLogin, takeOidcLogin, type OidcLoginRow } from '../queries/oidc.ts';
import { toRefusal } from './errors.ts';
import { refused, unavailable } from './calls.ts';
import { peerOf, type Peer } from './provider.ts';
import { profileOf, type OidcProfile } from './profile.ts';
import type { OidcAnswer, OidcStart } from './schema.ts';

const LOGIN_TTL_S = 600;

/** 256 random bits as base64url: within the 43 to 128 characters of RFC 7636, 4.1. */
function codeVerifier({ ids }: Deps): string {
  return ids.capability() + ids.capability();
}

/**
 * The address to send the browser to. Throws 422 unless `redirectUri` is listed, character by character; 503 when the
 * provider does not answer.
 *
 * `login_verifier` stays with whoever started. Without it an attacker could send a victim's browser to the shop's page
 * with an answer of the attacker's own sign-in, and the victim would shop, and leave an address, in the attacker's
 * account (RFC 9700, 4.7). It is a value and no cookie, since the API and the shop are of different sites, where a
 * browser keeps or sends no cookie of the API's.
 */
export async function startOidcLogin(deps: Deps, provider: string, redirectUri: string): Promise<OidcStart> {
  if (!deps.config.OIDC_REDIRECT_URIS.includes(redirectUri)) {
    throw new AppError('validation_failed', 'The address is not one of those that are listed for this shop.', {
      param: 'redirect_uri',
    });
  }
  const { server, client, scope } = await peerOf(deps, provider);
  const url = URL.parse(server.authorization_endpoint ?? '');
  if (!url || !/^https?:$/.test(url.protocol)) throw unavailable(new Error('no usable authorization_endpoint'));
  const [state, nonce, browser, verifier] = [
    deps.ids.capability(),
    deps.ids.capability(),
    deps.ids.capability(),
    codeVerifier(deps),
  ];
  const parameters = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: redirectUri,
    scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  await deps.db.write(
    insertOidcLogin({
      stateDigest: await digestOf(state),
      provider,
      nonce,
      code_verifier: verifier,
      redirect_uri: redirectUri,
      browser_digest: await digestOf(browser),
      ttlS: LOGIN_TTL_S,
    }),
  );
  return { authorization_url: url.href, state, login_verifier: browser, expires_in: LOGIN_TTL_S };
}

/** Digests are compared: how long it takes says nothing about the value itself. */
async function takeLogin(deps: Deps, provider: string, answer: OidcAnswer, verifier: string): Promise<OidcLoginRow> {
  const [[login]] = await deps.db.write(takeOidcLogin(await digestOf(answer.state)));
  if (!login?.is_current || login.provider !== provider) throw refused();
  if (login.browser_digest !== (await digestOf(verifier))) throw refused();
  return login;
}

/** Trades the code. The ID token's signature is checked as well, although it came over TLS from the provider itself. */
async function exchange(peer: Peer, login: OidcLoginRow, answer: OidcAnswer): Promise<OidcProfile> {
  const { server, client, authentication, calls } = peer;
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(answer)) if (value !== undefined) given.set(name, value);
  // Also the issuer in the answer, against mix-up with another provider (RFC 9207, 2.4).
  const answered = oauth.validateAuthResponse(server, client, given, answer.state);
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    authentication,
    answered,
    login.redirect_uri,
    login.code_verifier,
    calls,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: login.nonce,
    requireIdToken: true,
  });
  await oauth.validateApplicationLevelSignature(server, response, calls);
  return await profileOf(peer, login.provider, tokens);
}

/**
 * Who has signed in at the provider. The login is taken away before anything is asked outside, so an answer that comes
 * again finds nothing; no transaction is open meanwhile. 401 when anything does not hold, 503 when the provider is silent.
 */
export async function finishOidcLogin(
  deps: Deps,
  provider: string,
  answer: OidcAnswer,
  verifier: string,
): Promise<OidcProfile> {
  try {
    const login = await takeLogin(deps, provider, answer, verifier);
    return await exchange(await peerOf(deps, provider), login, answer);
  } catch (error) {
    const refusal = toRefusal(error);
    if (refusal instanceof AppError && refusal.code === 'unauthenticated') {
      deps.metrics.count('ecommerce_logins_total', ['failure']);
    }
    throw refusal;
  }
}
