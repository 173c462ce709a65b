#!/usr/bin/env bash
# restore-db.sh BACKUP.dump NEW_DATABASE: restores a backup beside what is there, into a database that it makes, and checks
# it (verify.sql). Nothing that exists is touched; the shop moves when DATABASE_URL names the new database.
# Run as the owner of the dumped schema (who may create databases), or as a superuser, who hands it to that owner.
# Ends with 0: restored and sound, 64: wrong settings, 65: the file or what is in it is not sound, 69: not restored.
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"
here=$(dirname "$(readlink -f "$0")")

settings() {
  load_settings
  need pg_restore psql sha256sum
  [ $# -eq 2 ] || fail 64 'usage: restore-db.sh BACKUP.dump NEW_DATABASE'
  dump=$1 database=$2
  [[ $dump == *.dump && -r $dump ]] || fail 64 "$dump is not a readable .dump"
  [[ $database =~ ^[a-z_][a-z0-9_]{0,62}$ ]] || fail 64 'NEW_DATABASE must be of a-z, 0-9 and _'
  use_database
}

ask() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

check_file() {
  local name
  name=$(basename "$dump" .dump)
  (cd "$(dirname "$dump")" && grep " $name.dump\$" "$name.sha256" | sha256sum --check --status) ||
    fail 65 "$name.dump is not what $name.sha256 says"
  owner=$(pg_restore --list "$dump" | awk '/ TABLE public orders /{ print $NF }')
  [ -n "$owner" ] || fail 65 "$name.dump has no table of orders"
}

# The roles of a dump are not in it. Whoever may makes those that are missing; they get their passwords by hand.
prepare_roles() {
  local is_super me
  [ -z "$(ask -v name="$database" <<<"select 1 from pg_database where datname = :'name'")" ] ||
    fail 64 "the database $database is there already"
  IFS='|' read -r me is_super < <(ask -c 'select current_user, rolsuper from pg_roles where rolname = current_user') ||
    fail 69 'no way to the database'
  [ "$me" = "$owner" ] || [ "$is_super" = t ] || fail 64 "run this as $owner, who owns what was dumped, or as a superuser"
  local role
  for role in "$owner" ecommerce_app; do
    [ -n "$(ask -v role="$role" <<<"select 1 from pg_roles where rolname = :'role'")" ] ||
      ask -v role="$role" <<<'create role :"role" nologin' || fail 69 "there is no role $role, and it could not be made"
  done
}

restore() {
  ask -v name="$database" -v owner="$owner" <<<'create database :"name" owner :"owner" template template0' ||
    fail 69 "could not create $database"
  if ! pg_restore --no-password --single-transaction --exit-on-error --dbname="$database" "$dump"; then
    ask -v name="$database" <<<'drop database :"name"'
    fail 69 "not restored, and $database is gone again"
  fi
  ask -d "$database" -c 'select restrict_app_role()' >/dev/null || fail 69 "$database has not its limits"
  # An owner may not analyze the catalogs, and would be told so of each.
  PGOPTIONS='-c client_min_messages=error' ask -d "$database" -c analyze || fail 69 "$database was not analyzed"
}

verify() {
  local rows name faults example sound=yes
  rows=$(ask -d "$database" -F '|' -f "$here/verify.sql") || fail 69 'verify.sql did not run'
  printf '%-52s %8s  %s\n' check faults example
  while IFS='|' read -r name faults example; do
    printf '%-52s %8s  %s\n' "$name" "$faults" "$example"
    [ "$faults" = 0 ] || sound=no
  done <<<"$rows"
  [ $sound = yes ] || fail 65 "$database is restored and not sound: look at it before anything uses it"
}

settings "$@"
check_file
prepare_roles
restore
verify
ask -d "$database" -c "select format('restored %s orders, the last of %s', count(*), coalesce(max(created_at)::text, 'never')) from orders"
