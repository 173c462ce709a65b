-- A person who is erased or asks what is held of them: a guest's carts and orders are found by the proved address alone.
create index carts_guest_email on carts (lower(email)) where customer_id is null and email is not null;
create index orders_guest_email on orders (lower(email)) where customer_id is null;
