import { sql, type Sql } from '../../../platform/db/sql.ts';
import { CODES_MAX, LINES_MAX, QUANTITY_MAX } from '../schema.ts';
import { lifeEnd } from './change.ts';

/** A cart in use and the customer who uses it. */
export interface UsedCart {
  id: string;
  customerId: string;
}

/** Which cart goes into the one in use; '' for none. Known to this batch alone, so every statement means the same cart. */
const mergedId = sql`current_setting('cart.merged_id')`;

const isOpen = (cart: Sql) => sql`${cart}.status = 'open' and ${cart}.expires_at > now()`;
const isAdoptable = (cart: Sql) => sql`${cart}.customer_id is null and ${isOpen(cart)}`;

/**
 * Head of a customer's batch; does nothing unless the cart in use is an open guest's. First the customer, so that one who
 * adopts two carts at once adopts them in turn; then this cart and the customer's newest open one of the same market, in
 * the order of their ids. What had to be waited for is looked at again, so an ordered cart is never merged.
 */
export function lockAdoption({ id, customerId }: UsedCart): Sql[] {
  return [
    sql`
      select from customers
      where id = ${customerId}::uuid and exists (select from carts c where c.id = ${id} and ${isAdoptable(sql`c`)})
      for no key update`,
    sql`
      select set_config('cart.merged_id',
        coalesce(case when bool_or(locked.id = ${id}) then max(locked.id) filter (where locked.id <> ${id}) end, ''), true)
      from (
        select c.id from carts c
        where ${isOpen(sql`c`)} and (c.id = ${id} and c.customer_id is null or c.id = (
          select o.id from carts g join carts o on o.market_id = g.market_id
          where g.id = ${id} and ${isAdoptable(sql`g`)} and o.customer_id = ${customerId}::uuid and ${isOpen(sql`o`)}
          order by o.created_at desc, o.id desc limit 1))
        order by c.id for update) locked`,
  ];
}

/** Makes a guest's open cart the customer's, as a change of it would. */
export function takeOwnership({ id, customerId }: UsedCart): Sql {
  return sql`
    update carts c
    set version = c.version + 1, updated_at = now(), expires_at = ${lifeEnd}, customer_id = ${customerId}::uuid
    where c.id = ${id} and ${isAdoptable(sql`c`)}`;
}

/** What the cart in use says holds; of the options chosen, one that reaches the destination. */
function fillFields(id: string): Sql {
  const address = sql`coalesce(c.shipping_address, o.shipping_address)`;
  return sql`
    update carts c
    set email = coalesce(c.email, o.email), note = coalesce(c.note, o.note), shipping_address = ${address},
      billing_address = coalesce(c.billing_address, o.billing_address),
      shipping_option_id = (
        select s.id from shipping_options s
        where s.id in (c.shipping_option_id, o.shipping_option_id) and s.market_id = m.id and s.active
          and coalesce(${address} ->> 'country', m.countries[1]) = any(s.countries)
        order by s.id = c.shipping_option_id desc limit 1)
    from carts o join markets m on m.id = o.market_id
    where c.id = ${id} and o.id = ${mergedId}`;
}

/** Equal SKUs are summed up to the maximum; other lines move as they are, as long as there is room. */
function moveLines(id: string): Sql {
  return sql`
    with equal as (
      delete from cart_items o using cart_items i
      where o.cart_id = ${mergedId} and i.cart_id = ${id} and i.sku_id = o.sku_id
      returning i.id, o.quantity
    ),
    summed as (
      update cart_items i set quantity = least(i.quantity + e.quantity, ${QUANTITY_MAX}::int)
      from equal e where i.id = e.id
    )
    update cart_items i set cart_id = ${id}, created_at = now() + other.position * interval '1 microsecond'
    from (
      select o.id, row_number() over (order by o.created_at, o.id) as position
      from cart_items o
      where o.cart_id = ${mergedId}
        and not exists (select from cart_items i where i.cart_id = ${id} and i.sku_id = o.sku_id)) other
    where i.id = other.id
      and other.position <= ${LINES_MAX}::int - (select count(*) from cart_items where cart_id = ${id})`;
}

function joinCodes(id: string): Sql {
  return sql`
    insert into cart_discount_codes (cart_id, code)
    select ${id}, o.code from cart_discount_codes o
    where o.cart_id = ${mergedId}
      and not exists (select from cart_discount_codes c where c.cart_id = ${id} and c.code = o.code)
    order by o.added_at, o.code
    limit (select greatest(${CODES_MAX}::int - count(*), 0) from cart_discount_codes where cart_id = ${id})`;
}

/** Lines without room keep the other cart; one that a failed order names ends as an expired cart does. */
function endMerged(): Sql {
  const hasLines = sql`exists (select from cart_items i where i.cart_id = o.id)`;
  const isNamed = sql`exists (select from orders r where r.cart_id = o.id)`;
  return sql`
    with kept as (
      update carts o set version = o.version + 1, updated_at = now(),
        expires_at = case when ${hasLines} then o.expires_at else now() end
      where o.id = ${mergedId} and (${hasLines} or ${isNamed})
    )
    delete from carts o where o.id = ${mergedId} and not ${hasLines} and not ${isNamed}`;
}

/** Moves what the chosen cart holds into the one in use; nothing when lockAdoption() chose none. */
export function mergeCarts(id: string): Sql[] {
  return [fillFields(id), moveLines(id), joinCodes(id), endMerged()];
}
