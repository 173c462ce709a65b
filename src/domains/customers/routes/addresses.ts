import { Hono } from 'hono';
import * as z from 'zod';
import { once, type Claim } from '../../../platform/http/idempotency.ts';
import { operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { requireCustomer } from '../../../platform/http/middleware.ts';
import { uuid } from '../../../platform/http/schema.ts';
import { body, params, query } from '../../../platform/http/validate.ts';
import type { AppEnv } from '../../../platform/http/context.ts';
import { AddressPatch, AddressQuery, CustomerAddress, CustomerAddressList, NewAddress } from '../schema.ts';
import { addAddress, deleteAddress, getAddress, listAddresses, updateAddress } from '../service.ts';

const tag = 'Customers';
const Path = z.object({ id: uuid });

export const addressRoutes = new Hono<AppEnv>()
  .get(
    '/customers/me/addresses',
    operation({
      summary: 'Your addresses, newest first',
      tag,
      auth: 'customer',
      replies: { 200: CustomerAddressList },
    }),
    query(AddressQuery),
    async (c) =>
      reply(c, CustomerAddressList, await listAddresses(c.get('deps'), requireCustomer(c), c.req.valid('query'))),
  )
  .post(
    '/customers/me/addresses',
    operation({ summary: 'Keep an address', tag, auth: 'customer', replies: { 201: CustomerAddress } }),
    body(NewAddress),
    (c) => {
      const [deps, customerId] = [c.get('deps'), requireCustomer(c)];
      const id = deps.ids.uuid();
      const run = async (claim: Claim | null) =>
        reply(c, CustomerAddress, await addAddress(deps, { id, customerId, claim }, c.req.valid('json')), 201);
      const current = async (made: string) => reply(c, CustomerAddress, await getAddress(deps, customerId, made), 201);
      return once(c, run, current);
    },
  )
  .patch(
    '/customers/me/addresses/:id',
    operation({ summary: 'Change an address', tag, auth: 'customer', replies: { 200: CustomerAddress } }),
    params(Path),
    body(AddressPatch),
    (c) => {
      const [deps, customerId, { id }] = [c.get('deps'), requireCustomer(c), c.req.valid('param')];
      const run = async (claim: Claim | null) =>
        reply(c, CustomerAddress, await updateAddress(deps, { id, customerId, claim }, c.req.valid('json')));
      return once(c, run, async () => reply(c, CustomerAddress, await getAddress(deps, customerId, id)));
    },
  )
  .delete(
    '/customers/me/addresses/:id',
    operation({ summary: 'Forget an address', tag, auth: 'customer', replies: { 204: null } }),
    params(Path),
    (c) => {
      const [deps, customerId, { id }] = [c.get('deps'), requireCustomer(c), c.req.valid('param')];
      const run = async (claim: Claim | null) => {
        await deleteAddress(deps, { id, customerId, claim });
        return c.body(null, 204);
      };
      return once(c, run, () => Promise.resolve(c.body(null, 204)));
    },
  );
