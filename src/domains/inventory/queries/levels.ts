import { nothing, sql, type Sql } from '../../../platform/db/sql.ts';
import type * as z from 'zod';
import type {
  Adjustment,
  LevelPatch,
  LevelQuery,
  MovementQuery,
  StockLevel,
  StockMovement,
  Transfer,
} from '../schema.ts';

export type LevelRow = z.output<typeof StockLevel>;

const columns = sql`
  l.sku_id, s.code as sku_code, l.location_id, l.on_hand, l.reserved,
  case when o.active then greatest(l.on_hand + l.backorder_limit - l.safety_stock - l.reserved, 0) else 0 end as available,
  l.backorder_limit, l.safety_stock, l.shortfall, l.low_stock_threshold, l.expected_at, l.version`;

const tables = sql`stock_levels l join skus s on s.id = l.sku_id join stock_locations o on o.id = l.location_id`;

function levels(where: Sql, tail: Sql): Sql<LevelRow> {
  return sql<LevelRow>`select ${columns} from ${tables} where ${where} ${tail}`;
}

export function levelPage(query: LevelQuery, after: readonly [string, string] | null): Sql<LevelRow> {
  return levels(
    sql`true
      ${query.sku_id === undefined ? nothing : sql`and l.sku_id = ${query.sku_id}::uuid`}
      ${query.location_id === undefined ? nothing : sql`and l.location_id = ${query.location_id}::uuid`}
      ${query.low_stock === undefined ? nothing : sql`and l.on_hand - l.reserved <= l.low_stock_threshold`}
      ${after === null ? nothing : sql`and (l.sku_id, l.location_id) > (${after[0]}::uuid, ${after[1]}::uuid)`}`,
    sql`order by l.sku_id, l.location_id limit ${query.limit + 1}::int`,
  );
}

/** Where units are when a request names no location. */
export const firstLocation: Sql<{ id: string }> = sql<{ id: string }>`
  select id from stock_locations where active order by priority, id limit 1`;

export function levelOf(skuId: string, locationId: string): Sql<LevelRow> {
  return levels(sql`l.sku_id = ${skuId}::uuid and l.location_id = ${locationId}::uuid`, nothing);
}

/** Aborts unless the SKU is there and has stock itself; it is made no kit before the batch is done. */
export function requireStocked(skuId: string): Sql {
  return sql`
    select
      require(s.id is not null, 'not_found', '{"param": "sku_id", "message": "No such SKU."}'),
      require(not exists (select from kit_components c where c.kit_sku_id = s.id), 'conflict',
        '{"param": "sku_id", "message": "A kit has no stock of its own: its components have."}')
    from (select 1) always left join (select id from skus where id = ${skuId}::uuid for key share) s on true`;
}

export function requireLocation(locationId: string | null, param = 'location_id'): Sql {
  return sql`
    select require(exists (select from stock_locations where id = ${locationId}::uuid), 'not_found',
      jsonb_build_object('param', ${param}::text, 'message', 'No such stock location.'))`;
}

/** Makes the level when there is none yet, so that the change after it finds a row to lock. */
export function ensureLevel(skuId: string, locationId: string | null): Sql {
  return sql`
    insert into stock_levels (sku_id, location_id, on_hand)
    values (${skuId}::uuid, ${locationId}::uuid, 0) on conflict do nothing`;
}

/**
 * A count or a change of what is on hand. Units that are promised and not there any more become the shortfall in the same
 * statement: promises are kept, and seen to be short. Aborts below zero.
 */
export function adjustLevel({ sku_id, set, delta }: Adjustment, locationId: string | null): Sql {
  const target = set === undefined ? sql`l.on_hand + ${delta}::int` : sql`${set}::int`;
  return sql`
    with k as (
      select l.sku_id, l.location_id, ${target} as on_hand from stock_levels l
      where l.sku_id = ${sku_id}::uuid and l.location_id = ${locationId}::uuid for update
    ),
    adjusted as (
      update stock_levels l set on_hand = k.on_hand,
        shortfall = greatest(l.reserved - k.on_hand - l.backorder_limit, 0)
      from k where k.sku_id = l.sku_id and k.location_id = l.location_id and k.on_hand >= 0
      returning 1
    )
    select require(exists (select from adjusted), 'conflict',
      '{"param": "delta", "message": "There are fewer units on hand than that."}')`;
}

export interface AdjustedRow extends LevelRow {
  short_orders: { order_id: string; number: string; quantity: number }[];
}

/**
 * What is promised of a level, and how many of it an order was told to wait for: those bear what is missing first, as far as
 * backorders cover it.
 */
const promisedUnits = sql`
  select r.order_id, r.id, r.created_at, r.quantity, n.short,
    least(n.quantity, greatest(n.short - l.shortfall - sum(n.quantity) over w + n.quantity, 0)) as awaited
  from reservations r
  cross join lateral (
    select greatest(l.reserved - l.on_hand, 0) as short, case when exists (
      select from order_items i where i.order_id = r.order_id and i.backorder and (i.sku_id = r.sku_id
        or i.components @> jsonb_build_array(jsonb_build_object('sku_id', r.sku_id)))) then r.quantity else 0 end as quantity
  ) n
  where r.sku_id = l.sku_id and r.location_id = l.location_id
  window w as (order by r.created_at desc, r.id desc)`;

