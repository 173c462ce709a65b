-- A reply that is given once more has the ETag that it had.
alter table idempotency_keys add column etag text;
