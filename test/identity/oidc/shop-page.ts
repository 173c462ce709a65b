import { randomUUID } from 'node:crypto';
import { call, type CallOptions, type Reply } from '../../support/shop.ts';
import type { Stack } from '../../support/stack.ts';
import { browse, type Claims, type OidcServer } from './provider.ts';

export const REDIRECT_URI = 'https://shop.example.test/signed-in';

/** Bindings of a Worker that knows these providers. */
export function oidcBindings(servers: Record<string, Pick<OidcServer, 'issuer' | 'client'>>): Record<string, string> {
  const entries = Object.entries(servers).map(([name, { issuer, client }]) => [name, { issuer, ...client }]);
  return { OIDC_PROVIDERS: JSON.stringify(Object.fromEntries(entries)), OIDC_REDIRECT_URIS: REDIRECT_URI };
}

/** A sign-in at the point where the browser is back at the shop. */
export interface Return {
  provider: string;
  answer: Record<string, string>;
  verifier: string;
}

export const newEmail = (): string => `${randomUUID()}@people.example.test`;

/** Somebody new at the provider, and at the browser. */
export function appear(server: OidcServer, claims: Claims, subject: string = randomUUID()): string {
  server.people.set(subject, claims);
  server.present = subject;
  return subject;
}

export function start(stack: Stack, provider: string, redirect_uri = REDIRECT_URI): Promise<Reply> {
  return call(stack, 'POST', `/auth/oidc/${provider}/start`, { redirect_uri });
}

/** What the shop's page does up to the callback. */
export async function comeBack(stack: Stack, provider: string): Promise<Return> {
  const { status, body, text } = await start(stack, provider);
  if (status !== 200) throw new Error(text);
  return {
    provider,
    answer: await browse(body.authorization_url, REDIRECT_URI),
    verifier: body.login_verifier,
  };
}

export function callback(
  stack: Stack,
  { provider, answer, verifier }: Return,
  { headers, ...options }: CallOptions = {},
): Promise<Reply> {
  const { state, code, error, iss } = answer;
  const query = new URLSearchParams(
    Object.entries({ state, code, error, iss }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );
  return call(stack, 'GET', `/auth/oidc/${provider}/callback?${query}`, undefined, {
    ...options,
    headers: { 'x-login-verifier': verifier, ...headers },
  });
}

/** Start, provider, callback. */
export async function signIn(stack: Stack, provider: string): Promise<Reply> {
  return await callback(stack, await comeBack(stack, provider));
}
