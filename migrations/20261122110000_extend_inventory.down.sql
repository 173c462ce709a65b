drop view sku_availability;
drop trigger stock_levels_movement on stock_levels;
drop function record_stock_movement();
drop function append_stock_movement(uuid, uuid, int, int, int);
drop table stock_movements;
-- Units of confirmed orders had left the level in the older way of counting; holds are let go.
update stock_levels l set on_hand = greatest(l.on_hand - r.quantity, 0), reserved = l.reserved - r.quantity
from (select sku_id, location_id, sum(quantity)::int as quantity from reservations where committed_at is not null group by 1, 2) r
where r.sku_id = l.sku_id and r.location_id = l.location_id;
delete from reservations where committed_at is not null;
update stock_levels l set reserved = l.reserved - r.quantity
from (select sku_id, location_id, sum(quantity)::int as quantity from reservations where order_id is null group by 1, 2) r
where r.sku_id = l.sku_id and r.location_id = l.location_id;
delete from reservations where order_id is null;
-- Nothing can be promised before it is there: what pending orders wait for is taken as there.
update stock_levels set on_hand = reserved where on_hand < reserved;
drop index reservations_expiry;
drop index reservations_sku;
alter table reservations
  drop constraint reservations_hold_ends,
  drop constraint reservations_order_sku,
  drop column note,
  drop column committed_at,
  drop column expires_at,
  drop column id,
  alter column order_id set not null,
  add primary key (order_id, sku_id, location_id);
alter table order_items drop column components;
drop table kit_components;
drop table kits;
drop function assert_flat_kits();
alter table stock_levels
  drop constraint stock_levels_bounded,
  drop constraint stock_levels_not_oversold,
  drop column version,
  drop column expected_at,
  drop column low_stock_threshold,
  drop column safety_stock,
  drop column shortfall,
  drop column backorder_limit,
  add constraint stock_levels_not_oversold check (reserved <= on_hand);
alter table stock_locations drop column updated_at, drop column version, drop column countries, drop column active;
