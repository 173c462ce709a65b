import { Hono } from 'hono';
import * as z from 'zod';
import { changeOnce, type Change } from '../../../platform/http/change.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { uuid } from '../../../platform/http/schema.ts';
import { params } from '../../../platform/http/validate.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { CustomerExport } from './schema.ts';
import { eraseCustomer, exportCustomer } from './service.ts';

const tag = 'Customers';
const Path = z.object({ id: uuid });

export const privacyAdminRoutes = new Hono<AppEnv>()
  .get(
    '/admin/customers/:id/export',
    operation({
      summary: 'Everything that is held about a customer',
      tag,
      auth: 'staff',
      permission: 'customers:read',
      replies: { 200: CustomerExport },
    }),
    params(Path),
    async (c) => {
      const asked = { actor: c.get('actor'), requestId: c.get('record').requestId };
      const held = await exportCustomer(c.get('deps'), c.req.valid('param').id, asked);
      c.header('Cache-Control', 'private, no-store');
      return reply(c, CustomerExport, held);
    },
  )
  .delete(
    '/admin/customers/:id',
    operation({
      summary: 'Forget a customer: the orders stay without the person, all else goes',
      tag,
      auth: 'staff',
      permission: 'customers:erase',
      replies: { 204: null },
      errors: ['conflict'],
    }),
    params(Path),
    (c) => {
      const run = async ({ id, versions, claim, requestId }: Change) => {
        await eraseCustomer(c.get('deps'), id, { actor: c.get('actor'), requestId, versions, claim });
        return c.body(null, 204);
      };
      return changeOnce(c, c.req.valid('param').id, run, () => Promise.resolve(c.body(null, 204)));
    },
  );
