-- What was asked of a provider and what came of it: each result names its request, whose id is the provider's idempotency
-- key, so asking again is safe and a request without a result is one to ask about.
alter table payment_transactions
  add column request_id uuid references payment_transactions,
  -- Of the provider: a dispute's or a refund's own id, so one that is told twice is written once.
  add column event_reference text,
  add column actor text;
create unique index payment_transactions_result on payment_transactions (request_id)
  where outcome in ('success', 'failure') and request_id is not null;
create unique index payment_transactions_event on payment_transactions (payment_id, kind, outcome, event_reference)
  where event_reference is not null;
create index payment_transactions_open on payment_transactions (created_at) where outcome = 'request';

-- Who asks about a request right now, and when it is looked at again by itself (database clock); requests never change.
create table payment_request_leases (
  request_id uuid primary key references payment_transactions,
  attempts int not null default 0,
  lease_until timestamptz not null default now(),
  next_at timestamptz not null default now()
);
-- An event may name a payment by the provider's name of it only.
create index payments_reference on payments (provider, provider_reference) where provider_reference is not null;

-- Money that goes back: for lines, for shipping, or an amount of its own.
create table refunds (
  id uuid primary key,
  order_id uuid not null references orders,
  payment_id uuid not null references payments,
  -- Its request in the ledger; what became of it is there.
  request_id uuid not null unique references payment_transactions,
  amount bigint not null check (amount > 0),
  shipping_amount bigint not null default 0 check (shipping_amount >= 0),
  reason text not null check (length(reason) <= 200),
  created_at timestamptz not null default now()
);
create index refunds_order on refunds (order_id, id);

create table refund_items (
  refund_id uuid not null references refunds,
  order_item_id uuid not null references order_items,
  quantity int not null check (quantity >= 0),
  amount bigint not null check (amount >= 0),
  primary key (refund_id, order_item_id)
);
create index refund_items_item on refund_items (order_item_id);
revoke update, delete on refunds, refund_items from ecommerce_app;

alter table payment_webhook_events
  add column attempts int not null default 0,
  add column last_error text;
create index payment_webhook_events_open on payment_webhook_events (received_at) where applied_at is null;

-- What the ledger of each payment adds up to, in minor units. A request that was opened by a verb and has no result yet
-- is counted as if it will succeed: two of them never take the same money.
create view payment_balances as
  select p.id as payment_id, p.amount,
    coalesce(sum(t.amount) filter (where t.kind = 'authorize' and t.outcome = 'success'), 0)::bigint as authorized,
    coalesce(sum(t.amount) filter (where t.kind = 'capture' and t.outcome = 'success'), 0)::bigint as captured,
    coalesce(sum(t.amount) filter (where t.kind = 'refund' and t.outcome = 'success'), 0)::bigint as refunded,
    coalesce(sum(t.amount) filter (where t.kind = 'chargeback' and t.outcome = 'success' and not exists (
      select from payment_transactions won where won.payment_id = p.id and won.kind = 'chargeback'
        and won.outcome = 'failure' and won.event_reference = t.event_reference)), 0)::bigint as charged_back,
    coalesce(bool_or(t.kind = 'void' and t.outcome = 'success'), false) as voided,
    coalesce(sum(t.amount) filter (where t.kind = 'capture' and t.is_open), 0)::bigint as open_capture,
    coalesce(sum(t.amount) filter (where t.kind = 'refund' and t.is_open), 0)::bigint as open_refund,
    coalesce(bool_or(t.kind = 'void' and t.is_open), false) as open_void
  from payments p
  left join lateral (
    select t.*, t.outcome = 'request'
      and exists (select from payment_request_leases l where l.request_id = t.id)
      and not exists (select from payment_transactions r
        where r.request_id = t.id and r.outcome in ('success', 'failure')) as is_open
    from payment_transactions t where t.payment_id = p.id
  ) t on true
  group by p.id, p.amount;
