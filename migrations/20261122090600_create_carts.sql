-- The id is a capability of 128 random bits: whoever holds a guest cart's id may use the cart.
create table carts (
  id text primary key,
  version int not null default 1,
  status text not null default 'open' check (status in ('open', 'completing', 'completed')),
  market_id uuid not null references markets,
  customer_id uuid references customers on delete set null,
  email text check (length(email) <= 254),
  shipping_address jsonb,
  billing_address jsonb,
  shipping_option_id uuid references shipping_options,
  note text check (length(note) <= 2000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index carts_customer on carts (customer_id) where customer_id is not null;
create index carts_expiry on carts (expires_at) where status = 'open';

create table cart_items (
  id uuid primary key,
  cart_id text not null references carts on delete cascade,
  sku_id uuid not null references skus,
  quantity int not null check (quantity >= 1),
  created_at timestamptz not null default now(),
  constraint cart_items_sku unique (cart_id, sku_id)
);

create table cart_discount_codes (
  cart_id text not null references carts on delete cascade,
  code text not null references discount_codes on delete cascade,
  added_at timestamptz not null default now(),
  primary key (cart_id, code)
);
