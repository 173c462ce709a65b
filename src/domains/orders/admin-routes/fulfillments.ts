import { Hono } from 'hono';
import * as z from 'zod';
import { once } from '../../../platform/http/idempotency.ts';
import { operation, type Operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { uuid } from '../../../platform/http/schema.ts';
import { requireIfMatch, versionedEtag } from '../../../platform/http/etag.ts';
import { body, params } from '../../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import { Fulfillment, FulfillmentPatch, NewFulfillment } from '../../fulfillment/index.ts';
import { getFulfillment } from '../admin.ts';
import { changeFulfillment, createFulfillment } from '../fulfill.ts';
import { askedBy } from '../asked.ts';
import { members } from '../members.ts';

const OrderPath = z.object({ id: uuid });
const Path = z.object({ id: uuid, fulfillment_id: uuid });
const reading = { tag: 'Orders', auth: 'staff', permission: 'orders:read' } as const satisfies Partial<Operation>;
const writing = { ...reading, permission: 'fulfillments:write' } as const satisfies Partial<Operation>;

async function show(c: AppContext, orderId: string, id: string, status: 200 | 201 = 200) {
  const fulfillment = await getFulfillment(c.get('deps'), orderId, id);
  await versionedEtag(c, fulfillment.version, fulfillment);
  return reply(c, Fulfillment, fulfillment, status);
}

export const fulfillmentRoutes = new Hono<AppEnv>()
  .post(
    '/admin/orders/:id/fulfillments',
    operation({
      ...writing,
      summary: 'Prepare units of an order to leave, or send them at once',
      replies: { 201: Fulfillment },
      errors: ['illegal_transition', 'conflict', 'insufficient_stock'],
      members,
    }),
    params(OrderPath),
    body(NewFulfillment),
    (c) => {
      const [{ id }, input] = [c.req.valid('param'), c.req.valid('json')];
      return once(
        c,
        async (claim) => show(c, id, await createFulfillment(c.get('deps'), id, askedBy(c, claim), input), 201),
        (made) => show(c, id, made, 201),
      );
    },
  )
  .get(
    '/admin/orders/:id/fulfillments/:fulfillment_id',
    operation({ ...reading, summary: 'One fulfillment', replies: { 200: Fulfillment } }),
    params(Path),
    (c) => show(c, c.req.valid('param').id, c.req.valid('param').fulfillment_id),
  )
  .patch(
    '/admin/orders/:id/fulfillments/:fulfillment_id',
    operation({
      ...writing,
      summary: 'Move a fulfillment on, or name its parcels',
      replies: { 200: Fulfillment },
      errors: ['illegal_transition', 'conflict', 'insufficient_stock'],
      members,
    }),
    params(Path),
    body(FulfillmentPatch),
    (c) => {
      const { id, fulfillment_id: fulfillmentId } = c.req.valid('param');
      const change = { ...c.req.valid('json'), fulfillmentId, versions: requireIfMatch(c) };
      return once(
        c,
        async (claim) => {
          await changeFulfillment(c.get('deps'), id, askedBy(c, claim), change);
          return await show(c, id, fulfillmentId);
        },
        () => show(c, id, fulfillmentId),
      );
    },
  );
