drop table customers;
drop table sessions;
drop table accounts;
