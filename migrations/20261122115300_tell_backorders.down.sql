alter table order_items
  drop column expected_at,
  drop column backorder;

drop view sku_availability;
create view sku_availability as
  select k.id as sku_id, least(coalesce(kit.quantity, own.quantity, 0), 2147483647)::int as quantity
  from skus k
  cross join lateral (
    select sum(greatest(l.on_hand + l.backorder_limit - l.safety_stock - l.reserved, 0)) as quantity
    from stock_levels l join stock_locations o on o.id = l.location_id and o.active
    where l.sku_id = k.id
  ) own
  cross join lateral (
    select min(coalesce((
      select sum(greatest(l.on_hand + l.backorder_limit - l.safety_stock - l.reserved, 0))
      from stock_levels l join stock_locations o on o.id = l.location_id and o.active
      where l.sku_id = c.component_sku_id), 0) / c.quantity) as quantity
    from kit_components c where c.kit_sku_id = k.id
  ) kit;
