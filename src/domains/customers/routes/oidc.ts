import { Hono } from 'hono';
import * as z from 'zod';
import { AppError } from '../../../platform/errors.ts';
import { body, params, query } from '../../../platform/http/validate.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import { knownProvider, LoginVerifier, OidcAnswer, ProviderParam, TicketUse } from '../../identity/index.ts';
import { completeOidcSignIn, signInByOidc } from '../oidc.ts';
import { SignedIn } from '../schema.ts';

const VERIFIER = 'X-Login-Verifier';

/** Who began the sign-in has it; without it nothing is looked up, so an answer that was passed on stays unused. */
function loginVerifier(c: AppContext): string {
  const verifier = LoginVerifier.safeParse(c.req.header(VERIFIER));
  if (verifier.success) return verifier.data;
  throw new AppError('unauthenticated', 'Send the login_verifier of the sign-in that was started.', {
    param: VERIFIER,
  });
}

export const oidcRoutes = new Hono<AppEnv>()
  .get(
    '/auth/oidc/:provider/callback',
    operation({
      summary: 'Sign in with what the identity provider added to the address of your page',
      tag: 'Identity',
      auth: 'none',
      credentials: 'in_body',
      limit: 'login',
      replies: { 200: SignedIn },
      errors: ['unauthenticated', 'totp_required', 'account_not_linked'],
      headers: { [VERIFIER]: 'The login_verifier that the start of this sign-in answered.' },
      members: { login_ticket: z.string().optional() },
    }),
    params(ProviderParam),
    knownProvider,
    query(OidcAnswer),
    async (c) => {
      const { provider } = c.req.valid('param');
      const signedIn = await signInByOidc(c.get('deps'), provider, c.req.valid('query'), loginVerifier(c));
      c.header('Cache-Control', 'no-store');
      return reply(c, SignedIn, signedIn);
    },
  )
  .post(
    '/auth/oidc/:provider/complete',
    operation({
      summary: 'Show the second factor of an account that signs in at an identity provider',
      tag: 'Identity',
      auth: 'none',
      credentials: 'in_body',
      limit: 'login',
      replies: { 200: SignedIn },
      errors: ['unauthenticated', 'totp_required', 'login_locked'],
      idempotencyKey: 'ignored',
    }),
    params(ProviderParam),
    knownProvider,
    body(TicketUse),
    async (c) => {
      const signedIn = await completeOidcSignIn(c.get('deps'), c.req.valid('json'));
      c.header('Cache-Control', 'no-store');
      return reply(c, SignedIn, signedIn);
    },
  );
