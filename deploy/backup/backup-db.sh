#!/usr/bin/env bash
# Writes one backup of the whole database to BACKUP_DIR (/var/backups/ecommerce): NAME.dump (for restore-db.sh), NAME.sql.gz
# (the same as text, for psql) and NAME.sha256, whole or not at all. Removes those older than BACKUP_RETENTION_DAYS (14), but
# never the newest.
# The .dump comes last: where it is, the backup is complete.
# Ends with 0: done, 64: wrong settings, 69: no dump of the database, 74: not written, 75: another one is still running.
set -euo pipefail
umask 077
# shellcheck source=common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"

settings() {
  load_settings
  need pg_dump pg_restore gzip sha256sum flock
  BACKUP_DIR=${BACKUP_DIR:-/var/backups/ecommerce}
  read_retention
  use_database
}

# Of a moment so many days ago, as names have it.
stamp() { TZ=UTC printf '%(%Y%m%dT%H%M%SZ)T' "$(($(date +%s) - $1 * 86400))"; }

only_one() {
  mkdir -p "$BACKUP_DIR" || fail 74 "cannot make $BACKUP_DIR"
  exec 9>"$BACKUP_DIR/.lock" || fail 74 "cannot write to $BACKUP_DIR"
  flock -n 9 || fail 75 'another backup is still running'
  # What a killed one left.
  rm -rf "$BACKUP_DIR"/.partial-*
}

write_backup() {
  local partial
  partial=$(mktemp -d "$BACKUP_DIR/.partial-XXXXXX") || fail 74 "cannot write to $BACKUP_DIR"
  trap 'rm -rf "$BACKUP_DIR"/.partial-*' EXIT
  name=backup-$(stamp 0)
  pg_dump --no-password --format=custom --lock-wait-timeout=60s --file="$partial/$name.dump" || fail 69 'pg_dump failed'
  pg_restore --list "$partial/$name.dump" | grep -c ' TABLE DATA public orders ' >/dev/null ||
    fail 69 'the dump has no orders: is it the right database?'
  # From the file, not from the database again: both hold the same moment.
  pg_restore --file=- "$partial/$name.dump" | gzip -n >"$partial/$name.sql.gz" || fail 74 'the text form was not written'
  (cd "$partial" && sha256sum "$name.dump" "$name.sql.gz" >"$name.sha256")
  sync "$partial"/* || fail 74 'not written to disk'
  bytes=$(wc -c <"$partial/$name.dump")
  local form
  for form in sql.gz sha256 dump; do mv "$partial/$name.$form" "$BACKUP_DIR/" || fail 74 "cannot write to $BACKUP_DIR"; done
  sync "$BACKUP_DIR"
}

remove_old() {
  local oldest file old
  oldest=backup-$(stamp "$days")
  removed=0
  for file in "$BACKUP_DIR"/backup-*.dump; do
    old=$(basename "$file" .dump)
    [[ $old =~ ^backup-[0-9]{8}T[0-9]{6}Z$ && $old < $oldest && $old != "$name" ]] || continue
    rm -f "$BACKUP_DIR/$old".{dump,sql.gz,sha256}
    removed=$((removed + 1))
  done
}

settings
only_one
write_backup
remove_old
echo "$BACKUP_DIR/$name.dump: ${bytes//[!0-9]/} bytes; $removed older than $days days removed"
