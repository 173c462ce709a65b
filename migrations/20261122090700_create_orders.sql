create table orders (
  id uuid primary key,
  number text not null unique,
  version int not null default 1,
  status text not null check (status in ('pending', 'confirmed', 'failed', 'canceled')),
  fulfillment_status text not null default 'unfulfilled' check (fulfillment_status in ('unfulfilled', 'partially_fulfilled', 'fulfilled')),
  cart_id text not null references carts,
  customer_id uuid references customers on delete set null,
  email text not null,
  market_id uuid not null references markets,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  tax_inclusive boolean not null,
  shipping_address jsonb not null,
  billing_address jsonb not null,
  shipping_option_name text not null,
  note text,
  discount_codes text[] not null default '{}',
  promotions jsonb not null default '[]',
  subtotal bigint not null check (subtotal >= 0),
  discount_total bigint not null check (discount_total >= 0),
  shipping_total bigint not null check (shipping_total >= 0),
  shipping_tax_total bigint not null check (shipping_tax_total >= 0),
  tax_total bigint not null check (tax_total >= 0),
  gift_card_total bigint not null default 0 check (gift_card_total >= 0),
  total bigint not null check (total >= 0),
  -- The fence of settlement: who may finish this order, and until when nobody else may try (database clock).
  attempt uuid not null,
  lease_until timestamptz not null,
  created_at timestamptz not null default now(),
  placed_at timestamptz
);
-- One live order a cart; failed attempts do not count, so another card can be tried.
create unique index orders_live_cart on orders (cart_id) where status <> 'failed';
create index orders_customer on orders (customer_id, id desc) where customer_id is not null;
create index orders_pending on orders (lease_until) where status = 'pending';

create table order_items (
  id uuid primary key,
  order_id uuid not null references orders,
  position int not null,
  sku_id uuid not null references skus,
  sku_code text not null,
  title text not null,
  quantity int not null check (quantity > 0),
  unit_price bigint not null check (unit_price >= 0),
  subtotal bigint not null check (subtotal >= 0),
  discount_total bigint not null check (discount_total >= 0),
  tax_rate_ppm int not null,
  tax_total bigint not null check (tax_total >= 0),
  total bigint not null check (total >= 0)
);
create index order_items_order on order_items (order_id, position);

-- Units promised to an order that is not yet confirmed. They stay until the order is confirmed or failed.
create table reservations (
  order_id uuid not null references orders,
  sku_id uuid not null,
  location_id uuid not null,
  quantity int not null check (quantity > 0),
  created_at timestamptz not null default now(),
  primary key (order_id, sku_id, location_id),
  foreign key (sku_id, location_id) references stock_levels
);

create table payments (
  id uuid primary key,
  order_id uuid not null references orders,
  provider text not null check (provider in ('test', 'manual', 'stripe')),
  capture text not null check (capture in ('automatic', 'manual')),
  currency text not null,
  amount bigint not null check (amount >= 0),
  -- Kept only until the payment is settled: a crashed attempt is finished with it.
  token text,
  provider_reference text,
  next_action jsonb,
  created_at timestamptz not null default now()
);
create index payments_order on payments (order_id);

-- The ledger: appended to, never changed. States and sums are computed from it.
create table payment_transactions (
  id uuid primary key,
  payment_id uuid not null references payments,
  kind text not null check (kind in ('authorize', 'capture', 'void', 'refund', 'chargeback')),
  outcome text not null check (outcome in ('request', 'pending', 'success', 'failure')),
  amount bigint not null check (amount >= 0),
  provider_reference text,
  reason text,
  created_at timestamptz not null default now()
);
create index payment_transactions_payment on payment_transactions (payment_id, id);
revoke update, delete on payment_transactions from ecommerce_app;

create table payment_webhook_events (
  provider text not null,
  event_id text not null,
  payment_id uuid,
  type text not null,
  received_at timestamptz not null default now(),
  applied_at timestamptz,
  primary key (provider, event_id)
);
