drop index payment_webhook_events_open;
alter table payment_webhook_events drop column last_error, drop column attempts;
drop table refund_items;
drop table refunds;
drop table payment_request_leases;
drop index payment_transactions_open;
drop index payment_transactions_event;
drop index payment_transactions_result;
alter table payment_transactions drop column actor, drop column event_reference, drop column request_id;
