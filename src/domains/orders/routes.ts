import { Hono } from 'hono';
import * as z from 'zod';
import { operation } from '../../platform/http/operation.ts';
import { body, params, query } from '../../platform/http/validate.ts';
import { reply } from '../../platform/http/reply.ts';
import { requireCustomer } from '../../platform/http/middleware.ts';
import { uuid } from '../../platform/http/schema.ts';
import { versionedEtag } from '../../platform/http/etag.ts';
import type { AppContext, AppEnv } from '../../platform/http/context.ts';
import { ShipmentList } from '../fulfillment/index.ts';
import { once } from '../../platform/http/idempotency.ts';
import { askedBy } from './asked.ts';
import { members } from './members.ts';
import { settleCancellation } from './cancel.ts';
import { cancelOwnOrder, getOrder, listOrders, mailOrderAccess } from './service.ts';
import { CancelOrder, Order, OrderList, OrderLookup, OrderQuery } from './schema.ts';

const tag = 'Orders';
const Path = z.object({ id: uuid });
const headers = { 'X-Order-Token': 'The guest_token of an order that was placed without an account.' };

async function ownOrders(c: AppContext, page: z.output<typeof OrderQuery>) {
  return reply(c, OrderList, await listOrders(c.get('deps'), requireCustomer(c), page));
}

async function read(c: AppContext, id: string): Promise<Order> {
  const order = await getOrder(c.get('deps'), c.get('actor'), id, c.req.header('x-order-token'));
  c.get('record').orderId = order.id;
  return order;
}

async function show(c: AppContext, id: string) {
  const order = await read(c, id);
  await versionedEtag(c, order.version, order);
  return reply(c, Order, order);
}

export const orderRoutes = new Hono<AppEnv>()
  .get(
    '/orders',
    operation({ summary: 'Your orders, newest first', tag, auth: 'customer', replies: { 200: OrderList } }),
    query(OrderQuery),
    (c) => ownOrders(c, c.req.valid('query')),
  )
  .get(
    '/customers/me/orders',
    operation({ summary: 'Your orders, newest first', tag, auth: 'customer', replies: { 200: OrderList } }),
    query(OrderQuery),
    (c) => ownOrders(c, c.req.valid('query')),
  )
  .get(
    '/orders/:id',
    operation({
      summary: 'One order',
      tag,
      auth: 'optional',
      replies: { 200: Order },
      errors: ['not_found'],
      headers,
    }),
    params(Path),
    (c) => show(c, c.req.valid('param').id),
  )
  .get(
    '/orders/:id/shipments',
    operation({
      summary: 'What has been sent of an order, and what is about to be',
      tag,
      auth: 'optional',
      replies: { 200: ShipmentList },
      errors: ['not_found'],
      headers,
    }),
    params(Path),
    async (c) => {
      const { shipments } = await read(c, c.req.valid('param').id);
      return reply(c, ShipmentList, { data: shipments, has_more: false, next_cursor: null });
    },
  )
  .post(
    '/orders/lookup',
    operation({
      summary: "Have the way back to a guest's order mailed to its buyer; the answer is the same for unknown orders",
      tag,
      auth: 'none',
      credentials: 'in_body',
      limit: 'reset',
      replies: { 202: null },
      idempotencyKey: 'ignored',
    }),
    body(OrderLookup),
    (c) => {
      mailOrderAccess(c.get('deps'), c.req.valid('json'));
      return c.body(null, 202);
    },
  )
  .post(
    '/orders/:id/cancel',
    operation({
      summary: 'Call an order off, as long as nobody has begun to send it; the money goes back',
      tag,
      auth: 'optional',
      limit: 'order',
      replies: { 200: Order },
      errors: ['not_found', 'illegal_transition', 'conflict', 'idempotency_in_flight'],
      headers,
      members,
    }),
    params(Path),
    body(CancelOrder),
    (c) => {
      const { id } = c.req.valid('param');
      const token = c.req.header('x-order-token');
      return once(
        c,
        async (claim) => {
          await cancelOwnOrder(c.get('deps'), id, askedBy(c, claim), token);
          return await show(c, id);
        },
        async (made) => {
          await settleCancellation(c.get('deps'), made);
          return await show(c, id);
        },
      );
    },
  );
