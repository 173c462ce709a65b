import { Hono } from 'hono';
import * as z from 'zod';
import { once } from '../../../platform/http/idempotency.ts';
import { operation, type Operation } from '../../../platform/http/operation.ts';
import { reply } from '../../../platform/http/reply.ts';
import { uuid } from '../../../platform/http/schema.ts';
import { versionedEtag } from '../../../platform/http/etag.ts';
import { body, params, query } from '../../../platform/http/validate.ts';
import type { AppContext, AppEnv } from '../../../platform/http/context.ts';
import { addNote, getAdminOrder, getNote, getTimeline, listAdminOrders } from '../admin.ts';
import {
  AdminOrderDetail,
  AdminOrderList,
  AdminOrderQuery,
  CancelInput,
  NewNote,
  OrderNote,
  OrderTimeline,
  TimelineQuery,
} from '../admin-schema.ts';
import { cancelOrder, settleCancellation } from '../cancel.ts';
import { askedBy } from '../asked.ts';
import { members } from '../members.ts';

const Path = z.object({ id: uuid });
const reading = { tag: 'Orders', auth: 'staff', permission: 'orders:read' } as const satisfies Partial<Operation>;
const writing = { ...reading, permission: 'orders:write' } as const satisfies Partial<Operation>;

async function show(c: AppContext, id: string) {
  const order = await getAdminOrder(c.get('deps'), id);
  c.get('record').orderId = order.id;
  await versionedEtag(c, order.version, order);
  return reply(c, AdminOrderDetail, order);
}

async function showNote(c: AppContext, orderId: string, id: string) {
  return reply(c, OrderNote, await getNote(c.get('deps'), orderId, id), 201);
}

export const adminOrderRoutes = new Hono<AppEnv>()
  .get(
    '/admin/orders',
    operation({ ...reading, summary: 'Orders, newest first', replies: { 200: AdminOrderList } }),
    query(AdminOrderQuery),
    async (c) => reply(c, AdminOrderList, await listAdminOrders(c.get('deps'), c.req.valid('query'))),
  )
  .get(
    '/admin/orders/:id',
    operation({
      ...reading,
      summary: 'One order with its fulfillments, refunds and notes',
      replies: { 200: AdminOrderDetail },
    }),
    params(Path),
    (c) => show(c, c.req.valid('param').id),
  )
  .get(
    '/admin/orders/:id/timeline',
    operation({ ...reading, summary: 'What happened to an order, oldest first', replies: { 200: OrderTimeline } }),
    params(Path),
    query(TimelineQuery),
    async (c) =>
      reply(c, OrderTimeline, await getTimeline(c.get('deps'), c.req.valid('param').id, c.req.valid('query'))),
  )
  .post(
    '/admin/orders/:id/notes',
    operation({ ...writing, summary: 'Write a note to an order', replies: { 201: OrderNote } }),
    params(Path),
    body(NewNote),
    (c) => {
      const [{ id }, note] = [c.req.valid('param'), c.req.valid('json')];
      return once(
        c,
        async (claim) => showNote(c, id, await addNote(c.get('deps'), id, askedBy(c, claim), note)),
        (made) => showNote(c, id, made),
      );
    },
  )
  .post(
    '/admin/orders/:id/cancel',
    operation({
      ...writing,
      summary:
        'Cancel an order or some of its units: stock is released and money goes back (refunds:write where it was taken, inventory:write without restock)',
      replies: { 200: AdminOrderDetail },
      errors: ['illegal_transition', 'conflict', 'insufficient_stock', 'idempotency_in_flight'],
      members,
    }),
    params(Path),
    body(CancelInput),
    (c) => {
      const [{ id }, input] = [c.req.valid('param'), c.req.valid('json')];
      return once(
        c,
        async (claim) => {
          await cancelOrder(c.get('deps'), id, askedBy(c, claim), { ...input, byBuyer: false });
          return await show(c, id);
        },
        async (made) => {
          await settleCancellation(c.get('deps'), made);
          return await show(c, id);
        },
      );
    },
  );
