create table roles (
  id uuid primary key,
  code text not null unique check (code ~ '^[a-z0-9-]{1,40}$'),
  name text not null check (length(name) <= 100),
  -- resource:action, or * for all there are.
  permissions text[] not null default '{}',
  built_in boolean not null default false,
  version int not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Staff are few among many customers.
create index accounts_staff on accounts (id desc) where kind = 'staff';

create table account_roles (
  account_id uuid not null references accounts on delete cascade,
  role_id uuid not null references roles,
  granted_at timestamptz not null default now(),
  primary key (account_id, role_id)
);
create index account_roles_role on account_roles (role_id);

create table api_keys (
  id uuid primary key,
  -- Whose permissions bound the key's, today and whenever it is used.
  account_id uuid not null references accounts on delete cascade,
  name text not null check (length(name) <= 100),
  digest text not null unique,
  -- The first characters, for people to tell keys apart.
  hint text not null,
  permissions text[] not null,
  version int not null default 1,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index api_keys_account on api_keys (account_id);

-- Who did what to which row: ids and names of fields, never a person's data. Appended to, never changed.
create table audit_log (
  id uuid primary key,
  actor_kind text not null check (actor_kind in ('guest', 'customer', 'staff', 'key', 'system')),
  actor_id uuid,
  action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
  resource_type text not null,
  resource_id text,
  details jsonb not null default '{}',
  request_id text,
  created_at timestamptz not null default now()
);
create index audit_log_resource on audit_log (resource_type, resource_id, id desc);
create index audit_log_actor on audit_log (actor_id, id desc);
create index audit_log_action on audit_log (action, id desc);
revoke update, delete on audit_log from ecommerce_app;

insert into roles (id, code, name, permissions, built_in) values
  ('00000000-0000-7000-8000-000000000001', 'owner', 'Owner', '{*}', true),
  ('00000000-0000-7000-8000-000000000002', 'manager', 'Manager', '{
    products:read,products:write,categories:read,categories:write,inventory:read,inventory:write,prices:read,prices:write,
    promotions:read,promotions:write,settings:read,settings:write,orders:read,orders:write,fulfillments:write,
    payments:read,payments:write,refunds:write,customers:read,customers:write,users:read,roles:read,events:read,
    events:write,audit_log:read,metrics:write}', true),
  ('00000000-0000-7000-8000-000000000003', 'support', 'Support', '{
    products:read,categories:read,inventory:read,prices:read,promotions:read,settings:read,orders:read,orders:write,
    fulfillments:write,payments:read,refunds:write,customers:read,customers:write}', true),
  ('00000000-0000-7000-8000-000000000004', 'catalog', 'Catalog', '{
    products:read,products:write,categories:read,categories:write,inventory:read,inventory:write,prices:read,prices:write,
    promotions:read,promotions:write,settings:read}', true),
  ('00000000-0000-7000-8000-000000000005', 'read-only', 'Read only', '{
    products:read,categories:read,inventory:read,prices:read,promotions:read,settings:read,orders:read,payments:read,
    customers:read,users:read,roles:read,events:read,audit_log:read}', true);

-- Whoever was staff before there were roles could do everything.
insert into account_roles (account_id, role_id)
select id, '00000000-0000-7000-8000-000000000001' from accounts where kind = 'staff';
