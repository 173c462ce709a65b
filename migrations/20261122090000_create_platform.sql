-- What every domain stands on: the abort function, idempotency keys, the transactional outbox, the Worker's role.

do $$
begin
  if not exists (select from pg_roles where rolname = 'ecommerce_app') then
    create role ecommerce_app nologin;
  end if;
end
$$;

grant usage on schema public to ecommerce_app;
alter default privileges in schema public grant select, insert, update, delete on tables to ecommerce_app;

-- A batch over HTTP has no control flow: a statement that must abort it selects this function.
-- SQLSTATE EC001 is ours; message carries the error code, detail the JSON that the Worker may read.
create function require(ok boolean, code text, detail jsonb default null) returns void
language plpgsql as $$
begin
  if ok is not true then
    raise exception using errcode = 'EC001', message = code, detail = coalesce(detail::text, '');
  end if;
end
$$;

create table idempotency_keys (
  scope text not null check (length(scope) <= 400),
  key text not null check (length(key) between 1 and 255),
  request_hash text not null,
  state text not null check (state in ('in_flight', 'done')),
  attempt uuid not null,
  lease_until timestamptz not null,
  resource_id text,
  status int,
  body text,
  created_at timestamptz not null default now(),
  primary key (scope, key)
);
create index idempotency_keys_done on idempotency_keys (created_at) where state = 'done';
create index idempotency_keys_resource on idempotency_keys (resource_id) where state = 'in_flight';

create table outbox_events (
  id uuid primary key,
  type text not null,
  aggregate_id text not null,
  payload jsonb not null,
  created_at timestamptz not null default now(),
  attempts int not null default 0,
  next_attempt_at timestamptz not null default now(),
  delivered_at timestamptz,
  dead_at timestamptz,
  last_error text
);
create index outbox_events_due on outbox_events (next_attempt_at) where delivered_at is null and dead_at is null;
