create table customer_addresses (
  id uuid primary key,
  customer_id uuid not null references customers on delete cascade,
  address jsonb not null,
  is_default_shipping boolean not null default false,
  is_default_billing boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index customer_addresses_customer on customer_addresses (customer_id, id);
create unique index customer_addresses_default_shipping on customer_addresses (customer_id) where is_default_shipping;
create unique index customer_addresses_default_billing on customer_addresses (customer_id) where is_default_billing;
