-- A superuser takes back what was handed over. That nobody may create in the schema is not undone.
do $$
declare
  object record;
begin
  if not (select rolsuper from pg_roles where rolname = current_user) then
    return;
  end if;
  for object in
    select 'table' as kind, oid::regclass::text as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and relowner = 'ecommerce_owner'::regrole
    union all
    select 'routine', oid::regprocedure::text from pg_proc
    where pronamespace = 'public'::regnamespace and proowner = 'ecommerce_owner'::regrole
  loop
    execute format('alter %s %s owner to current_user', object.kind, object.name);
  end loop;
  alter default privileges for role ecommerce_owner in schema public
    revoke select, insert, update, delete on tables from ecommerce_app;
  revoke usage, create on schema public from ecommerce_owner;
end
$$;

do $$
declare
  setting text;
begin
  foreach setting in array array['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'] loop
    execute format('alter role ecommerce_app in database %I reset %s', current_database(), setting);
  end loop;
  execute format('grant temporary on database %I to public', current_database());
exception when insufficient_privilege then
  raise notice 'ecommerce_app keeps its limits as they are: %', sqlerrm;
end
$$;
drop function restrict_app_role();
