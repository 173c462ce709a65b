create table accounts (
  id uuid primary key,
  kind text not null check (kind in ('customer', 'staff')),
  email text not null check (length(email) <= 254),
  password_hash text not null,
  status text not null default 'active' check (status in ('active', 'deactivated')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index accounts_email on accounts (lower(email));

create table sessions (
  id uuid primary key,
  account_id uuid not null references accounts on delete cascade,
  generation int not null default 1 check (generation >= 1),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz
);
create index sessions_account on sessions (account_id);

create table customers (
  id uuid primary key references accounts on delete cascade,
  first_name text,
  last_name text,
  phone text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
