-- A request has a lease only until it has its result: what is left is what the tick and the gauge look at.
delete from payment_request_leases l where exists (
  select from payment_transactions r where r.request_id = l.request_id and r.outcome in ('success', 'failure'));
create index payment_request_leases_next on payment_request_leases (next_at);
