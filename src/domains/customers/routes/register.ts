import { Hono } from 'hono';
import { body } from '../../../platform/http/validate.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { register } from '../register.ts';
import { Registration, SignedIn } from '../schema.ts';

export const registerRoutes = new Hono<AppEnv>().post(
  '/auth/register',
  operation({
    summary: 'Open a customer account and sign in',
    tag: 'Identity',
    auth: 'none',
    credentials: 'in_body',
    limit: 'register',
    replies: { 201: SignedIn },
    errors: ['email_taken', 'overloaded'],
    idempotencyKey: 'ignored',
  }),
  body(Registration),
  async (c) => reply(c, SignedIn, await register(c.get('deps'), c.req.valid('json')), 201),
);
