import { Hono } from 'hono';
import * as z from 'zod';
import { changeOnce } from '../../platform/http/change.ts';
import { versionedEtag } from '../../platform/http/etag.ts';
import { operation, type Operation } from '../../platform/http/operation.ts';
import { reply } from '../../platform/http/reply.ts';
import { uuid } from '../../platform/http/schema.ts';
import { body, params, query } from '../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../platform/http/context.ts';
import { getCustomer, listCustomers, settledCustomer, updateCustomerBy } from './admin.ts';
import { AdminCustomer, AdminCustomerList, AdminCustomerPatch, AdminCustomerQuery } from './admin-schema.ts';

const Path = z.object({ id: uuid });
const reading = {
  tag: 'Customers',
  auth: 'staff',
  permission: 'customers:read',
} as const satisfies Partial<Operation>;
const writing = { ...reading, permission: 'customers:write' } as const satisfies Partial<Operation>;

async function show(c: AppContext, customer: AdminCustomer) {
  await versionedEtag(c, customer.version, customer);
  return reply(c, AdminCustomer, customer);
}

export const customerAdminRoutes = new Hono<AppEnv>()
  .get(
    '/admin/customers',
    operation({ ...reading, summary: 'Customers, newest first', replies: { 200: AdminCustomerList } }),
    query(AdminCustomerQuery),
    async (c) => reply(c, AdminCustomerList, await listCustomers(c.get('deps'), c.req.valid('query'))),
  )
  .get(
    '/admin/customers/:id',
    operation({ ...reading, summary: 'One customer', replies: { 200: AdminCustomer } }),
    params(Path),
    async (c) => show(c, await getCustomer(c.get('deps'), c.req.valid('param').id)),
  )
  .patch(
    '/admin/customers/:id',
    operation({ ...writing, summary: 'Set names, phone or status', replies: { 200: AdminCustomer } }),
    params(Path),
    body(AdminCustomerPatch),
    (c) => {
      const deps = c.get('deps');
      return changeOnce(
        c,
        c.req.valid('param').id,
        async (on) => show(c, await updateCustomerBy(deps, c.get('actor'), on, c.req.valid('json'))),
        async (id) => show(c, await settledCustomer(deps, id)),
      );
    },
  );
