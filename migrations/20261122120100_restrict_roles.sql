-- Who owns the schema, and what the Worker's role may do and for how long.

-- A dump holds this function, but neither the settings nor the rights of a database: whoever restores one calls it.
create function restrict_app_role() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  setting text;
begin
  revoke create on schema public from public, ecommerce_app;
  execute format('revoke create, temporary on database %I from public, ecommerce_app', current_database());
  -- Also after somebody has granted all on all tables: what is only added to stays so.
  revoke update, delete on public.audit_log, public.order_changes, public.payment_transactions, public.refunds,
    public.refund_items, public.stock_movements from ecommerce_app;
  revoke insert on public.stock_movements from ecommerce_app;
  if to_regclass('public.schema_migrations') is not null then
    revoke all on public.schema_migrations from ecommerce_app;
  end if;
  begin
    -- Longer than the Worker waits (DATABASE_TIMEOUT_MS): this ends what nobody waits for any more.
    foreach setting in array array[
      'statement_timeout = ''15s''', 'lock_timeout = ''5s''', 'idle_in_transaction_session_timeout = ''15s''']
    loop
      execute format('alter role ecommerce_app in database %I set %s', current_database(), setting);
    end loop;
  exception when insufficient_privilege then
    raise notice 'ecommerce_app has no time limits: %. Who may alter that role calls restrict_app_role().', sqlerrm;
  end;
end
$$;
revoke execute on function restrict_app_role() from public;
do $$ begin perform restrict_app_role(); end $$;

-- A superuser who migrates owns nothing in the end: a security definer function of theirs would be a way up.
do $$
declare
  object record;
begin
  if not (select rolsuper from pg_roles where rolname = current_user) then
    return;
  end if;
  if not exists (select from pg_roles where rolname = 'ecommerce_owner') then
    create role ecommerce_owner nologin;
  end if;
  grant usage, create on schema public to ecommerce_owner;
  alter default privileges for role ecommerce_owner in schema public
    grant select, insert, update, delete on tables to ecommerce_app;
  for object in
    select 'table' as kind, oid::regclass::text as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and relowner = current_user::regrole
      and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e')
    union all
    select 'routine', oid::regprocedure::text from pg_proc
    where pronamespace = 'public'::regnamespace and proowner = current_user::regrole
      and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
  loop
    execute format('alter %s %s owner to ecommerce_owner', object.kind, object.name);
  end loop;
end
$$;
