create table categories (
  id uuid primary key,
  parent_id uuid references categories,
  handle text not null unique check (handle ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  name text not null,
  position int not null default 0,
  created_at timestamptz not null default now()
);
create index categories_parent on categories (parent_id);

create table products (
  id uuid primary key,
  handle text not null unique check (handle ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  title text not null,
  description text not null default '',
  status text not null default 'draft' check (status in ('draft', 'active', 'archived')),
  -- [{ "name": "Size", "values": ["S", "M"] }]
  options jsonb not null default '[]',
  -- [{ "url": "https://...", "alt": "..." }]
  images jsonb not null default '[]',
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index products_active on products (id desc) where status = 'active';
create index products_active_title on products (title, id) where status = 'active';

create table product_categories (
  product_id uuid not null references products on delete cascade,
  category_id uuid not null references categories on delete cascade,
  primary key (product_id, category_id)
);
create index product_categories_category on product_categories (category_id, product_id);

create table skus (
  id uuid primary key,
  product_id uuid not null references products,
  code text not null unique check (length(code) between 1 and 64),
  title text not null,
  -- { "Size": "S" }
  options jsonb not null default '{}',
  position int not null default 0,
  status text not null default 'active' check (status in ('active', 'archived')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index skus_product on skus (product_id, position);

-- Amounts are integer minor units of the currency.
create table prices (
  sku_id uuid not null references skus on delete cascade,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  amount bigint not null check (amount between 0 and 1000000000),
  compare_at_amount bigint check (compare_at_amount >= amount),
  primary key (sku_id, currency)
);
