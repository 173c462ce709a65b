drop table payment_webhook_events;
drop table payment_transactions;
drop table payments;
drop table reservations;
drop table order_items;
drop table orders;
