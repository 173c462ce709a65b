-- What must hold of the shop's data, one row a check: its name, how many rows break it, and one of them.
-- Reads only, so it may also be run on the live database: psql $DATABASE_URL -f deploy/backup/verify.sql
with faults (what, row) as (
  select 'an order is the sum of its lines', o.id::text from orders o
  join lateral (
    select sum(i.subtotal) as subtotal, sum(i.discount_total) as discount, sum(i.tax_total) as tax, sum(i.total) as total
    from order_items i where i.order_id = o.id) l on true
  where (o.subtotal, o.discount_total, o.tax_total, o.total + o.gift_card_total) is distinct from
    (l.subtotal, l.discount, l.tax + o.shipping_tax_total,
     l.total + o.shipping_total + case when o.tax_inclusive then 0 else o.shipping_tax_total end)
  union all
  select 'a line is its price times its units', i.id::text from order_items i join orders o on o.id = i.order_id
  where i.subtotal <> i.quantity * i.unit_price
    or i.total <> i.subtotal - i.discount_total + case when o.tax_inclusive then 0 else i.tax_total end
  union all
  select 'what an order costs is to be paid', o.id::text from orders o
  where o.status in ('confirmed', 'completed') and o.total > 0
    and o.total is distinct from (select sum(p.amount) from payments p where p.order_id = o.id)
  union all
  select 'a payment takes and gives back no more than there is', b.payment_id::text from payment_balances b
  where b.captured > b.amount or b.refunded > b.captured or b.charged_back > b.captured
  union all
  select 'a refund is what the ledger says', r.id::text from refunds r join payment_transactions t on t.id = r.request_id
  where (r.payment_id, r.amount, 'refund') is distinct from (t.payment_id, t.amount, t.kind)
  union all
  select 'a placed order was told', o.id::text from orders o
  where o.placed_at > (select max(created_at) from orders) - interval '14 days'
    and not exists (select from outbox_events e where e.aggregate_id = o.id::text and e.type = 'order.placed')
  union all
  select 'a cart has one order at most', cart_id from orders where status <> 'failed' group by cart_id having count(*) > 1
  union all
  select 'stock is the sum of its ledger', l.sku_id::text from stock_levels l
  join lateral (
    select coalesce(sum(m.on_hand_delta), 0) as on_hand, coalesce(sum(m.reserved_delta), 0) as reserved,
      coalesce(sum(m.shortfall_delta), 0) as shortfall
    from stock_movements m where m.sku_id = l.sku_id and m.location_id = l.location_id) m on true
  where (l.on_hand, l.reserved, l.shortfall) is distinct from (m.on_hand, m.reserved, m.shortfall)
  union all
  select 'what is reserved is promised to somebody', l.sku_id::text from stock_levels l
  where l.reserved <> (select coalesce(sum(r.quantity), 0) from reservations r
                       where r.sku_id = l.sku_id and r.location_id = l.location_id)
  union all
  select 'nothing is oversold', sku_id::text from stock_levels where reserved > on_hand + backorder_limit + shortfall
  union all
  select 'indexes and constraints are valid', indexrelid::regclass::text from pg_index where not indisvalid
  union all
  select 'indexes and constraints are valid', conname::text from pg_constraint where not convalidated
  union all
  select 'the ledger of stock goes on where it stopped', max(id)::text from stock_movements
  having max(id) > pg_sequence_last_value(pg_get_serial_sequence('stock_movements', 'id')::regclass)
  union all
  select 'the role of the Worker may do its work', relname::text from pg_class
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') and relname <> 'schema_migrations'
    and not has_table_privilege('ecommerce_app', oid, 'select')
  union all
  select 'the role of the Worker may do no more', relname::text from pg_class
  where relnamespace = 'public'::regnamespace and (
    relkind in ('r', 'p') and has_table_privilege('ecommerce_app', oid, 'truncate, references, trigger')
    or relname in ('audit_log', 'order_changes', 'payment_transactions', 'refunds', 'refund_items', 'stock_movements')
      and has_table_privilege('ecommerce_app', oid, 'update, delete')
    or relname = 'stock_movements' and has_table_privilege('ecommerce_app', oid, 'insert')
    or relname = 'schema_migrations' and has_table_privilege('ecommerce_app', oid, 'select, insert, update, delete')
    or pg_has_role('ecommerce_app', relowner, 'member'))
  union all
  select 'the role of the Worker may do no more', nspname::text from pg_namespace
  where nspname = 'public' and has_schema_privilege('ecommerce_app', oid, 'create')
  union all
  select 'the role of the Worker has its time limits', name from
    unnest(array['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']) as limits(name)
  where not exists (
    select from pg_db_role_setting s
    where s.setrole = 'ecommerce_app'::regrole
      and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
      and exists (select from unnest(s.setconfig) as c(setting) where setting like limits.name || '=%'
                    and setting not like '%=0'))
)
select checks.what, count(faults.row) as faults, min(faults.row) as example
from (values
  (1, 'an order is the sum of its lines'), (2, 'a line is its price times its units'),
  (3, 'what an order costs is to be paid'), (4, 'a payment takes and gives back no more than there is'),
  (5, 'a refund is what the ledger says'), (6, 'a placed order was told'), (7, 'a cart has one order at most'),
  (8, 'stock is the sum of its ledger'), (9, 'what is reserved is promised to somebody'), (10, 'nothing is oversold'),
  (11, 'indexes and constraints are valid'), (12, 'the ledger of stock goes on where it stopped'),
  (13, 'the role of the Worker may do its work'), (14, 'the role of the Worker may do no more'),
  (15, 'the role of the Worker has its time limits')) as checks (position, what)
left join faults on faults.what = checks.what
group by checks.position, checks.what order by checks.position;
