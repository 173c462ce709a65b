# Sourced by the scripts beside it: settings, and the way to the database.

fail() {
  echo "${0##*/}: $2" >&2
  exit "$1"
}

# Under cron there is no environment but this file's: NAME=value a line, read and never run, for a password may hold anything.
load_settings() {
  local file=${BACKUP_ENV:-/etc/ecommerce/backup.env} line number=0 value
  [ -r "$file" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    line=${line%$'\r'}
    [[ ! $line =~ ^[[:space:]]*(#.*)?$ ]] || continue
    # The line itself may be a secret.
    [[ $line =~ ^([A-Z_]+)=(.*)$ ]] || fail 64 "$file: line $number is not NAME=value"
    value=${BASH_REMATCH[2]}
    case $value in
      \"*\" | \'*\') [ ${#value} -eq 1 ] || value=${value:1:${#value}-2} ;;
    esac
    export "${BASH_REMATCH[1]}=$value"
  done <"$file"
}

read_retention() {
  days=${BACKUP_RETENTION_DAYS:-14}
  [[ $days =~ ^[1-9][0-9]{0,3}$ && $days -le 3650 ]] || fail 64 'BACKUP_RETENTION_DAYS must be 1 to 3650'
}

need() {
  local name
  for name in "$@"; do command -v "$name" >/dev/null || fail 64 "$name is not installed"; done
}

percent_decode() {
  local text=${1//\\/\\\\}
  printf '%b' "${text//%/\\x}"
}

# Turns a connection string into PG* variables: anybody may read the arguments of a process, only its user its environment.
use_database() {
  local url=${MIGRATION_DATABASE_URL:-} pair
  export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-15}
  if [ -z "$url" ]; then
    [ -n "${PGDATABASE:-}" ] || fail 64 'set MIGRATION_DATABASE_URL (owner of the schema, unpooled), or PGHOST, PGUSER, PGDATABASE'
    return
  fi
  [[ $url =~ ^postgres(ql)?://([^:@/?]*)(:([^@/?]*))?@(\[[^]]+\]|[^:/?]+)(:([0-9]+))?/([^?]+)(\?(.*))?$ ]] ||
    fail 64 'MIGRATION_DATABASE_URL is not postgres://user:password@host:port/database'
  PGUSER=$(percent_decode "${BASH_REMATCH[2]}")
  PGPASSWORD=$(percent_decode "${BASH_REMATCH[4]}")
  PGHOST=${BASH_REMATCH[5]//[\[\]]/}
  PGPORT=${BASH_REMATCH[7]:-5432}
  PGDATABASE=$(percent_decode "${BASH_REMATCH[8]}")
  export PGUSER PGPASSWORD PGHOST PGPORT PGDATABASE
  unset MIGRATION_DATABASE_URL
  [[ $PGHOST != *-pooler.* ]] || fail 64 'MIGRATION_DATABASE_URL must name the unpooled host: a pooler breaks dumps'
  IFS='&' read -ra pairs <<<"${BASH_REMATCH[10]}"
  for pair in ${pairs[@]+"${pairs[@]}"}; do
    case $pair in
      sslmode=*) export PGSSLMODE=${pair#*=} ;;
      sslrootcert=*) export PGSSLROOTCERT=$(percent_decode "${pair#*=}") ;;
      channel_binding=*) export PGCHANNELBINDING=${pair#*=} ;;
      options=*) export PGOPTIONS=$(percent_decode "${pair#*=}") ;;
      *) fail 64 "MIGRATION_DATABASE_URL has a parameter that is not known here: ${pair%%=*}" ;;
    esac
  done
}
