import { Hono } from 'hono';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { requireCustomer } from '../../../platform/http/middleware.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { CustomerExport } from './schema.ts';
import { eraseCustomer, exportOwn } from './service.ts';

const tag = 'Customers';

export const privacyRoutes = new Hono<AppEnv>()
  .get(
    '/customers/me/export',
    operation({
      summary: 'Everything that is held about you',
      tag,
      auth: 'customer',
      replies: { 200: CustomerExport },
      errors: ['not_found'],
    }),
    async (c) => {
      const held = await exportOwn(c.get('deps'), requireCustomer(c));
      c.header('Cache-Control', 'private, no-store');
      return reply(c, CustomerExport, held);
    },
  )
  .delete(
    '/customers/me',
    operation({
      summary: 'Be forgotten: your orders stay without you, all else goes',
      tag,
      auth: 'customer',
      replies: { 204: null },
      errors: ['not_found', 'conflict'],
      idempotencyKey: 'ignored',
    }),
    async (c) => {
      const { requestId } = c.get('record');
      const options = { actor: c.get('actor'), requestId, versions: null, claim: null };
      await eraseCustomer(c.get('deps'), requireCustomer(c), options);
      return c.body(null, 204);
    },
  );
