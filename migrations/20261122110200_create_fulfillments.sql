-- An order after it is placed: what leaves, what is taken back before it does, and what was said about it.
alter table orders
  drop constraint orders_status_check,
  add constraint orders_status_check check (status in ('pending', 'confirmed', 'completed', 'failed', 'canceled')),
  drop constraint orders_fulfillment_status_check,
  add constraint orders_fulfillment_status_check check (fulfillment_status in
    ('unfulfilled', 'partially_fulfilled', 'fulfilled', 'delivered', 'canceled')),
  add column canceled_at timestamptz,
  add column cancel_reason text check (length(cancel_reason) <= 200);

alter table order_items
  add column fulfilled_quantity int not null default 0 check (fulfilled_quantity >= 0),
  add column canceled_quantity int not null default 0 check (canceled_quantity >= 0),
  -- Canceled units whose money was never taken, and how much of the line that is.
  add column waived_quantity int not null default 0 check (waived_quantity >= 0),
  add column waived_amount bigint not null default 0 check (waived_amount between 0 and total),
  add constraint order_items_accounted check (
    fulfilled_quantity + canceled_quantity <= quantity and waived_quantity <= canceled_quantity);

-- Of the amount, what is not to be taken any more since its units were canceled before it was.
alter table payments add column waived_amount bigint not null default 0 check (waived_amount between 0 and amount);

create table fulfillments (
  id uuid primary key,
  order_id uuid not null references orders,
  version int not null default 1,
  method text not null check (method in ('shipment', 'pickup', 'digital')),
  status text not null check (status in ('pending', 'shipped', 'ready_for_pickup', 'delivered', 'canceled')),
  location_id uuid references stock_locations,
  created_at timestamptz not null default now(),
  shipped_at timestamptz,
  delivered_at timestamptz,
  canceled_at timestamptz
);
create index fulfillments_order on fulfillments (order_id, id);

create table fulfillment_items (
  fulfillment_id uuid not null references fulfillments,
  order_item_id uuid not null references order_items,
  quantity int not null check (quantity > 0),
  primary key (fulfillment_id, order_item_id)
);
create index fulfillment_items_item on fulfillment_items (order_item_id);

create table parcels (
  id uuid primary key,
  fulfillment_id uuid not null references fulfillments,
  carrier text check (length(carrier) <= 100),
  tracking_number text check (length(tracking_number) <= 100),
  tracking_url text check (length(tracking_url) <= 500),
  created_at timestamptz not null default now()
);
create index parcels_fulfillment on parcels (fulfillment_id, id);

-- The timeline: every confirmed change of an order in its order, with who made it. Returns, exchanges and edits will be
-- further kinds of change.
create table order_changes (
  id uuid primary key,
  order_id uuid not null references orders,
  type text not null check (type ~ '^[a-z_]+(\.[a-z_]+)?$'),
  actor_kind text not null check (actor_kind in ('guest', 'customer', 'staff', 'key', 'system')),
  actor_id uuid,
  details jsonb not null default '{}',
  created_at timestamptz not null default now()
);
create index order_changes_order on order_changes (order_id, id);
revoke update, delete on order_changes from ecommerce_app;

create table order_notes (
  id uuid primary key,
  order_id uuid not null references orders,
  author_id uuid,
  body text not null check (length(body) between 1 and 2000),
  visible_to_customer boolean not null default false,
  created_at timestamptz not null default now()
);
create index order_notes_order on order_notes (order_id, id);
