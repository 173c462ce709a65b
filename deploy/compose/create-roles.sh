#!/bin/sh
# Run once by the Postgres image, as its superuser: the owner, who migrates, the restricted role, which serves, and the database.
set -eu
psql -v ON_ERROR_STOP=1 -v owner="$POSTGRES_OWNER_PASSWORD" -v app="$POSTGRES_APP_PASSWORD" --dbname postgres <<'SQL'
create role ecommerce_owner login password :'owner';
create role ecommerce_app login password :'app';
create database ecommerce owner ecommerce_owner;
SQL
