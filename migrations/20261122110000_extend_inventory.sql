-- Stock that may be promised before it is there, stock that is kept back, kits, holds, and a ledger that always sums to
-- the level.
alter table stock_locations
  add column active boolean not null default true,
  -- Destinations that are served from here first; empty: none in particular.
  add column countries text[] not null default '{}',
  add column version int not null default 1,
  add column updated_at timestamptz not null default now();

alter table stock_levels
  add column backorder_limit int not null default 0 check (backorder_limit >= 0),
  -- Promised units that a count found missing: what is promised stays promised, and is owed.
  add column shortfall int not null default 0 check (shortfall >= 0),
  add column safety_stock int not null default 0 check (safety_stock >= 0),
  add column low_stock_threshold int check (low_stock_threshold >= 0),
  -- When more is expected, for buyers of a backorder or preorder.
  add column expected_at timestamptz,
  add column version int not null default 1,
  -- Sums of a level's own numbers stay inside int4.
  add constraint stock_levels_bounded check (
    on_hand <= 2000000000 and backorder_limit <= 100000000 and safety_stock <= 100000000),
  drop constraint stock_levels_not_oversold,
  add constraint stock_levels_not_oversold check (reserved <= on_hand + backorder_limit + shortfall);

-- A kit has no stock of its own: so many units of each component are one kit.
create table kits (
  sku_id uuid primary key references skus,
  version int not null default 1
);
create table kit_components (
  kit_sku_id uuid not null references kits on delete cascade,
  component_sku_id uuid not null references skus,
  quantity int not null check (quantity between 1 and 1000),
  primary key (kit_sku_id, component_sku_id),
  check (kit_sku_id <> component_sku_id)
);
create index kit_components_component on kit_components (component_sku_id);

-- No kit of kits: a component's own components would need a lock order of their own.
create function assert_flat_kits() returns trigger language plpgsql as $$
begin
  if exists (select from kit_components where kit_sku_id = new.component_sku_id or component_sku_id = new.kit_sku_id) then
    raise exception using errcode = '23514', message = 'a component may not be a kit', constraint = 'kit_components_flat';
  end if;
  return new;
end
$$;
create trigger kit_components_flat before insert or update on kit_components
  for each row execute function assert_flat_kits();

-- Promised units: to an order until they leave with a parcel (committed once it is confirmed), or held by hand until a time.
alter table reservations
  drop constraint reservations_pkey,
  alter column order_id drop not null,
  add column id uuid primary key default gen_random_uuid(),
  add column expires_at timestamptz,
  add column committed_at timestamptz,
  add column note text check (length(note) <= 500),
  add constraint reservations_order_sku unique (order_id, sku_id, location_id),
  add constraint reservations_hold_ends check (order_id is not null or expires_at is not null);
create index reservations_sku on reservations (sku_id, location_id);
create index reservations_expiry on reservations (expires_at) where expires_at is not null;

-- Until now units left the level when their order was confirmed; from now on they are promised until their parcel leaves.
with sold as (
  select i.order_id, i.sku_id, sum(i.quantity)::int as quantity, (
    select l.location_id from stock_levels l join stock_locations s on s.id = l.location_id
    where l.sku_id = i.sku_id order by s.priority, s.id limit 1) as location_id
  from order_items i join orders o on o.id = i.order_id and o.status = 'confirmed'
  group by i.order_id, i.sku_id
),
promised as (
  insert into reservations (order_id, sku_id, location_id, quantity, committed_at)
  select order_id, sku_id, location_id, quantity, now() from sold where location_id is not null
  returning sku_id, location_id, quantity
)
update stock_levels l set on_hand = l.on_hand + p.quantity, reserved = l.reserved + p.quantity
from (select sku_id, location_id, sum(quantity)::int as quantity from promised group by 1, 2) p
where p.sku_id = l.sku_id and p.location_id = l.location_id;

-- What one unit of the line was made of when it was ordered; null for a SKU that has stock itself.
alter table order_items add column components jsonb;

-- Every change of a level, whoever made it and however: appended by the level itself, never written to by the Worker.
create table stock_movements (
  id bigint generated always as identity primary key,
  sku_id uuid not null,
  location_id uuid not null,
  on_hand_delta int not null,
  reserved_delta int not null,
  shortfall_delta int not null,
  reason text not null,
  reference text,
  actor text,
  created_at timestamptz not null default now()
);
create index stock_movements_level on stock_movements (sku_id, location_id, id desc);
revoke insert, update, delete on stock_movements from ecommerce_app;

insert into stock_movements (sku_id, location_id, on_hand_delta, reserved_delta, shortfall_delta, reason)
select sku_id, location_id, on_hand, reserved, 0, 'opening' from stock_levels;

-- Reason, reference and actor are what the batch said with set_config().
create function append_stock_movement(sku uuid, location uuid, on_hand int, reserved int, shortfall int) returns void
language sql security definer set search_path = public, pg_temp as $$
  insert into stock_movements (sku_id, location_id, on_hand_delta, reserved_delta, shortfall_delta, reason, reference, actor)
  select sku, location, on_hand, reserved, shortfall,
    coalesce(nullif(current_setting('stock.reason', true), ''), 'unspecified'),
    nullif(current_setting('stock.reference', true), ''), nullif(current_setting('stock.actor', true), '')
  where (on_hand, reserved, shortfall) <> (0, 0, 0)
$$;
revoke execute on function append_stock_movement(uuid, uuid, int, int, int) from public;

-- A level that moves to another SKU or location leaves the one and enters the other. A low level is told once, when it
-- gets there.
create function record_stock_movement() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if tg_op = 'UPDATE' and (new.sku_id, new.location_id) = (old.sku_id, old.location_id) then
    perform append_stock_movement(new.sku_id, new.location_id, new.on_hand - old.on_hand, new.reserved - old.reserved,
      new.shortfall - old.shortfall);
    if new.on_hand - new.reserved <= new.low_stock_threshold and old.on_hand - old.reserved > new.low_stock_threshold then
      insert into outbox_events (id, type, aggregate_id, payload)
      values (gen_random_uuid(), 'stock.low', new.sku_id::text, jsonb_build_object(
        'sku_id', new.sku_id, 'location_id', new.location_id, 'on_hand', new.on_hand, 'reserved', new.reserved,
        'threshold', new.low_stock_threshold));
    end if;
    return null;
  end if;
  if tg_op <> 'INSERT' then
    perform append_stock_movement(old.sku_id, old.location_id, -old.on_hand, -old.reserved, -old.shortfall);
  end if;
  if tg_op <> 'DELETE' then
    perform append_stock_movement(new.sku_id, new.location_id, new.on_hand, new.reserved, new.shortfall);
  end if;
  return null;
end
$$;
create trigger stock_levels_movement after insert or update or delete on stock_levels
  for each row execute function record_stock_movement();

-- What can be promised of a SKU now: all locations together, or as many kits as its scarcest component makes. A view, not
-- a function: it is planned as part of whatever asks.
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
