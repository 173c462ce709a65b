import { Hono } from 'hono';
import { body } from '../../../platform/http/validate.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { Credentials } from '../../identity/index.ts';
import { login } from '../login.ts';
import { SignedIn } from '../schema.ts';

export const loginRoutes = new Hono<AppEnv>().post(
  '/auth/login',
  operation({
    summary: 'Sign in with e-mail and password',
    tag: 'Identity',
    auth: 'none',
    credentials: 'in_body',
    limit: 'login',
    replies: { 200: SignedIn },
    errors: ['invalid_credentials', 'overloaded'],
    idempotencyKey: 'ignored',
  }),
  body(Credentials),
  async (c) => reply(c, SignedIn, await login(c.get('deps'), c.req.valid('json'))),
);
