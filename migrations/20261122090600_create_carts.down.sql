drop table cart_discount_codes;
drop table cart_items;
drop table carts;
