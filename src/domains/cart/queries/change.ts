import { json, nothing, sql, type Sql } from '../../../platform/db/sql.ts';
import { chosenMarketId } from '../../markets/index.ts';
import { CODES_MAX, LINES_MAX, QUANTITY_MAX, type CartPatch, type NewCart, type NewItem } from '../schema.ts';
import { ownedCart } from './view.ts';

/** Days a cart lives after its last change. */
const TTL_DAYS = 30;

export const lifeEnd = sql`now() + make_interval(days => ${TTL_DAYS}::int)`;

export interface CartKey {
  id: string;
  customerId: string | null;
}

/**
 * Locks the cart for the batch and refuses what cannot be changed; `versions` are compared only when If-Match was sent.
 * A guest's cart that a customer changes becomes theirs.
 */
export function changeCart({ id, customerId }: CartKey, versions: readonly number[] | null): Sql[] {
  return [
    sql`
      select
        require(c.id is not null, 'not_found', '{"param": "id", "message": "No such cart."}'),
        require(c.status = 'open', 'cart_already_completed', '{"message": "The cart is being ordered or has been."}'),
        require(${versions}::int[] is null or c.version = any(${versions}::int[]), 'precondition_failed',
          '{"param": "If-Match", "message": "The cart has changed since."}')
      from (select 1) always
      left join (select c.id, c.status, c.version from carts c where c.id = ${id} and ${ownedCart(customerId)} for update) c
        on true`,
    sql`
      update carts c
      set version = c.version + 1, updated_at = now(), expires_at = ${lifeEnd},
        customer_id = coalesce(c.customer_id, ${customerId}::uuid)
      where c.id = ${id}`,
  ];
}

/** A resend of the batch that made this cart stops here. */
export function requireNewCart(id: string): Sql {
  return sql`select require(not exists (select from carts where id = ${id}), 'already_applied')`;
}

export function insertCart({ id, customerId }: CartKey, input: NewCart): Sql[] {
  const param = input.market === undefined ? 'currency' : 'market';
  const market = chosenMarketId(input);
  return [
    sql`select require(${market} is not null, 'validation_failed',
      ${json({ param, message: 'No market sells like that.' })}::jsonb)`,
    sql`
      insert into carts (id, market_id, customer_id, expires_at)
      values (${id}, ${market}, ${customerId}::uuid, ${lifeEnd})`,
  ];
}

/** Relative upserts: of any number of parallel adds of one SKU, all count. */
export function addItems(cartId: string, items: readonly (NewItem & { id: string })[], path: 'items' | 'body'): Sql[] {
  const rows = items.map((item, index) => ({
    ...item,
    position: index,
    param: path === 'items' ? `items[${index}].sku_id` : 'sku_id',
  }));
  const incoming = sql`jsonb_to_recordset(${json(rows)}::jsonb)
    as n(id uuid, sku_id uuid, quantity int, position int, param text)`;
  return [
    sql`
      with unavailable as (
        select n.param from ${incoming}
        where not exists (
          select from skus s
          join products p on p.id = s.product_id and p.status = 'active'
          join carts c on c.id = ${cartId}
          join markets m on m.id = c.market_id
          join prices pr on pr.sku_id = s.id and pr.currency = m.currency
          where s.id = n.sku_id and s.status = 'active')
      )
      select require(not exists (select from unavailable), 'sku_unavailable', (
        select jsonb_build_object('param', min(param), 'message', 'This SKU cannot be bought in the cart''s market.',
          'errors', jsonb_agg(jsonb_build_object('param', param, 'code', 'sku_unavailable',
            'message', 'Cannot be bought in this market.') order by param))
        from unavailable))`,
    sql`
      insert into cart_items as i (id, cart_id, sku_id, quantity, created_at)
      select (array_agg(n.id order by n.position))[1], ${cartId}, n.sku_id, sum(n.quantity)::int,
        now() + min(n.position) * interval '1 microsecond'
      from ${incoming} group by n.sku_id
      on conflict (cart_id, sku_id) do update set quantity = i.quantity + excluded.quantity`,
    sql`
      select
        require(count(*) <= ${LINES_MAX}::int, 'cart_full',
          ${json({ param: 'sku_id', message: `A cart holds ${LINES_MAX} lines.` })}::jsonb),
        require(coalesce(max(quantity), 0) <= ${QUANTITY_MAX}::int, 'validation_failed',
          ${json({ param: 'quantity', message: `A line holds at most ${QUANTITY_MAX} units.` })}::jsonb)
      from cart_items where cart_id = ${cartId}`,
  ];
}

