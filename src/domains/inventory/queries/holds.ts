import { nothing, sql, type Sql } from '../../../platform/db/sql.ts';
import type * as z from 'zod';
import type { NewHold, Reservation, ReservationQuery } from '../schema.ts';

export type ReservationRow = z.output<typeof Reservation>;

/** Units of an order whose payment is under way have no end: see `releaseOverdue`. */
function reservations(where: Sql, tail: Sql): Sql<ReservationRow> {
  return sql<ReservationRow>`
    select r.id, r.sku_id, r.location_id, r.quantity, r.order_id, r.note, r.committed_at,
      case when o.status is distinct from 'pending' then r.expires_at end as expires_at, r.created_at
    from reservations r left join orders o on o.id = r.order_id where ${where} ${tail}`;
}

export function reservationPage(query: ReservationQuery, after: string | null): Sql<ReservationRow> {
  return reservations(
    sql`true
      ${query.sku_id === undefined ? nothing : sql`and r.sku_id = ${query.sku_id}::uuid`}
      ${query.order_id === undefined ? nothing : sql`and r.order_id = ${query.order_id}::uuid`}
      ${after === null ? nothing : sql`and r.id > ${after}::uuid`}`,
    sql`order by r.id limit ${query.limit + 1}::int`,
  );
}

export function reservationById(id: string): Sql<ReservationRow> {
  return reservations(sql`r.id = ${id}::uuid`, nothing);
}

const free = sql`l.on_hand - l.safety_stock - l.reserved`;

/** Where that many are free: there rather than on backorder, and then by priority, as for an order. Levels are locked by now. */
function locationWith({ sku_id, location_id, quantity }: Pick<NewHold, 'sku_id' | 'location_id' | 'quantity'>): Sql {
  return sql`
    select l.location_id from stock_levels l join stock_locations s on s.id = l.location_id and s.active
    where l.sku_id = ${sku_id}::uuid and ${free} + l.backorder_limit >= ${quantity}::int
      ${location_id === undefined ? nothing : sql`and l.location_id = ${location_id}::uuid`}
    order by ${free} >= ${quantity}::int desc, s.priority, l.location_id limit 1`;
}

/** Units for a while, all from one location; aborts when fewer are free at each, or at the one that is named. */
export function insertHold(id: string, { sku_id, location_id, quantity, expires_in, note }: NewHold): Sql {
  return sql`
    with held as (
      update stock_levels l set reserved = l.reserved + ${quantity}::int
      where l.sku_id = ${sku_id}::uuid and l.location_id = (${locationWith({ sku_id, location_id, quantity })})
        and ${free} + l.backorder_limit >= ${quantity}::int
      returning l.sku_id, l.location_id
    ),
    promised as (
      insert into reservations (id, sku_id, location_id, quantity, expires_at, note)
      select ${id}::uuid, sku_id, location_id, ${quantity}::int, now() + make_interval(secs => ${expires_in}::int),
        ${note ?? null}
      from held
      returning 1
    )
    select require(exists (select from promised), 'insufficient_stock',
      '{"param": "quantity", "message": "Fewer units than that are free at one location."}')`;
}

/** An order's units are let go by what becomes of the order, never by hand. */
export function requireHold(id: string): Sql {
  return sql`
    select
      require(r.id is not null, 'not_found', '{"param": "id", "message": "No such reservation."}'),
      require(r.order_id is null, 'conflict', '{"param": "id", "message": "These units are promised to an order."}')
    from (select 1) always left join (select * from reservations where id = ${id}::uuid for update) r on true`;
}

/** One row, for a batch that ends a hold. */
export function holdIsGone(id: string): Sql<{ id: string }> {
  return sql<{
    id: string;
  }>`select ${id}::uuid as id where not exists (select from reservations where id = ${id}::uuid)`;
}
