alter table order_items
  drop column withheld_amount,
  drop column withheld_quantity;
