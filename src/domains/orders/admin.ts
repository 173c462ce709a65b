import * as z from 'zod';
import { decodeCursor, pageOf } from '../../platform/http/page.ts';
import type { Deps } from '../../platform/deps.ts';
import { notFound } from '../../platform/errors.ts';
import { fulfillmentById, type Fulfillment } from '../fulfillment/index.ts';
import type { AdminOrder, AdminOrderDetail, AdminOrderQuery, OrderNote } from './admin-schema.ts';
import { changeOrder, type Asked } from './change.ts';
import { adminOrder, adminOrderPage, noteById, timelinePage } from './queries/admin.ts';
import { orderById, type OrderRow } from './queries/orders.ts';
import { toOrder } from './rules/order.ts';
import { insertNote, touchOrder } from './statements/change.ts';

const Cursor = z.tuple([z.uuid()]);

function toAdminOrder(row: OrderRow): AdminOrder {
  const { notes: _notes, ...order } = toOrder(row);
  const { customer_id, canceled_at, cancel_reason } = row;
  return { ...order, customer_id, canceled_at, cancel_reason };
}

/** One round trip. */
export async function listAdminOrders(deps: Deps, query: AdminOrderQuery) {
  const before = decodeCursor(query.cursor, Cursor)?.[0] ?? null;
  const [rows] = await deps.db.read(adminOrderPage(query, before));
  return pageOf(rows, query.limit, { item: toAdminOrder, key: ({ id }) => [id] });
}

/** One round trip. */
export async function getAdminOrder(deps: Deps, id: string): Promise<AdminOrderDetail> {
  const [[row], [attached]] = await deps.db.read(...adminOrder(id));
  if (!row || !attached) throw notFound('order');
  return { ...toAdminOrder(row), ...attached };
}

/** One round trip; oldest first. */
export async function getTimeline(deps: Deps, id: string, page: { limit: number; cursor?: string | undefined }) {
  const after = decodeCursor(page.cursor, Cursor)?.[0] ?? null;
  const [[order], entries] = await deps.db.read(orderById(id), timelinePage(id, after, page.limit));
  if (!order) throw notFound('order');
  return pageOf(entries, page.limit, { item: (entry) => entry, key: (entry) => [entry.id] });
}

export async function getFulfillment(deps: Deps, orderId: string, id: string): Promise<Fulfillment> {
  const [[row]] = await deps.db.read(fulfillmentById(orderId, id));
  if (!row) throw notFound('fulfillment', 'fulfillment_id');
  return row.fulfillment;
}

export async function getNote(deps: Deps, orderId: string, id: string): Promise<OrderNote> {
  const [[row]] = await deps.db.read(noteById(orderId, id));
  if (!row) throw notFound('note');
  return row.note;
}

/** A note is not in the timeline, only that there is one: what it says may be about a person. Answers its id. */
export async function addNote(
  deps: Deps,
  orderId: string,
  asked: Asked,
  { body, visible_to_customer: visibleToCustomer }: { body: string; visible_to_customer: boolean },
): Promise<string> {
  const id = deps.ids.uuid();
  const authorId = asked.actor.kind === 'guest' ? null : asked.actor.accountId;
  await changeOrder(deps, orderId, asked, () => ({
    resourceId: id,
    action: 'order_notes.create',
    type: 'note.added',
    details: { note_id: id, visible_to_customer: visibleToCustomer },
    statements: [insertNote({ id, orderId, authorId, body, visibleToCustomer }), touchOrder(orderId)],
  }));
  return id;
}
