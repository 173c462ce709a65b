-- Units that stand ready for whoever comes for them, of those that are promised: nobody else gets these.
alter table reservations add column set_aside int not null default 0 check (set_aside >= 0);
create index reservations_set_aside on reservations (sku_id, location_id) where set_aside > 0;

-- What is ready by now, at its location or, where none was named, at the order's locations in turn.
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
shares as (
  select r.id, least(r.quantity, greatest(0, y.quantity - (
    sum(r.quantity) over (partition by r.order_id, r.sku_id, y.location_id order by r.location_id) - r.quantity))) as quantity
  from ready y
  join reservations r on r.order_id = y.order_id and r.sku_id = y.sku_id and r.location_id = coalesce(y.location_id, r.location_id)
)
update reservations r set set_aside = least(r.quantity, s.quantity)
from (select id, sum(quantity) as quantity from shares group by id) s
where s.id = r.id and s.quantity > 0;
