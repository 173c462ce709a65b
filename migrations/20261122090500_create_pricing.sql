create table discount_codes (
  code text primary key check (code = upper(code) and length(code) between 1 and 64),
  name text not null,
  kind text not null check (kind in ('percent', 'fixed')),
  rate_ppm int check (rate_ppm between 1 and 1000000),
  amount bigint check (amount > 0),
  currency text check (currency ~ '^[A-Z]{3}$'),
  starts_at timestamptz,
  ends_at timestamptz,
  created_at timestamptz not null default now(),
  check ((kind = 'percent') = (rate_ppm is not null)),
  check ((kind = 'fixed') = (amount is not null and currency is not null))
);

create table shipping_options (
  id uuid primary key,
  market_id uuid not null references markets,
  code text not null unique,
  name text not null,
  countries text[] not null,
  amount bigint not null check (amount between 0 and 1000000000),
  position int not null default 0,
  active boolean not null default true,
  created_at timestamptz not null default now()
);
create index shipping_options_market on shipping_options (market_id, position);