/** Quantity 0 removes the line. */
export function setQuantity(cartId: string, itemId: string, quantity: number): Sql {
  const change =
    quantity === 0
      ? sql`delete from cart_items where id = ${itemId}::uuid and cart_id = ${cartId} returning 1`
      : sql`update cart_items set quantity = ${quantity}::int where id = ${itemId}::uuid and cart_id = ${cartId} returning 1`;
  return sql`
    with changed as (${change})
    select require(exists (select from changed), 'not_found', '{"param": "item_id", "message": "No such line."}')`;
}

/** Codes are checked when they are added and again whenever the cart is priced. */
export function addDiscountCodes(cartId: string, codes: readonly string[], param: string): Sql[] {
  return [
    sql`
      with wanted as (select distinct unnest(${codes}::text[]) as code),
      added as (
        insert into cart_discount_codes (cart_id, code)
        select ${cartId}, d.code
        from wanted w
        join discount_codes d on d.code = w.code
        join carts c on c.id = ${cartId}
        join markets m on m.id = c.market_id
        where coalesce(d.starts_at <= now(), true) and coalesce(d.ends_at > now(), true)
          and (d.currency is null or d.currency = m.currency)
        on conflict (cart_id, code) do update set code = excluded.code
        returning code
      )
      select require(count(a.code) = count(*), 'discount_code_invalid',
        ${json({ param, message: 'This code does not exist or does not apply.' })}::jsonb)
      from wanted w left join added a on a.code = w.code`,
    sql`
      select require(count(*) <= ${CODES_MAX}::int, 'validation_failed',
        ${json({ param, message: `A cart holds ${CODES_MAX} codes.` })}::jsonb)
      from cart_discount_codes where cart_id = ${cartId}`,
  ];
}

export function removeDiscountCode(cartId: string, code: string): Sql {
  return sql`
    with removed as (
      delete from cart_discount_codes where cart_id = ${cartId} and code = ${code} returning 1
    )
    select require(exists (select from removed), 'not_found', '{"param": "code", "message": "The cart has no such code."}')`;
}

function assignments(patch: CartPatch): Sql {
  let set = sql`updated_at = now()`;
  if (patch.email !== undefined) set = sql`${set}, email = ${patch.email}`;
  if (patch.note !== undefined) set = sql`${set}, note = ${patch.note}`;
  if (patch.shipping_option_id !== undefined) set = sql`${set}, shipping_option_id = ${patch.shipping_option_id}::uuid`;
  if (patch.shipping_address !== undefined) {
    set = sql`${set}, shipping_address = ${patch.shipping_address && json(patch.shipping_address)}::jsonb`;
  }
  if (patch.billing_address !== undefined) {
    set = sql`${set}, billing_address = ${patch.billing_address && json(patch.billing_address)}::jsonb`;
  }
  return set;
}

/** A shipping option must reach the destination: one sent along is refused, one chosen earlier is dropped. */
export function patchCart(cartId: string, patch: CartPatch): Sql[] {
  const fits = sql`
    exists (
      select from shipping_options o join markets m on m.id = o.market_id
      where o.id = c.shipping_option_id and o.market_id = c.market_id and o.active
        and coalesce(c.shipping_address ->> 'country', m.countries[1]) = any(o.countries))`;
  const optionExists =
    patch.shipping_option_id == null
      ? []
      : [
          sql`
            select require(exists (select from shipping_options where id = ${patch.shipping_option_id}::uuid),
              'shipping_option_unavailable', '{"param": "shipping_option_id", "message": "No such shipping option."}')`,
        ];
  const optionFits =
    patch.shipping_option_id == null
      ? sql`update carts c set shipping_option_id = null where c.id = ${cartId} and not ${fits}`
      : sql`
          select require(${fits}, 'shipping_option_unavailable',
            '{"param": "shipping_option_id", "message": "This option does not ship there."}')
          from carts c where c.id = ${cartId}`;
  const unservedCountry =
    patch.shipping_address == null
      ? nothing
      : sql`
          select require(${patch.shipping_address.country} = any(m.countries), 'validation_failed',
            '{"param": "shipping_address.country", "message": "This market does not ship there."}')
          from carts c join markets m on m.id = c.market_id where c.id = ${cartId}`;
  return [
    ...optionExists,
    ...(patch.shipping_address == null ? [] : [unservedCountry]),
    sql`update carts set ${assignments(patch)} where id = ${cartId}`,
    optionFits,
  ];
}

/** A cart that came with an order which was refused; one that an order holds stays. */
export function removeUnordered(id: string): Sql {
  return sql`delete from carts c where c.id = ${id} and not exists (select from orders o where o.cart_id = c.id)`;
}

const REMOVED_MAX = 1_000;

/** Abandoned carts, a bounded number at a time; one that was ordered stays with its order. */
export const removeExpiredCarts: Sql = sql`
  delete from carts where id in (
    select c.id from carts c
    where c.status = 'open' and c.expires_at < now() and not exists (select from orders o where o.cart_id = c.id)
    limit ${REMOVED_MAX}::int for update skip locked)`;
