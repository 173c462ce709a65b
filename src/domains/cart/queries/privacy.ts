import { sql, type Sql } from '../../../platform/db/sql.ts';
import type { Address } from '../../customers/index.ts';

/** A customer's carts, and those a guest filled under the e-mail address that the customer proved to be theirs. */
function cartsOf(customerId: string): Sql {
  return sql`(
    select c.id from carts c where c.customer_id = ${customerId}::uuid
    union
    select c.id from carts c join accounts a on lower(a.email) = lower(c.email)
    where a.id = ${customerId}::uuid and a.email_verified_at is not null and c.customer_id is null and c.email is not null)`;
}

/** A cart as it is handed to the person it is about. */
export interface HeldCartRow {
  id: string;
  status: 'open' | 'completing' | 'completed';
  email: string | null;
  shipping_address: Address | null;
  billing_address: Address | null;
  note: string | null;
  items: { sku_id: string; quantity: number }[];
  discount_codes: string[];
  created_at: string;
  updated_at: string;
}

export function heldCarts(customerId: string): Sql<HeldCartRow> {
  return sql<HeldCartRow>`
    select c.id, c.status, c.email, c.shipping_address, c.billing_address, c.note, c.created_at, c.updated_at,
      coalesce((
        select jsonb_agg(jsonb_build_object('sku_id', i.sku_id, 'quantity', i.quantity) order by i.created_at, i.id)
        from cart_items i where i.cart_id = c.id), '[]') as items,
      array(select d.code from cart_discount_codes d where d.cart_id = c.id order by d.added_at, d.code) as discount_codes
    from carts c where c.id in ${cartsOf(customerId)} order by c.created_at, c.id`;
}

/** Waits for whoever changes or orders one of these carts. */
export function lockCarts(customerId: string): Sql {
  return sql`select c.id from carts c where c.id in ${cartsOf(customerId)} order by c.id for update`;
}

/** Carts that were ordered stay with their orders, as nobody's and out of reach; the others go. */
export function eraseCarts(customerId: string): Sql[] {
  return [
    sql`
      delete from carts where id in ${cartsOf(customerId)}
        and not exists (select from orders o where o.cart_id = carts.id)`,
    sql`
      update carts set email = null, shipping_address = null, billing_address = null, note = null, customer_id = null,
        version = version + 1, updated_at = now(), expires_at = least(expires_at, now())
      where id in ${cartsOf(customerId)}`,
  ];
}
