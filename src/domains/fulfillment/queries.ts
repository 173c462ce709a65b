import { json, jsonTime, nothing, sql, type Sql } from '../../platform/db/sql.ts';
import type { FulfillmentStatus, Method } from './rules.ts';
import type { Fulfillment, LineInput, ParcelInput } from './schema.ts';

const items = sql`(
  select jsonb_agg(jsonb_build_object('item_id', i.order_item_id, 'quantity', i.quantity) order by l.position)
  from fulfillment_items i join order_items l on l.id = i.order_item_id where i.fulfillment_id = f.id)`;

const parcels = sql`coalesce((
  select jsonb_agg(jsonb_build_object('id', p.id, 'carrier', p.carrier, 'tracking_number', p.tracking_number,
    'tracking_url', p.tracking_url) order by p.id)
  from parcels p where p.fulfillment_id = f.id), '[]'::jsonb)`;

const shipment = sql`
  'id', f.id, 'method', f.method, 'status', f.status, 'items', ${items}, 'parcels', ${parcels},
  'created_at', ${jsonTime(sql`f.created_at`)}, 'shipped_at', ${jsonTime(sql`f.shipped_at`)},
  'delivered_at', ${jsonTime(sql`f.delivered_at`)}`;

const staffOnly = sql`
  'order_id', f.order_id, 'version', f.version, 'location_id', f.location_id,
  'canceled_at', ${jsonTime(sql`f.canceled_at`)}`;

/** An order's shipments as a JSON array, for a statement that has the order's id; those that came to nothing are left out. */
export function shipmentsOf(orderId: Sql): Sql {
  return sql`coalesce((
    select jsonb_agg(jsonb_build_object(${shipment}) order by f.id)
    from fulfillments f where f.order_id = ${orderId} and f.status <> 'canceled'), '[]'::jsonb)`;
}

/** All of an order's fulfillments as a JSON array, as staff see them. */
export function fulfillmentsOf(orderId: Sql): Sql {
  return sql`coalesce((
    select jsonb_agg(jsonb_build_object(${shipment}, ${staffOnly}) order by f.id)
    from fulfillments f where f.order_id = ${orderId}), '[]'::jsonb)`;
}

export function fulfillmentById(orderId: string, id: string): Sql<{ fulfillment: Fulfillment }> {
  return sql<{ fulfillment: Fulfillment }>`
    select jsonb_build_object(${shipment}, ${staffOnly}) as fulfillment
    from fulfillments f where f.id = ${id}::uuid and f.order_id = ${orderId}::uuid`;
}

export interface NewFulfillmentRow {
  id: string;
  orderId: string;
  method: Method;
  status: FulfillmentStatus;
  locationId: string | null;
  lines: readonly LineInput[];
}

/** When it got where: the moment that units left, and the moment that they arrived. */
function timesOf(status: FulfillmentStatus): Sql {
  switch (status) {
    case 'shipped':
      return sql`, shipped_at = now()`;
    case 'delivered':
      return sql`, shipped_at = coalesce(shipped_at, now()), delivered_at = now()`;
    case 'canceled':
      return sql`, canceled_at = now()`;
    case 'pending':
    case 'ready_for_pickup':
      return nothing;
  }
}

export function insertFulfillment({ id, orderId, method, status, locationId, lines }: NewFulfillmentRow): Sql[] {
  return [
    sql`
      insert into fulfillments (id, order_id, method, status, location_id)
      values (${id}::uuid, ${orderId}::uuid, ${method}, ${status}, ${locationId}::uuid)`,
    sql`
      insert into fulfillment_items (fulfillment_id, order_item_id, quantity)
      select ${id}::uuid, l.item_id, l.quantity
      from jsonb_to_recordset(${json(lines)}::jsonb) as l(item_id uuid, quantity int)`,
    ...(status === 'pending'
      ? []
      : [sql`update fulfillments set status = ${status} ${timesOf(status)} where id = ${id}::uuid`]),
  ];
}

/** The next version, with another state if one is given. */
export function moveFulfillment(id: string, status: FulfillmentStatus | undefined): Sql {
  return sql`
    update fulfillments set version = version + 1
      ${status === undefined ? nothing : sql`, status = ${status} ${timesOf(status)}`}
    where id = ${id}::uuid`;
}

/** `ids` are of the new parcels, one for each. */
export function replaceParcels(id: string, given: readonly ParcelInput[], ids: readonly string[]): Sql[] {
  const rows = given.map((parcel, index) => ({ id: ids[index], ...parcel }));
  return [
    sql`delete from parcels where fulfillment_id = ${id}::uuid`,
    sql`
      insert into parcels (id, fulfillment_id, carrier, tracking_number, tracking_url)
      select p.id, ${id}::uuid, p.carrier, p.tracking_number, p.tracking_url
      from jsonb_to_recordset(${json(rows)}::jsonb)
        as p(id uuid, carrier text, tracking_number text, tracking_url text)`,
  ];
}
