import { json, nothing, sql, type Sql } from '../../../platform/db/sql.ts';
import { stockedDemand, type Demand } from './reserve.ts';

/** What is owed shrinks with what is promised. */
const settledShortfall = sql`
  shortfall = least(l.shortfall, greatest(l.reserved - k.quantity - l.on_hand - l.backorder_limit, 0))`;

/** `ended` holds reservations that were deleted; their levels are locked in the one order and given back: a row for each. */
function giveBack(ended: Sql): Sql<{ sku_id: string }> {
  return sql<{ sku_id: string }>`
    with ended as (${ended}),
    summed as (
      select sku_id, location_id, sum(quantity)::int as quantity from ended group by sku_id, location_id
    ),
    k as (
      select l.sku_id, l.location_id, s.quantity
      from stock_levels l join summed s on s.sku_id = l.sku_id and s.location_id = l.location_id
      order by l.sku_id, l.location_id
      for update of l
    )
    update stock_levels l set reserved = l.reserved - k.quantity, ${settledShortfall}
    from k where k.sku_id = l.sku_id and k.location_id = l.location_id
    returning l.sku_id`;
}

/** The promised units go back on offer. Run again it finds no reservation and changes nothing. */
export function releaseReserved(orderId: string): Sql {
  return giveBack(sql`
    delete from reservations where order_id = ${orderId}::uuid returning sku_id, location_id, quantity`);
}

/** One hold is let go by hand. */
export function releaseHold(id: string): Sql {
  return giveBack(sql`
    delete from reservations where id = ${id}::uuid and order_id is null returning sku_id, location_id, quantity`);
}

const RELEASED_MAX = 500;

/**
 * Only what is promised to nobody who may still pay: holds by hand, and what a failed or canceled order did not let go of.
 * Units of a pending order stay however old they are, since its payment may be in doubt: its settlement lets them go.
 */
function releaseOverdue(filter: Sql): Sql<{ sku_id: string }> {
  return giveBack(sql`
    delete from reservations where id in (
      select r.id from reservations r left join orders o on o.id = r.order_id
      where r.expires_at <= now() and r.committed_at is null
        and (r.order_id is null or o.status in ('failed', 'canceled')) ${filter}
      limit ${RELEASED_MAX}::int
      for update of r skip locked)
    returning sku_id, location_id, quantity`);
}

/** Before anybody asks for more of these SKUs. */
export function releaseOverdueOf(demand: readonly Demand[]): Sql {
  return releaseOverdue(sql`and r.sku_id in (select sku_id from (${stockedDemand(demand)}) wanted)`);
}

/** The tick's turn: a row for each level that has more to offer now. */
export const releaseAllOverdue: Sql<{ sku_id: string }> = releaseOverdue(nothing);

/** The order is confirmed: its units stay promised until their parcel leaves. Harmless to run twice. */
export function commitReserved(orderId: string): Sql {
  return sql`
    update reservations set committed_at = coalesce(committed_at, now()), expires_at = null
    where order_id = ${orderId}::uuid`;
}

/**
 * Units of an order, location by location: at most what is asked for, less where less is promised. They are named as they
 * were frozen with the order, whatever its SKUs are made of by now.
 */
const takenUnits = (orderId: string, units: readonly Demand[], locationId: string | null) => sql`
  wanted as (
    select sku_id, sum(quantity) as quantity
    from jsonb_to_recordset(${json(units)}::jsonb) as u(sku_id uuid, quantity int)
    group by sku_id
  ),
  held as (
    select r.id, r.sku_id, r.location_id, r.quantity,
      sum(r.quantity) over (partition by r.sku_id order by r.location_id) - r.quantity as before
    from reservations r
    where r.order_id = ${orderId}::uuid and (${locationId}::uuid is null or r.location_id = ${locationId}::uuid)
  ),
  taken as (
    select h.id, h.sku_id, h.location_id, h.quantity as had, least(h.quantity, w.quantity - h.before)::int as quantity
    from held h join wanted w on w.sku_id = h.sku_id where w.quantity > h.before
  ),
  emptied as (delete from reservations r using taken t where r.id = t.id and t.quantity = t.had),
  lowered as (
    update reservations r set quantity = r.quantity - t.quantity from taken t where r.id = t.id and t.quantity < t.had
  ),
  k as (
    select l.sku_id, l.location_id, t.quantity, l.on_hand
    from stock_levels l join taken t on t.sku_id = l.sku_id and t.location_id = l.location_id
    order by l.sku_id, l.location_id
    for update of l
  )`;

const allTaken = sql`
  not exists (
    select from wanted w where w.quantity > coalesce((select sum(t.quantity) from taken t where t.sku_id = w.sku_id), 0))`;

/** Locks the order's reservations in one order; goes before the two below, in the same batch. */
export function lockReservations(orderId: string): Sql {
  return sql`
    select id from reservations where order_id = ${orderId}::uuid order by sku_id, location_id for update`;
}

/** Units leave with a parcel: off the shelf and off the promise. Aborts when they are not promised, or not there yet. */
export function shipReserved(orderId: string, units: readonly Demand[], locationId: string | null): Sql {
  return sql`
    with ${takenUnits(orderId, units, locationId)},
    shipped as (
      update stock_levels l set on_hand = l.on_hand - k.quantity, reserved = l.reserved - k.quantity
      from k where k.sku_id = l.sku_id and k.location_id = l.location_id and l.on_hand >= k.quantity
      returning 1
    )
    select
      require(${allTaken}, 'insufficient_stock', '{"message": "The order holds fewer units than that here."}'),
      require((select count(*) from shipped) = (select count(*) from k), 'insufficient_stock',
        '{"message": "The units have not arrived at the location yet."}')`;
}

/** Units of a canceled line go back on offer. Aborts when the order does not hold that many any more. */
export function releaseUnits(orderId: string, units: readonly Demand[]): Sql {
  return sql`
    with ${takenUnits(orderId, units, null)},
    released as (
      update stock_levels l set reserved = l.reserved - k.quantity, ${settledShortfall}
      from k where k.sku_id = l.sku_id and k.location_id = l.location_id
    )
    select require(${allTaken}, 'conflict', '{"message": "The order holds fewer units than that."}')`;
}
