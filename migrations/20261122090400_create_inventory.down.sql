drop table stock_levels;
drop table stock_locations;
