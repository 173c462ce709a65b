import { jsonTime, sql, type Sql } from '../../../platform/db/sql.ts';
import type { Address } from '../../customers/index.ts';

export interface ItemRow {
  id: string;
  sku_id: string;
  sku_code: string;
  title: string;
  quantity: number;
  /** Minor units; null when the SKU cannot be bought in the cart's currency any more. */
  unit_price: number | null;
  available_quantity: number;
  /** Of these, what need not come first. */
  there_quantity: number;
  expected_at: string | null;
}

export interface DiscountRow {
  code: string;
  name: string;
  kind: 'percent' | 'fixed';
  rate_ppm: number | null;
  amount: number | null;
  currency: string | null;
}

export interface ShippingOptionRow {
  id: string;
  code: string;
  name: string;
  amount: number;
}

/** All that pricing a cart takes, as one row of one statement. */
export interface CartRow {
  id: string;
  version: number;
  status: 'open' | 'completing' | 'completed';
  market_id: string;
  market: string;
  currency: string;
  tax_inclusive: boolean;
  manual_payments: boolean;
  tax_rate_ppm: number;
  customer_id: string | null;
  email: string | null;
  shipping_address: Address | null;
  billing_address: Address | null;
  note: string | null;
  created_at: string;
  expires_at: string;
  items: ItemRow[];
  discounts: DiscountRow[];
  shipping_option: ShippingOptionRow | null;
  shipping_options: ShippingOptionRow[];
}

/** Whose cart it is: a guest's is anybody's who holds the id, a customer's is theirs alone. */
export function ownedCart(customerId: string | null): Sql {
  return sql`(c.customer_id is null or c.customer_id = ${customerId}::uuid) and c.expires_at > now()`;
}

const items = sql`
  coalesce((
    select jsonb_agg(jsonb_build_object(
      'id', i.id, 'sku_id', i.sku_id, 'sku_code', s.code,
      'title', case when s.title = '' then p.title else p.title || ' - ' || s.title end,
      'quantity', i.quantity,
      'unit_price', case when s.status = 'active' and p.status = 'active' then pr.amount end,
      'available_quantity', st.quantity, 'there_quantity', st.there, 'expected_at', ${jsonTime(sql`st.expected_at`)}
    ) order by i.created_at, i.id)
    from cart_items i
    join skus s on s.id = i.sku_id
    join products p on p.id = s.product_id
    left join prices pr on pr.sku_id = s.id and pr.currency = m.currency
    cross join lateral (
      select a.quantity, a.there, a.expected_at from sku_availability a where a.sku_id = s.id
    ) st
    where i.cart_id = c.id), '[]'::jsonb)`;

const discounts = sql`
  coalesce((
    select jsonb_agg(jsonb_build_object(
      'code', d.code, 'name', d.name, 'kind', d.kind, 'rate_ppm', d.rate_ppm, 'amount', d.amount, 'currency', d.currency
    ) order by cd.added_at, d.code)
    from cart_discount_codes cd join discount_codes d on d.code = cd.code
    where cd.cart_id = c.id
      and coalesce(d.starts_at <= now(), true) and coalesce(d.ends_at > now(), true)), '[]'::jsonb)`;

/** Tax follows the destination; before there is an address, the market's first country. */
const country = sql`coalesce(c.shipping_address ->> 'country', m.countries[1])`;

const shippingOptions = sql`
  coalesce((
    select jsonb_agg(jsonb_build_object('id', o.id, 'code', o.code, 'name', o.name, 'amount', o.amount)
      order by o.position, o.id)
    from shipping_options o
    where o.market_id = m.id and o.active and ${country} = any(o.countries)), '[]'::jsonb)`;

const chosenOption = sql`
  (select jsonb_build_object('id', o.id, 'code', o.code, 'name', o.name, 'amount', o.amount)
   from shipping_options o
   where o.id = c.shipping_option_id and o.market_id = m.id and o.active and ${country} = any(o.countries))`;

/** One statement; no row when the cart is absent, expired or somebody else's. */
export function cartView(id: string, customerId: string | null): Sql<CartRow> {
  return sql<CartRow>`
    select c.id, c.version, c.status, c.market_id, m.code as market, m.currency, m.tax_inclusive, m.manual_payments,
      coalesce((select t.rate_ppm from tax_rates t where t.country = ${country}), 0) as tax_rate_ppm,
      c.customer_id, c.email, c.shipping_address, c.billing_address, c.note, c.created_at, c.expires_at,
      ${items} as items, ${discounts} as discounts,
      ${chosenOption} as shipping_option, ${shippingOptions} as shipping_options
    from carts c join markets m on m.id = c.market_id
    where c.id = ${id} and ${ownedCart(customerId)}`;
}
