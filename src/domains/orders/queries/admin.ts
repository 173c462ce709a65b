import { jsonTime, nothing, sql, type Sql } from '../../../platform/db/sql.ts';
import { fulfillmentsOf } from '../../fulfillment/index.ts';
import { hasFailedSince } from '../../payments/index.ts';
import type { AdminOrderDetail, AdminOrderQuery, ChangeDetails, OrderNote, Refund } from '../admin-schema.ts';
import { orderById, orders, type OrderRow } from './orders.ts';

/** Newest first; one row more than the page. */
export function adminOrderPage(query: AdminOrderQuery, beforeId: string | null): Sql<OrderRow> {
  const { status, fulfillment_status, customer_id, number, email, placed_after, placed_before, limit } = query;
  return orders(
    sql`true
      ${status === undefined ? nothing : sql`and o.status = ${status}`}
      ${fulfillment_status === undefined ? nothing : sql`and o.fulfillment_status = ${fulfillment_status}`}
      ${customer_id === undefined ? nothing : sql`and o.customer_id = ${customer_id}::uuid`}
      ${number === undefined ? nothing : sql`and o.number = ${number}`}
      ${email === undefined ? nothing : sql`and lower(o.email) = ${email}`}
      ${placed_after === undefined ? nothing : sql`and o.placed_at >= ${placed_after}::timestamptz`}
      ${placed_before === undefined ? nothing : sql`and o.placed_at < ${placed_before}::timestamptz`}
      ${beforeId === null ? nothing : sql`and o.id < ${beforeId}::uuid`}`,
    sql`order by o.id desc limit ${limit + 1}::int`,
  );
}

const refund = sql`
  jsonb_build_object('id', r.id, 'order_id', r.order_id, 'payment_id', r.payment_id, 'request_id', r.request_id,
    'status', case when ${hasFailedSince('result')} then 'failed'
      when result.outcome = 'success' then 'succeeded' when result.outcome = 'failure' then 'failed' else 'pending' end,
    'amount', r.amount, 'shipping_amount', r.shipping_amount, 'items', coalesce((
      select jsonb_agg(jsonb_build_object('item_id', l.order_item_id, 'quantity', l.quantity, 'amount', l.amount)
        order by l.order_item_id)
      from refund_items l where l.refund_id = r.id), '[]'::jsonb),
    'reason', r.reason, 'failure_reason', case when result.outcome = 'failure' then result.reason
      when ${hasFailedSince('result')} then 'refund_failed' end,
    'created_at', ${jsonTime(sql`r.created_at`)})`;

const refunds = sql`
  refunds r left join payment_transactions result
    on result.request_id = r.request_id and result.outcome in ('success', 'failure')`;

export function refundById(orderId: string, id: string): Sql<{ refund: Refund }> {
  return sql<{ refund: Refund }>`
    select ${refund} as refund from ${refunds} where r.id = ${id}::uuid and r.order_id = ${orderId}::uuid`;
}

const note = sql`
  jsonb_build_object('id', n.id, 'author_id', n.author_id, 'body', n.body, 'visible_to_customer', n.visible_to_customer,
    'created_at', ${jsonTime(sql`n.created_at`)})`;

export function noteById(orderId: string, id: string): Sql<{ note: OrderNote }> {
  return sql<{ note: OrderNote }>`
    select ${note} as note from order_notes n where n.id = ${id}::uuid and n.order_id = ${orderId}::uuid`;
}

/** What hangs from an order, for staff. */
export type AttachedRow = Pick<AdminOrderDetail, 'fulfillments' | 'refunds' | 'notes'>;

function attached(id: string): Sql<AttachedRow> {
  return sql<AttachedRow>`
    select ${fulfillmentsOf(sql`o.id`)} as fulfillments,
      coalesce((select jsonb_agg(${refund} order by r.id) from ${refunds} where r.order_id = o.id), '[]'::jsonb) as refunds,
      coalesce((select jsonb_agg(${note} order by n.id) from order_notes n where n.order_id = o.id), '[]'::jsonb) as notes
    from orders o where o.id = ${id}::uuid`;
}

/** Both of one snapshot. */
export function adminOrder(id: string): readonly [Sql<OrderRow>, Sql<AttachedRow>] {
  return [orderById(id), attached(id)];
}

export interface TimelineRow {
  id: string;
  type: string;
  actor_kind: 'guest' | 'customer' | 'staff' | 'key' | 'system';
  actor_id: string | null;
  details: ChangeDetails;
  created_at: string;
}

/** As the ledger names who asked: `staff:<id>`; what came from the provider or the tick was asked for by nobody. */
const asker = sql`regexp_match(t.actor, '^(customer|staff|key):([0-9a-f-]{36})$')`;

/**
 * Oldest first, after the entry with this id; one row more than the page. Ids are made in the order of what they name, so
 * changes and the ledgers of the payments are read in one order.
 */
export function timelinePage(orderId: string, afterId: string | null, limit: number): Sql<TimelineRow> {
  return sql<TimelineRow>`
    select id, type, actor_kind, actor_id, details, created_at from (
      select o.id, 'order.placed' as type, case when o.customer_id is null then 'guest' else 'customer' end as actor_kind,
        o.customer_id as actor_id, jsonb_build_object('number', o.number, 'total', o.total) as details, o.created_at
      from orders o where o.id = ${orderId}::uuid
      union all
      select c.id, c.type, c.actor_kind, c.actor_id, c.details, c.created_at
      from order_changes c where c.order_id = ${orderId}::uuid
      union all
      select t.id, 'payment.' || t.kind || '_' || t.outcome,
        coalesce((${asker})[1], case when t.actor = 'guest' then 'guest' else 'system' end), (${asker})[2]::uuid,
        jsonb_strip_nulls(jsonb_build_object('payment_id', t.payment_id, 'amount', t.amount, 'reason', t.reason,
          'request_id', t.request_id)), t.created_at
      from payment_transactions t join payments p on p.id = t.payment_id where p.order_id = ${orderId}::uuid
    ) entries
    where ${afterId}::uuid is null or id > ${afterId}::uuid
    order by id limit ${limit + 1}::int`;
}
