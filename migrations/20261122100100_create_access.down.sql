drop table audit_log;
drop table api_keys;
drop table account_roles;
drop table roles;
