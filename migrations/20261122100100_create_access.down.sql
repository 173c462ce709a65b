drop table audit_log;
drop table api_keys;
drop table account_roles;
drop index accounts_staff;
drop table roles;
