import { sql, type Sql } from '../../../platform/db/sql.ts';
import { hasFailedSince } from '../../payments/index.ts';
import type { OrderState } from '../rules/state.ts';

/** A refund counts from when it is asked for, unless the provider refused it or it failed after all. */
const standingRefund = sql`
  not exists (select from payment_transactions t where t.request_id = r.request_id
    and (t.outcome = 'failure' or t.outcome = 'success' and ${hasFailedSince('t')}))`;

const items = sql`(
  select jsonb_agg(jsonb_build_object('id', i.id, 'sku_id', i.sku_id, 'quantity', i.quantity,
    'fulfilled_quantity', i.fulfilled_quantity, 'canceled_quantity', i.canceled_quantity,
    'waived_quantity', i.waived_quantity, 'waived_amount', i.waived_amount,
    'withheld_quantity', i.withheld_quantity, 'withheld_amount', i.withheld_amount, 'refunded_quantity', back.quantity,
    'refunded_amount', back.amount, 'total', i.total, 'components', i.components) order by i.position)
  from order_items i
  cross join lateral (
    select coalesce(sum(ri.quantity), 0) as quantity, coalesce(sum(ri.amount), 0) as amount
    from refund_items ri join refunds r on r.id = ri.refund_id
    where ri.order_item_id = i.id and ${standingRefund}
  ) back
  where i.order_id = o.id)`;

/** Units that were ready to be picked up had left the shelf once: such a pickup has what is left to a parcel on its way. */
const hasLeftToBePickedUp = sql`f.status = 'ready_for_pickup' and f.shipped_at is not null`;

const fulfillments = sql`coalesce((
  select jsonb_agg(jsonb_build_object('id', f.id, 'version', f.version,
    'method', case when ${hasLeftToBePickedUp} then 'shipment' else f.method end,
    'status', case when ${hasLeftToBePickedUp} then 'shipped' else f.status end,
    'location_id', f.location_id, 'items', (
      select jsonb_agg(jsonb_build_object('item_id', l.order_item_id, 'quantity', l.quantity))
      from fulfillment_items l where l.fulfillment_id = f.id)) order by f.id)
  from fulfillments f where f.order_id = o.id), '[]'::jsonb)`;

/** The balance is asked for one payment by its id, so that it is computed of that one alone. */
const payment = sql`(
  select jsonb_build_object('id', p.id, 'provider', p.provider, 'waived_amount', p.waived_amount)
    || (select to_jsonb(b) from payment_balances b where b.payment_id = p.id)
  from payments p where p.order_id = o.id order by p.id desc limit 1)`;

const ledgerSize = sql`(
  select count(*) from payment_transactions t join payments p on p.id = t.payment_id where p.order_id = o.id)`;

/** An order as its verbs see it; one snapshot. */
export function orderState(id: string): Sql<OrderState> {
  return sql<OrderState>`
    select o.id, o.number, o.version, o.status, o.fulfillment_status, o.customer_id, o.currency,
      o.shipping_total + case when o.tax_inclusive then 0 else o.shipping_tax_total end as shipping_amount,
      (select coalesce(sum(r.shipping_amount), 0)::bigint from refunds r
       where r.order_id = o.id and ${standingRefund}) as shipping_refunded,
      ${items} as items, ${fulfillments} as fulfillments, ${payment} as payment, ${ledgerSize} as ledger_size
    from orders o where o.id = ${id}::uuid`;
}

/**
 * Aborts with fence_lost unless the order is as it was read. From here to the end of the batch nobody else changes it or
 * the ledger of its payments, since a new row there needs the payment.
 */
export function requireUnchanged({ id, version, ledger_size }: OrderState): Sql[] {
  return [
    sql`select id from orders where id = ${id}::uuid for update`,
    sql`select id from payments where order_id = ${id}::uuid order by id for update`,
    sql`
      select require(o.version = ${version}::int and ${ledgerSize} = ${ledger_size}::bigint, 'fence_lost')
      from orders o where o.id = ${id}::uuid`,
  ];
}
