drop table outbox_events;
drop table idempotency_keys;
drop function require(boolean, text, jsonb);
alter default privileges in schema public revoke select, insert, update, delete on tables from ecommerce_app;
revoke usage on schema public from ecommerce_app;
