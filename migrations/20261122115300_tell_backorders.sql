-- What can be promised of a SKU now, how much of that is there, and when more is expected: all locations together, or as
-- many kits as its scarcest component makes. Of a kit it is known when each part that it lacks is expected, or nothing.
create or replace view sku_availability as
  select k.id as sku_id, least(coalesce(kit.quantity, own.quantity, 0), 2147483647)::int as quantity,
    least(coalesce(kit.there, own.there, 0), 2147483647)::int as there,
    case when kit.quantity is null then own.expected_at else kit.expected_at end as expected_at
  from skus k
  cross join lateral (
    select sum(greatest(l.on_hand + l.backorder_limit - l.safety_stock - l.reserved, 0)) as quantity,
      sum(greatest(l.on_hand - l.safety_stock - l.reserved, 0)) as there,
      -- A day that has gone by says nothing; where more is promised than there is, that location's day counts.
      coalesce(min(l.expected_at) filter (where l.expected_at > now() and l.backorder_limit > 0),
        min(l.expected_at) filter (where l.expected_at > now())) as expected_at
    from stock_levels l join stock_locations o on o.id = l.location_id and o.active
    where l.sku_id = k.id
  ) own
  cross join lateral (
    select min(coalesce(part.quantity, 0) / c.quantity) as quantity, min(coalesce(part.there, 0) / c.quantity) as there,
      case
        when bool_or(coalesce(part.there, 0) < c.quantity and part.expected_at is null) then null
        else coalesce(max(part.expected_at) filter (where coalesce(part.there, 0) < c.quantity), max(part.expected_at))
      end as expected_at
    from kit_components c
    cross join lateral (
      select sum(greatest(l.on_hand + l.backorder_limit - l.safety_stock - l.reserved, 0)) as quantity,
        sum(greatest(l.on_hand - l.safety_stock - l.reserved, 0)) as there,
        coalesce(min(l.expected_at) filter (where l.expected_at > now() and l.backorder_limit > 0),
          min(l.expected_at) filter (where l.expected_at > now())) as expected_at
      from stock_levels l join stock_locations o on o.id = l.location_id and o.active
      where l.sku_id = c.component_sku_id
    ) part
    where c.kit_sku_id = k.id
  ) kit;

-- Whether units of the line had yet to come when it was ordered, and when they were expected then.
alter table order_items
  add column backorder boolean not null default false,
  add column expected_at timestamptz;
