import { Hono } from 'hono';
import * as z from 'zod';
import { operation } from '../../platform/http/operation.ts';
import { params, query } from '../../platform/http/validate.ts';
import { reply } from '../../platform/http/reply.ts';
import { requireCustomer } from '../../platform/http/middleware.ts';
import { uuid } from '../../platform/http/schema.ts';
import { versionedEtag } from '../../platform/http/etag.ts';
import type { AppContext, AppEnv } from '../../platform/http/context.ts';
import { getOrder, listOrders } from './service.ts';
import { Order, OrderList, OrderQuery } from './schema.ts';

const tag = 'Orders';

async function ownOrders(c: AppContext, page: z.output<typeof OrderQuery>) {
  return reply(c, OrderList, await listOrders(c.get('deps'), requireCustomer(c), page));
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
      headers: { 'X-Order-Token': 'The guest_token of an order that was placed without an account.' },
    }),
    params(z.object({ id: uuid })),
    async (c) => {
      const { id } = c.req.valid('param');
      const order = await getOrder(c.get('deps'), c.get('actor'), id, c.req.header('x-order-token'));
      c.get('record').orderId = order.id;
      await versionedEtag(c, order.version, order);
      return reply(c, Order, order);
    },
  );
