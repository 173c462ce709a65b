import { Hono } from 'hono';
import { AppError } from '../../platform/errors.ts';
import { body } from '../../platform/http/validate.ts';
import { operation } from '../../platform/http/operation.ts';
import { reply } from '../../platform/http/reply.ts';
import { requireCustomer } from '../../platform/http/middleware.ts';
import type { AppEnv } from '../../platform/http/context.ts';
import { Credentials } from '../identity/index.ts';
import { customerById } from './queries.ts';
import { login, register } from './service.ts';
import { Customer, Registration, SignedIn } from './schema.ts';

export const customerRoutes = new Hono<AppEnv>()
  .post(
    '/auth/register',
    operation({
      summary: 'Open a customer account and sign in',
      tag: 'Identity',
      auth: 'none',
      replies: { 201: SignedIn },
      errors: ['email_taken', 'overloaded'],
      idempotencyKey: 'ignored',
    }),
    body(Registration),
    async (c) => reply(c, SignedIn, await register(c.get('deps'), c.req.valid('json')), 201),
  )
  .post(
    '/auth/login',
    operation({
      summary: 'Sign in with e-mail and password',
      tag: 'Identity',
      auth: 'none',
      replies: { 200: SignedIn },
      errors: ['invalid_credentials', 'overloaded'],
      idempotencyKey: 'ignored',
    }),
    body(Credentials),
    async (c) => reply(c, SignedIn, await login(c.get('deps'), c.req.valid('json'))),
  )
  .get(
    '/customers/me',
    operation({ summary: 'Your own profile', tag: 'Customers', auth: 'customer', replies: { 200: Customer } }),
    async (c) => {
      const [[row]] = await c.get('deps').db.read(customerById(requireCustomer(c)));
      if (!row) throw new AppError('unauthenticated', 'The account is closed.', { param: 'Authorization' });
      return reply(c, Customer, row);
    },
  );
