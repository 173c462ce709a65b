import { sql, type Sql } from '../../platform/db/sql.ts';
import { ownedCart } from '../cart/index.ts';
import type { PaymentRow } from '../payments/index.ts';

export interface LiveOrder {
  id: string;
  status: 'pending' | 'confirmed' | 'completed' | 'canceled';
  lease_live: boolean;
  /** A guest's order is read with a token, a customer's by its owner. */
  is_guest: boolean;
  total: number;
  /** What it is being paid with. */
  payment: Pick<PaymentRow, 'provider' | 'capture' | 'token'> | null;
}

/** The order that a cart has, unless it failed; there is one at most. */
export function liveOrderOfCart(cartId: string, customerId: string | null): Sql<LiveOrder> {
  return sql<LiveOrder>`
    select o.id, o.status, o.lease_until > now() as lease_live, o.customer_id is null as is_guest, o.total,
      (select jsonb_build_object('provider', p.provider, 'capture', p.capture, 'token', p.token)
       from payments p where p.order_id = o.id) as payment
    from orders o join carts c on c.id = o.cart_id
    where o.cart_id = ${cartId} and o.status <> 'failed' and ${ownedCart(customerId)}`;
}

/** The order that waits for this payment; none once it is settled. */
export function waitingOrder(paymentId: string): Sql<{ id: string; lease_live: boolean }> {
  return sql<{ id: string; lease_live: boolean }>`
    select o.id, o.lease_until > now() as lease_live
    from payments p join orders o on o.id = p.order_id where p.id = ${paymentId}::uuid and o.status = 'pending'`;
}

/** That staff give it up, in the ledger and so in the timeline; what comes of it is the charge's result. */
export function noteGivingUp(row: { id: string; paymentId: string; isForced: boolean; actor: string }): Sql {
  return sql`
    insert into payment_transactions (id, payment_id, kind, outcome, amount, provider_reference, reason, actor)
    select ${row.id}::uuid, p.id, 'void', 'request', p.amount, p.provider_reference, ${row.isForced ? 'forced' : null},
      ${row.actor}
    from payments p where p.id = ${row.paymentId}::uuid
    on conflict (id) do nothing`;
}
