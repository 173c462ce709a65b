-- Each payment with its state, so that a refusal names it. A refund that failed after the provider had said that it
-- succeeded counts no more: its failure is told under the same id, as a dispute that was won is.
create or replace view payment_balances as
  select payment_id, amount, authorized, captured, refunded, charged_back, voided, open_capture, open_refund, open_void,
    case
      when charged_back > 0 then 'charged_back'
      when refunded > 0 then case when refunded < captured then 'partially_refunded' else 'refunded' end
      when is_captured then case when captured < due then 'partially_captured' else 'captured' end
      when voided then 'voided'
      when is_authorized then 'authorized'
      when is_refused then 'failed'
      when waits_for_buyer then 'requires_action'
      else 'pending'
    end as status
  from (
    select p.id as payment_id, p.amount, p.amount - p.waived_amount as due, p.next_action is not null as waits_for_buyer,
      coalesce(sum(t.amount) filter (where t.kind = 'authorize' and t.outcome = 'success'), 0)::bigint as authorized,
      coalesce(sum(t.amount) filter (where t.kind = 'capture' and t.outcome = 'success'), 0)::bigint as captured,
      coalesce(sum(t.amount) filter (where t.kind = 'refund' and t.stands), 0)::bigint as refunded,
      coalesce(sum(t.amount) filter (where t.kind = 'chargeback' and t.stands), 0)::bigint as charged_back,
      coalesce(bool_or(t.kind = 'void' and t.outcome = 'success'), false) as voided,
      coalesce(sum(t.amount) filter (where t.kind = 'capture' and t.is_open), 0)::bigint as open_capture,
      coalesce(sum(t.amount) filter (where t.kind = 'refund' and t.is_open), 0)::bigint as open_refund,
      coalesce(bool_or(t.kind = 'void' and t.is_open), false) as open_void,
      coalesce(bool_or(t.kind = 'capture' and t.outcome = 'success'), false) as is_captured,
      coalesce(bool_or(t.kind = 'authorize' and t.outcome = 'success'), false) as is_authorized,
      coalesce(bool_or(t.kind in ('authorize', 'capture') and t.outcome = 'failure' and t.request_id is null), false) as is_refused
    from payments p
    left join lateral (
      select t.*,
        t.outcome = 'request'
          and exists (select from payment_request_leases l where l.request_id = t.id)
          and not exists (select from payment_transactions r
            where r.request_id = t.id and r.outcome in ('success', 'failure')) as is_open,
        t.outcome = 'success' and not exists (select from payment_transactions undone
          where undone.payment_id = p.id and undone.kind = t.kind and undone.outcome = 'failure'
            and undone.request_id is null
            and undone.event_reference = coalesce(t.event_reference, t.provider_reference)) as stands
      from payment_transactions t where t.payment_id = p.id
    ) t on true
    group by p.id
  ) sums;
