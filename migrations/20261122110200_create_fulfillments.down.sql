drop table order_notes;
drop table order_changes;
drop table parcels;
drop table fulfillment_items;
drop table fulfillments;
alter table payments drop column waived_amount;
alter table order_items
  drop constraint order_items_accounted,
  drop column waived_amount,
  drop column waived_quantity,
  drop column canceled_quantity,
  drop column fulfilled_quantity;
update orders set status = 'confirmed' where status = 'completed';
update orders set fulfillment_status = 'fulfilled' where fulfillment_status = 'delivered';
update orders set fulfillment_status = 'unfulfilled' where fulfillment_status = 'canceled';
alter table orders
  drop column cancel_reason,
  drop column canceled_at,
  drop constraint orders_fulfillment_status_check,
  add constraint orders_fulfillment_status_check check (fulfillment_status in ('unfulfilled', 'partially_fulfilled', 'fulfilled')),
  drop constraint orders_status_check,
  add constraint orders_status_check check (status in ('pending', 'confirmed', 'failed', 'canceled'));
