create table stock_locations (
  id uuid primary key,
  code text not null unique check (code ~ '^[a-z0-9-]{1,32}$'),
  name text not null,
  -- Allocation takes from the lowest number first.
  priority int not null default 0,
  created_at timestamptz not null default now()
);

create table stock_levels (
  sku_id uuid not null references skus,
  location_id uuid not null references stock_locations,
  on_hand int not null check (on_hand >= 0),
  reserved int not null default 0 check (reserved >= 0),
  primary key (sku_id, location_id),
  constraint stock_levels_not_oversold check (reserved <= on_hand)
);
