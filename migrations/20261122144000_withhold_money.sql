-- Canceled units whose money was to stay: it is not given back when the rest of the order is canceled, and still to be taken
-- where it was not. What that is of the line.
alter table order_items
  add column withheld_quantity int not null default 0 check (withheld_quantity >= 0),
  add column withheld_amount bigint not null default 0 check (withheld_amount between 0 and total);
