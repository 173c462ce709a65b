#!/bin/sh
# Run once by the Postgres image, as its superuser: the owner, who migrates, the restricted role, which serves, and the database.
# Passwords come by the environment, where no list of processes shows them.
set -eu
psql --no-psqlrc -v ON_ERROR_STOP=1 --dbname postgres <<'SQL'
\getenv owner POSTGRES_OWNER_PASSWORD
\getenv app POSTGRES_APP_PASSWORD
create role ecommerce_owner login createrole createdb password :'owner';
create role ecommerce_app login password :'app';
-- So that migrations can give it its time limits, and a restore a database of its own.
grant ecommerce_app to ecommerce_owner with admin option;
create database ecommerce owner ecommerce_owner;
SQL
