-- A view loses a column only by being made anew.
drop view payment_balances;
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
