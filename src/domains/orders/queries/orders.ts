import { jsonTime, nothing, sql, type Sql } from '../../../platform/db/sql.ts';
import { shipmentsOf } from '../../fulfillment/index.ts';
import type { TransactionRow } from '../../payments/index.ts';
import type { Order } from '../schema.ts';

type Frozen = Omit<Order, 'payment_status' | 'payments' | 'guest_token'>;

/** An order as it was frozen, with what has become of it and the ledger of each payment. */
export interface OrderRow extends Frozen {
  cart_id: string;
  customer_id: string | null;
  canceled_at: string | null;
  cancel_reason: string | null;
  lease_live: boolean;
  payments: (Pick<Order['payments'][number], 'id' | 'provider' | 'amount' | 'next_action'> & {
    /** Of the amount, what is not to be taken any more. */
    waived_amount: number;
    ledger: (TransactionRow & { reason: string | null })[];
  })[];
}

const items = sql`
  (select jsonb_agg(jsonb_build_object(
    'id', i.id, 'sku_id', i.sku_id, 'sku_code', i.sku_code, 'title', i.title, 'quantity', i.quantity,
    'unit_price', i.unit_price, 'subtotal', i.subtotal, 'discount_total', i.discount_total,
    'tax_total', i.tax_total, 'total', i.total, 'fulfilled_quantity', i.fulfilled_quantity,
    'canceled_quantity', i.canceled_quantity, 'backorder', i.backorder, 'expected_at', ${jsonTime(sql`i.expected_at`)}
    ) order by i.position)
   from order_items i where i.order_id = o.id)`;

const payments = sql`
  (select jsonb_agg(jsonb_build_object(
    'id', p.id, 'provider', p.provider, 'amount', p.amount, 'waived_amount', p.waived_amount,
    'next_action', p.next_action,
    'ledger', (
      select jsonb_agg(jsonb_build_object('kind', t.kind, 'outcome', t.outcome, 'amount', t.amount, 'reason', t.reason,
        'request_id', t.request_id, 'provider_reference', t.provider_reference, 'event_reference', t.event_reference)
        order by t.created_at, t.id)
      from payment_transactions t where t.payment_id = p.id)
   ) order by p.id)
   from payments p where p.order_id = o.id)`;

/** What staff wrote for the buyer to read. */
const notes = sql`coalesce((
  select jsonb_agg(jsonb_build_object('id', n.id, 'body', n.body, 'created_at', ${jsonTime(sql`n.created_at`)})
    order by n.id)
  from order_notes n where n.order_id = o.id and n.visible_to_customer), '[]'::jsonb)`;

/** Orders by a condition on `o`. */
export function orders(where: Sql, tail: Sql): Sql<OrderRow> {
  return sql<OrderRow>`
    select o.id, o.number, o.version, o.status, o.fulfillment_status, o.currency, o.tax_inclusive, o.email,
      o.shipping_address, o.billing_address, o.shipping_option_name, o.discount_codes, o.promotions, o.note,
      o.subtotal, o.discount_total, o.shipping_total, o.shipping_tax_total, o.tax_total, o.gift_card_total, o.total,
      o.created_at, o.placed_at, o.cart_id, o.customer_id, o.lease_until > now() as lease_live,
      o.canceled_at, o.cancel_reason, ${items} as items, ${payments} as payments, ${notes} as notes,
      ${shipmentsOf(sql`o.id`)} as shipments
    from orders o where ${where} ${tail}`;
}

/** Whose it is has to be asked by the caller. */
export function orderById(id: string): Sql<OrderRow> {
  return orders(sql`o.id = ${id}::uuid`, nothing);
}

/** Newest first; limit + 1 rows. Attempts whose payment failed are not orders to their buyer. */
export function ordersOfCustomer(customerId: string, limit: number, before: string | null): Sql<OrderRow> {
  const keyset = before === null ? nothing : sql`and o.id < ${before}::uuid`;
  return orders(
    sql`o.customer_id = ${customerId}::uuid and o.status <> 'failed' ${keyset}`,
    sql`order by o.id desc limit ${limit + 1}::int`,
  );
}
