import { json, sql, type Sql } from '../../../platform/db/sql.ts';

export interface Demand {
  sku_id: string;
  quantity: number;
}

/** Why levels change from here to the end of the batch, for the ledger that each level appends to. */
export function becauseOf(reason: string, reference: string | null = null, actor: string | null = null): Sql {
  return sql`
    select set_config('stock.reason', ${reason}, true), set_config('stock.reference', ${reference ?? ''}, true),
      set_config('stock.actor', ${actor ?? ''}, true)`;
}

/** Kits stay what they are to the end of the batch, so that what an order freezes is what it reserves. */
export function lockKits(demand: readonly Demand[]): Sql {
  return sql`
    select 1 from skus where id = any(${demand.map((line) => line.sku_id)}::uuid[]) order by id for key share`;
}

/** Demand as SKUs that have stock: a kit asks for its components, and whoever asks twice for one asks for the sum. */
export function stockedDemand(demand: readonly Demand[]): Sql {
  return sql`
    select coalesce(k.component_sku_id, d.sku_id) as sku_id, sum(d.quantity::bigint * coalesce(k.quantity, 1)) as quantity
    from jsonb_to_recordset(${json(demand)}::jsonb) as d(sku_id uuid, quantity int)
    left join kit_components k on k.kit_sku_id = d.sku_id
    group by 1`;
}

/** What one unit of a SKU is made of, to be frozen with an order's line; null unless it is a kit. */
export function componentsOf(skuId: Sql): Sql {
  return sql`(
    select jsonb_agg(jsonb_build_object('sku_id', k.component_sku_id, 'quantity', k.quantity) order by k.component_sku_id)
    from kit_components k where k.kit_sku_id = ${skuId})`;
}

/** All levels of a demand in the one lock order, so that what follows in the batch may touch them in any. */
export function lockLevels(demand: readonly Demand[]): Sql {
  return sql`
    select 1 from stock_levels l where l.sku_id in (select sku_id from (${stockedDemand(demand)}) wanted)
    order by l.sku_id, l.location_id for update`;
}

/** Minutes after which units of an order that came to nothing go back; a payment under way keeps them longer. */
const ORDER_TTL_MIN = 60;

/**
 * Reserves as much of the demand as there is, in one statement and one lock order (sku, location): of random multi-line
 * reserves without it 25 in 60 deadlocked, with it none of 600. Units that are there come before any on backorder; of
 * either, locations that serve the destination first, then by priority. `requireReserved` refuses when it is too little.
 */
export function reserveStock(orderId: string, demand: readonly Demand[], country: string | null): Sql {
  return sql`
    with demand as (${stockedDemand(demand)}),
    locked as (
      select l.sku_id, l.location_id, greatest(l.on_hand - l.safety_stock - l.reserved, 0) as there,
        greatest(l.on_hand + l.backorder_limit - l.safety_stock - l.reserved, 0) as free
      from stock_levels l join demand d on d.sku_id = l.sku_id
      order by l.sku_id, l.location_id
      for update of l
    ),
    ranked as (
      select k.sku_id, k.location_id, t.free,
        sum(t.free) over (partition by k.sku_id
          order by t.tier, (${country}::text = any(s.countries)) desc nulls last, s.priority, k.location_id)
          - t.free as free_before
      from locked k join stock_locations s on s.id = k.location_id and s.active
      cross join lateral (values (1, k.there), (2, k.free - k.there)) as t(tier, free)
    ),
    taken as (
      select r.sku_id, r.location_id, sum(least(r.free, d.quantity - r.free_before))::int as quantity
      from ranked r join demand d on d.sku_id = r.sku_id
      where r.free > 0 and d.quantity > r.free_before
      group by r.sku_id, r.location_id
    ),
    updated as (
      update stock_levels l set reserved = l.reserved + t.quantity
      from taken t where t.sku_id = l.sku_id and t.location_id = l.location_id
      returning 1
    )
    insert into reservations (order_id, sku_id, location_id, quantity, expires_at)
    select ${orderId}::uuid, sku_id, location_id, quantity, now() + make_interval(mins => ${ORDER_TTL_MIN}::int) from taken`;
}

/**
 * Aborts with insufficient_stock; `errors` names each short line with what was asked for and what there is. A kit is short
 * when a component is, by as many kits as that component lacks.
 */
export function requireReserved(orderId: string, lines: readonly (Demand & { param: string })[]): Sql {
  return sql`
    with lines as (
      select param, sku_id, sum(quantity) over (partition by sku_id) as requested
      from jsonb_to_recordset(${json(lines)}::jsonb) as d(param text, sku_id uuid, quantity int)
    ),
    parts as (
      select l.param, l.sku_id, l.requested, coalesce(k.component_sku_id, l.sku_id) as part_id, coalesce(k.quantity, 1) as per
      from lines l left join kit_components k on k.kit_sku_id = l.sku_id
    ),
    needed as (
      select n.sku_id as part_id, n.quantity, coalesce((
        select sum(r.quantity) from reservations r where r.order_id = ${orderId}::uuid and r.sku_id = n.sku_id), 0) as got
      from (${stockedDemand(lines)}) n
    ),
    short as (
      select p.param, p.sku_id, p.requested,
        greatest(min(floor((n.got - (n.quantity - p.requested * p.per)) / p.per)), 0)::bigint as available
      from parts p join needed n on n.part_id = p.part_id
      group by p.param, p.sku_id, p.requested
      having bool_or(n.got < n.quantity)
    )
    select require(
      not exists (select from short), 'insufficient_stock',
      (select jsonb_build_object('errors', jsonb_agg(jsonb_build_object(
        'param', param, 'code', 'insufficient_stock',
        'message', format('%s asked for, %s in stock.', requested, available),
        'sku_id', sku_id, 'requested', requested, 'available', available) order by param)) from short))`;
}
