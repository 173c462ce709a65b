drop table shipping_options;
drop table discount_codes;
