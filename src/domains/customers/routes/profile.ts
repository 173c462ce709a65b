import { Hono } from 'hono';
import { AppError } from '../../../platform/errors.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { requireCustomer } from '../../../platform/http/middleware.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { customerById } from '../queries/customers.ts';
import { Customer } from '../schema.ts';

export const profileRoutes = new Hono<AppEnv>().get(
  '/customers/me',
  operation({ summary: 'Your own profile', tag: 'Customers', auth: 'customer', replies: { 200: Customer } }),
  async (c) => {
    const [[row]] = await c.get('deps').db.read(customerById(requireCustomer(c)));
    if (!row) throw new AppError('unauthenticated', 'The account is closed.', { param: 'Authorization' });
    return reply(c, Customer, row);
  },
);
