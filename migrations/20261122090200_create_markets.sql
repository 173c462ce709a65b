create table markets (
  id uuid primary key,
  code text not null unique check (code ~ '^[a-z0-9-]{1,32}$'),
  name text not null,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  tax_inclusive boolean not null,
  countries text[] not null,
  manual_payments boolean not null default false,
  is_default boolean not null default false,
  created_at timestamptz not null default now()
);
create unique index markets_default on markets (is_default) where is_default;

-- A rate in parts per million: 8.875 % is 88750. One rate a country.
create table tax_rates (
  id uuid primary key,
  country text not null unique check (country ~ '^[A-Z]{2}$'),
  name text not null,
  rate_ppm int not null check (rate_ppm between 0 and 1000000),
  created_at timestamptz not null default now()
);
