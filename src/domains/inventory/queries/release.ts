import { json, nothing, sql, type Sql } from '../../../platform/db/sql.ts';
import { stockedDemand, type Demand } from './reserve.ts';

/** What is owed shrinks with what is promised. */
const settledShortfall = sql`
  shortfall = least(l.shortfall, greatest(l.reserved - k.quantity - l.on_hand - l.backorder_limit, 0))`;

/** A level that has more to offer now, and how many reservations that was. */
interface Freed {
  sku_id: string;
  reservations: number;
}

/** `ended` holds reservations that were deleted; their levels are locked in the one order and given back: a row for each. */
function giveBack(ended: Sql): Sql<Freed> {
  return sql<Freed>`
    with ended as (${ended}),
    summed as (
      select sku_id, location_id, sum(quantity)::int as quantity, count(*)::int as reservations
      from ended group by sku_id, location_id
    ),
    k as (
      select l.sku_id, l.location_id, s.quantity, s.reservations
      from stock_levels l join summed s on s.sku_id = l.sku_id and s.location_id = l.location_id
      order by l.sku_id, l.location_id
      for update of l
    )
    update stock_levels l set reserved = l.reserved - k.quantity, ${settledShortfall}
    from k where k.sku_id = l.sku_id and k.location_id = l.location_id
    returning l.sku_id, k.reservations`;
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
function releaseOverdue(filter: Sql): Sql<Freed> {
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

/** The tick's turn. */
export const releaseAllOverdue: Sql<Freed> = releaseOverdue(nothing);

/** The order is confirmed: its units stay promised until their parcel leaves. Harmless to run twice. */
export function commitReserved(orderId: string): Sql {
  return sql`
    update reservations set committed_at = coalesce(committed_at, now()), expires_at = null
    where order_id = ${orderId}::uuid`;
}

/** Units that stand in a parcel at a location. */
export interface Packed extends Demand {
  location_id: string;
  /** Whether they are set aside there. */
  is_ready: boolean;
}

/**
 * Units of an order by level: how many are set aside for whoever comes for them, and of these for somebody who comes to
 * this place; how many are packed (those included), what of the others is on the shelf, and how many are on backorder. What
 * is set aside, for whichever order, is not on the shelf for anybody else. Levels are locked by now.
 */
const heldUnits = (orderId: string, packed: readonly Packed[], locationId: string | null) => sql`
  packed as (
    select sku_id, location_id, sum(quantity) filter (where not is_ready) as waiting,
      sum(quantity) filter (where is_ready) as here
    from jsonb_to_recordset(${json(packed)}::jsonb) as p(sku_id uuid, location_id uuid, quantity int, is_ready boolean)
    group by sku_id, location_id
  ),
  held as (
    select r.id, r.sku_id, r.location_id, r.quantity, n.aside, n.packed, r.quantity - n.packed as loose,
      least(n.aside, coalesce(p.here, 0)) as aside_here,
      least(r.quantity - n.aside, n.shelf) as there,
      least(r.quantity - n.packed, greatest(n.shelf - n.packed + n.aside, 0)) as loose_there,
      least(r.quantity - n.packed, greatest(l.reserved - l.on_hand, 0)) as to_come
    from reservations r
    join stock_levels l on l.sku_id = r.sku_id and l.location_id = r.location_id
    left join packed p on p.sku_id = r.sku_id and p.location_id = r.location_id
    cross join lateral (
      select least(r.set_aside, r.quantity) as aside,
        least(r.quantity, coalesce(p.waiting, 0) + greatest(p.here, r.set_aside)) as packed,
        greatest(l.on_hand - coalesce(sum(s.set_aside), 0), 0) as shelf
      from reservations s where s.sku_id = r.sku_id and s.location_id = r.location_id and s.set_aside > 0
    ) n
    where r.order_id = ${orderId}::uuid and (${locationId}::uuid is null or r.location_id = ${locationId}::uuid)
  )`;

/** Of what is in no other parcel, what is there; then what of those parcels' is there while they wait for more to come. */
const thereFirst = sql`(1, h.loose_there), (2, least(h.loose, h.there) - h.loose_there)`;

/** What is there leaves first. What is packed or set aside does not: it is another parcel's, or somebody comes for it. */
const leaveFirst = sql`${thereFirst}, (4, h.loose - least(h.loose, h.there))`;

/** What was set aside; where no location is named, before what others come for to a named one. */
const asideFirst = sql`(-1, h.aside - h.aside_here), (0, h.aside_here)`;

/** What has yet to come goes first, and what is packed last. */
const freeFirst = sql`(1, h.to_come), (2, h.loose - h.to_come), (3, h.packed)`;

/** Units as they were frozen with the order, whatever its SKUs are made of by now. */
const wantedUnits = (units: readonly Demand[]) => sql`
  wanted as (
    select sku_id, sum(quantity) as quantity
    from jsonb_to_recordset(${json(units)}::jsonb) as u(sku_id uuid, quantity int)
    group by sku_id
  )`;

/** Picks what is asked for out of `held`, tier by tier: less where less is promised. */
const pickedUnits = (units: readonly Demand[], tiers: Sql) => sql`
  ${wantedUnits(units)},
  ranked as (
    select h.id, h.sku_id, h.location_id, h.quantity, t.tier, t.units,
      sum(t.units) over (partition by h.sku_id order by t.tier, h.location_id) - t.units as before
    from held h cross join lateral (values ${tiers}) as t(tier, units)
  ),
  k as (
    select r.id, r.sku_id, r.location_id, r.quantity as had, sum(least(r.units, w.quantity - r.before))::int as quantity,
      coalesce(sum(least(r.units, w.quantity - r.before)) filter (where r.tier <= 0), 0)::int as aside,
      bool_or(r.tier = 4) as is_to_come
    from ranked r join wanted w on w.sku_id = r.sku_id
    where r.units > 0 and w.quantity > r.before
    group by r.id, r.sku_id, r.location_id, r.quantity
  )`;

/** Picks and ends the promise of them. */
const takenUnits = (units: readonly Demand[], tiers: Sql) => sql`
  ${pickedUnits(units, tiers)},
  emptied as (delete from reservations r using k where r.id = k.id and k.quantity = k.had),
  lowered as (
    update reservations r set quantity = r.quantity - k.quantity,
      set_aside = least(r.set_aside - k.aside, r.quantity - k.quantity)
    from k where r.id = k.id and k.quantity < k.had
  )`;

const allTaken = sql`
  not exists (
    select from wanted w where w.quantity > coalesce((select sum(k.quantity) from k where k.sku_id = w.sku_id), 0))`;

/** Aborts where the order holds fewer units at the location than are to be packed there, beside those that are. */
export function requireLoose(
  orderId: string,
  units: readonly Demand[],
  packed: readonly Packed[],
  locationId: string,
): Sql {
  return sql`
    with ${heldUnits(orderId, packed, locationId)}, ${wantedUnits(units)}
    select require(
      not exists (select from wanted w
        where w.quantity > coalesce((select sum(h.loose) from held h where h.sku_id = w.sku_id), 0)),
      'insufficient_stock', '{"param": "location_id", "message": "The order holds fewer units than that there."}')`;
}

/**
 * Locks the order's reservations and then their levels, each in one order. Goes before those below, in the same batch:
 * they decide by what is on hand then.
 */
export function lockReservations(orderId: string): Sql {
  return sql`
    with r as (
      select sku_id, location_id from reservations where order_id = ${orderId}::uuid
      order by sku_id, location_id for update
    )
    select 1 from stock_levels l join r on r.sku_id = l.sku_id and r.location_id = l.location_id
    order by l.sku_id, l.location_id for update of l`;
}

interface Leaving {
  units: readonly Demand[];
  packed: readonly Packed[];
  locationId: string | null;
  /** Whether units that were set aside leave, and first. */
  isCollected: boolean;
}

/**
 * Units leave with a parcel: off the shelf and off the promise, where no location is named from those that have them. Aborts
 * when they are not promised, or not there yet.
 */
export function shipReserved(orderId: string, { units, packed, locationId, isCollected }: Leaving): Sql {
  return sql`
    with ${heldUnits(orderId, packed, locationId)}, ${takenUnits(units, isCollected ? sql`${asideFirst}, ${leaveFirst}` : leaveFirst)},
    shipped as (
      update stock_levels l set on_hand = l.on_hand - k.quantity, reserved = l.reserved - k.quantity
      from k
      where k.sku_id = l.sku_id and k.location_id = l.location_id and l.on_hand >= k.quantity and not k.is_to_come
      returning 1
    )
    select
      require(${allTaken}, 'insufficient_stock', '{"message": "The order holds fewer units than that here."}'),
      require((select count(*) from shipped) = (select count(*) from k), 'insufficient_stock',
        '{"message": "The units have not arrived at the location yet, or wait for somebody else."}')`;
}

/**
 * Units are told to be ready: nobody else gets them from now on. Aborts when they are not promised, not there yet, or all
 * that is there is set aside already. Goes after the lock.
 */
export function setAside(
  orderId: string,
  units: readonly Demand[],
  packed: readonly Packed[],
  locationId: string | null,
): Sql {
  return sql`
    with ${heldUnits(orderId, packed, locationId)},
    ${pickedUnits(units, thereFirst)},
    aside as (update reservations r set set_aside = r.set_aside + k.quantity from k where r.id = k.id)
    select require(${allTaken}, 'insufficient_stock',
      '{"message": "The order holds fewer units than that here, or they have not arrived yet."}')`;
}

/** Nobody came: the units are the order's still, and for whichever of its parcels. Goes after the lock. */
export function putBack(
  orderId: string,
  units: readonly Demand[],
  packed: readonly Packed[],
  locationId: string | null,
): Sql {
  return sql`
    with ${heldUnits(orderId, packed, locationId)}, ${pickedUnits(units, asideFirst)}
    update reservations r set set_aside = least(r.set_aside, r.quantity) - k.quantity from k where r.id = k.id`;
}

/** Units of a canceled line go back on offer. Aborts when the order does not hold that many any more. */
export function releaseUnits(orderId: string, units: readonly Demand[], packed: readonly Packed[]): Sql {
  return sql`
    with ${heldUnits(orderId, packed, null)}, ${takenUnits(units, freeFirst)},
    released as (
      update stock_levels l set reserved = l.reserved - k.quantity, ${settledShortfall}
      from k where k.sku_id = l.sku_id and k.location_id = l.location_id
    )
    select require(${allTaken}, 'conflict', '{"message": "The order holds fewer units than that."}')`;
}
