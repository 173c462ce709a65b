drop function remove_old_audit_entries(int, int);
drop index orders_cart;
drop index payment_webhook_events_applied;
drop index outbox_events_dead;
drop index outbox_events_delivered;
