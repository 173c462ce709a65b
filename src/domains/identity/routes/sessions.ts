import { Hono } from 'hono';
import { body } from '../../../platform/http/validate.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { logout, refresh } from '../service.ts';
import { TokenRequest, Tokens } from '../schema.ts';

export const sessionRoutes = new Hono<AppEnv>()
  .post(
    '/auth/refresh',
    operation({
      summary: 'Trade a refresh token for new tokens',
      tag: 'Identity',
      auth: 'none',
      credentials: 'in_body',
      replies: { 200: Tokens },
      errors: ['unauthenticated'],
      idempotencyKey: 'ignored',
    }),
    body(TokenRequest),
    async (c) => reply(c, Tokens, await refresh(c.get('deps'), c.req.valid('json').refresh_token)),
  )
  .post(
    '/auth/logout',
    operation({
      summary: 'End the session of a refresh token',
      tag: 'Identity',
      auth: 'none',
      credentials: 'in_body',
      replies: { 204: null },
      errors: ['unauthenticated'],
      idempotencyKey: 'ignored',
    }),
    body(TokenRequest),
    async (c) => {
      await logout(c.get('deps'), c.req.valid('json').refresh_token);
      return c.body(null, 204);
    },
  );
