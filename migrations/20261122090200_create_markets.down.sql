drop table tax_rates;
drop table markets;
