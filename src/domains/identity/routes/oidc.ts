import { Hono } from 'hono';
import { createMiddleware } from 'hono/factory';
import { body, params } from '../../../platform/http/validate.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { startOidcLogin } from '../oidc/login.ts';
import { assertProvider } from '../oidc/provider.ts';
import { OidcStart, OidcStartRequest, ProviderParam } from '../oidc/schema.ts';

/** Before anything else of the request is looked at: what is not configured is not there. */
export const knownProvider = createMiddleware<AppEnv>(async (c, next) => {
  assertProvider(c.get('deps').config, c.req.param('provider') ?? '');
  await next();
});

export const oidcRoutes = new Hono<AppEnv>().post(
  '/auth/oidc/:provider/start',
  operation({
    summary: 'Begin to sign in at an identity provider: where to send the browser, and what to keep until it is back',
    tag: 'Identity',
    auth: 'none',
    credentials: 'in_body',
    limit: 'login',
    replies: { 200: OidcStart },
    idempotencyKey: 'ignored',
  }),
  params(ProviderParam),
  knownProvider,
  body(OidcStartRequest),
  async (c) => {
    const { provider } = c.req.valid('param');
    const started = await startOidcLogin(c.get('deps'), provider, c.req.valid('json').redirect_uri);
    c.header('Cache-Control', 'no-store');
    return reply(c, OidcStart, started);
  },
);