/**
 * The level, and the orders that were told nothing of what is missing: holds by hand give way first and are not named, then
 * the latest promises.
 */
export function adjustedLevel(skuId: string, locationId: string | null): Sql<AdjustedRow> {
  return sql<AdjustedRow>`
    select ${columns}, coalesce((
      select jsonb_agg(jsonb_build_object('order_id', k.order_id, 'number', orders.number,
        'quantity', least(k.quantity, k.short - k.before)) order by k.before)
      from (
        select p.order_id, p.short, p.quantity - p.awaited as quantity, sum(p.awaited) over ()
          + sum(p.quantity - p.awaited) over (order by p.order_id is null desc, p.created_at desc, p.id desc)
          - (p.quantity - p.awaited) as before
        from (${promisedUnits}) p
      ) k join orders on orders.id = k.order_id
      where k.quantity > 0 and k.before < k.short), '[]'::jsonb) as short_orders
    from ${tables}
    where l.sku_id = ${skuId}::uuid and l.location_id = ${locationId}::uuid`;
}

/** Only units that are promised to nobody may leave; both levels are locked in the one order first. */
export function transferUnits({ sku_id, from_location_id, to_location_id, quantity }: Transfer): Sql[] {
  return [
    sql`
      select require(${from_location_id}::uuid <> ${to_location_id}::uuid, 'validation_failed',
        '{"param": "to_location_id", "message": "Name two locations."}')`,
    sql`
      select 1 from stock_levels l
      where l.sku_id = ${sku_id}::uuid and l.location_id in (${from_location_id}::uuid, ${to_location_id}::uuid)
      order by l.sku_id, l.location_id for update`,
    sql`
      with moved as (
        update stock_levels l set on_hand = l.on_hand - ${quantity}::int
        where l.sku_id = ${sku_id}::uuid and l.location_id = ${from_location_id}::uuid
          and l.on_hand - l.reserved >= ${quantity}::int
        returning 1
      )
      select require(exists (select from moved), 'insufficient_stock',
        '{"param": "quantity", "message": "Fewer units than that are free there."}')`,
    sql`
      update stock_levels l set on_hand = l.on_hand + ${quantity}::int,
        shortfall = least(l.shortfall, greatest(l.reserved - l.on_hand - ${quantity}::int - l.backorder_limit, 0))
      where l.sku_id = ${sku_id}::uuid and l.location_id = ${to_location_id}::uuid`,
  ];
}

/** Behind a check of the version. A limit below what is promised on it is refused, a higher one covers a shortfall. */
export function patchLevel(
  { sku_id, location_id }: { sku_id: string; location_id: string },
  patch: LevelPatch,
  versions: readonly number[] | null,
): Sql[] {
  let set = sql`version = l.version + 1`;
  if (patch.backorder_limit !== undefined) {
    const limit = sql`${patch.backorder_limit}::int`;
    set = sql`${set}, backorder_limit = ${limit},
      shortfall = least(l.shortfall, greatest(l.reserved - l.on_hand - ${limit}, 0))`;
  }
  if (patch.safety_stock !== undefined) set = sql`${set}, safety_stock = ${patch.safety_stock}::int`;
  if (patch.low_stock_threshold !== undefined)
    set = sql`${set}, low_stock_threshold = ${patch.low_stock_threshold}::int`;
  if (patch.expected_at !== undefined) set = sql`${set}, expected_at = ${patch.expected_at}::timestamptz`;
  const own = sql`l.sku_id = ${sku_id}::uuid and l.location_id = ${location_id}::uuid`;
  return [
    sql`
      select
        require(l.sku_id is not null, 'not_found', '{"param": "sku_id", "message": "No such stock level."}'),
        require(${versions}::int[] is null or l.version = any(${versions}::int[]), 'precondition_failed',
          '{"param": "If-Match", "message": "The level has changed since."}'),
        require(l.reserved <= l.on_hand + coalesce(${patch.backorder_limit ?? null}::int, l.backorder_limit) + l.shortfall,
          'conflict', '{"param": "backorder_limit", "message": "More units than that are promised on backorder."}')
      from (select 1) always left join (select * from stock_levels l where ${own} for update) l on true`,
    sql`update stock_levels l set ${set} where ${own}`,
  ];
}

export type MovementRow = z.output<typeof StockMovement>;

export function movementPage(query: MovementQuery, before: string | null): Sql<MovementRow> {
  return sql<MovementRow>`
    select id, sku_id, location_id, on_hand_delta, reserved_delta, shortfall_delta, reason, reference, actor, created_at
    from stock_movements
    where true
      ${query.sku_id === undefined ? nothing : sql`and sku_id = ${query.sku_id}::uuid`}
      ${query.location_id === undefined ? nothing : sql`and location_id = ${query.location_id}::uuid`}
      ${before === null ? nothing : sql`and id < ${before}::bigint`}
    order by id desc limit ${query.limit + 1}::int`;
}
