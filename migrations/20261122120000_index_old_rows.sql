-- How the clock finds what has been kept long enough, without reading what has not.
create index outbox_events_delivered on outbox_events (delivered_at) where delivered_at is not null;
create index outbox_events_dead on outbox_events (dead_at) where dead_at is not null;
create index payment_webhook_events_applied on payment_webhook_events (applied_at) where applied_at is not null;
-- Whoever removes a cart asks for its orders, and so does the foreign key; the other index leaves out those that failed.
create index orders_cart on orders (cart_id);

-- The Worker's role may only add to the log. Through this it may be rid of its oldest rows, and of none under a year.
-- Ids are UUIDv7, so the oldest come first in the primary key.
create function remove_old_audit_entries(kept_days int, rows_max int) returns int
language sql security definer set search_path = public, pg_temp as $$
  with gone as (
    delete from audit_log where created_at < now() - make_interval(days => greatest(kept_days, 365))
      and id in (select id from audit_log order by id limit least(rows_max, 10000) for update skip locked)
    returning 1
  )
  select count(*)::int from gone
$$;
revoke execute on function remove_old_audit_entries(int, int) from public;
grant execute on function remove_old_audit_entries(int, int) to ecommerce_app;
