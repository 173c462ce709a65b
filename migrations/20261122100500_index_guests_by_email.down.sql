drop index orders_guest_email;
drop index carts_guest_email;
