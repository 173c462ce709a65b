-- Units that stand ready for whoever comes for them, of those that are promised: nobody else gets these.
alter table reservations add column set_aside int not null default 0 check (set_aside >= 0);
create index reservations_set_aside on reservations (sku_id, location_id) where set_aside > 0;

-- What is ready by now, at its location; where none was named, what is left at the order's locations in turn.
with ready as (
  select f.order_id, coalesce(c.sku_id, i.sku_id) as sku_id, f.location_id,
    sum(fi.quantity * coalesce(c.quantity, 1)) as quantity
  from fulfillments f
  join fulfillment_items fi on fi.fulfillment_id = f.id
  join order_items i on i.id = fi.order_item_id
  left join lateral jsonb_to_recordset(i.components) as c(sku_id uuid, quantity int) on true
  where f.status = 'ready_for_pickup' and f.shipped_at is null
  group by 1, 2, 3
),
named as (
  select r.id, r.order_id, r.sku_id, r.location_id, r.quantity, least(r.quantity, coalesce(y.quantity, 0)) as here
  from reservations r
  left join ready y on y.order_id = r.order_id and y.sku_id = r.sku_id and y.location_id = r.location_id
  where r.order_id in (select order_id from ready)
),
shares as (
  select n.id, n.here + least(n.quantity - n.here, greatest(0, coalesce(y.quantity, 0) - (
    sum(n.quantity - n.here) over (partition by n.order_id, n.sku_id order by n.location_id) - n.quantity + n.here
  ))) as quantity
  from named n
  left join ready y on y.order_id = n.order_id and y.sku_id = n.sku_id and y.location_id is null
)
update reservations r set set_aside = s.quantity from shares s where s.id = r.id and s.quantity > 0;
