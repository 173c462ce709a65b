#!/usr/bin/env bash
# Backups and point-in-time recovery on Neon, by its API: branches share storage with their parent, and take seconds.
#   neon-branch.sh backup                         a branch of now; those older than BACKUP_RETENTION_DAYS (14) are removed
#   neon-branch.sh list                           the backups, newest first
#   neon-branch.sh at TIME NAME                   a branch with a compute, of TIME (RFC 3339): to look, or to move the shop to
#   neon-branch.sh restore TIME                   puts the shop's branch back to TIME; what it was stays as another branch
# Settings: NEON_API_KEY, NEON_PROJECT_ID, NEON_BRANCH_ID (the shop's), of backup.env too. How far back TIME may lie is the
# project's history window.
# Ends with 0: done, 64: wrong settings, 69: Neon refused or failed, 75: not finished in NEON_WAIT_SECONDS (300).
set -euo pipefail
# shellcheck source=common.sh
. "$(dirname "$(readlink -f "$0")")/common.sh"
RFC3339='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$'

settings() {
  load_settings
  need curl jq
  local name
  for name in NEON_API_KEY NEON_PROJECT_ID NEON_BRANCH_ID; do [ -n "${!name:-}" ] || fail 64 "set $name"; done
  read_retention
  api=${NEON_API_URL:-https://console.neon.tech/api/v2}/projects/$NEON_PROJECT_ID
  prefix=backup-$NEON_BRANCH_ID-
  deadline=$((SECONDS + ${NEON_WAIT_SECONDS:-300}))
}

# METHOD PATH [BODY]: the reply's body. The key goes in on stdin, since arguments can be read by anybody. Only 423 is sent
# again (another operation of the project is running, nothing was done): a lost reply may have been a branch.
neon() {
  local reply status wait=1
  while :; do
    reply=$(curl --silent --show-error --max-time 60 --request "$1" --config - --write-out '\n%{http_code}' \
      --header 'accept: application/json' ${3+--header 'content-type: application/json' --data "$3"} "$api$2" \
      <<<"header = \"authorization: Bearer $NEON_API_KEY\"") || fail 69 "$1 $2: no reply"
    status=${reply##*$'\n'}
    reply=${reply%$'\n'*}
    [ "$status" = 423 ] || break
    [ $SECONDS -lt $deadline ] || fail 75 "$1 $2: another operation of the project does not end"
    sleep $wait
    wait=$((wait < 8 ? wait * 2 : 8))
  done
  [[ $status == 2?? ]] || fail 69 "$1 $2: $status $(jq -r '.message? // empty' <<<"$reply" 2>/dev/null || true)"
  printf '%s' "$reply"
}

# Waits for the operations of a reply.
finish() {
  local id status
  for id in $(jq -r '.operations[]?.id' <<<"$1"); do
    while :; do
      status=$(neon GET "/operations/$id" | jq -r '.operation.status')
      case $status in
        finished | skipped) break ;;
        cancelled) fail 69 "operation $id: $status" ;;
      esac
      [ $SECONDS -lt $deadline ] || fail 75 "operation $id is still $status"
      sleep 0.5
    done
  done
}

# Lines of "name id", newest first. By name: a restore hands the children of a branch to what it keeps of it.
backups() {
  neon GET /branches | jq -r --arg prefix "$prefix" '
    [.branches[] | select(.name | startswith($prefix) and test("-[0-9]{8}T[0-9]{6}Z$"))]
    | sort_by(.name) | reverse | .[] | "\(.name) \(.id)"'
}

stamp() { TZ=UTC printf '%(%Y%m%dT%H%M%SZ)T' "$(($(date +%s) - $1 * 86400))"; }

backup() {
  local name reply kept all oldest removed=0 id
  name=$prefix$(stamp 0)
  oldest=$prefix$(stamp "$days")
  reply=$(neon POST /branches "$(jq -cn --arg name "$name" --arg parent "$NEON_BRANCH_ID" \
    '{branch: {name: $name, parent_id: $parent}}')")
  finish "$reply"
  all=$(backups)
  while read -r kept id; do
    [[ -n $id && $kept < $oldest ]] || continue
    reply=$(neon DELETE "/branches/$id")
    finish "$reply"
    removed=$((removed + 1))
  done <<<"$all"
  echo "$name; $removed older than $days days removed"
}

at() {
  [[ $# -eq 2 && $1 =~ $RFC3339 && $2 =~ ^[A-Za-z0-9._-]{1,100}$ ]] || fail 64 'usage: neon-branch.sh at TIME NAME'
  local reply
  reply=$(neon POST /branches "$(jq -cn --arg name "$2" --arg parent "$NEON_BRANCH_ID" --arg time "$1" \
    '{branch: {name: $name, parent_id: $parent, parent_timestamp: $time}, endpoints: [{type: "read_write"}]}')")
  finish "$reply"
  jq -r '"\(.branch.name) \(.branch.id) \(.endpoints[0].host)"' <<<"$reply"
}

restore() {
  [[ $# -eq 1 && $1 =~ $RFC3339 ]] || fail 64 'usage: neon-branch.sh restore TIME'
  local reply before
  before=before-restore-$(stamp 0)
  reply=$(neon POST "/branches/$NEON_BRANCH_ID/restore" "$(jq -cn --arg id "$NEON_BRANCH_ID" --arg time "$1" --arg name "$before" \
    '{source_branch_id: $id, source_timestamp: $time, preserve_under_name: $name}')")
  finish "$reply"
  echo "restored to $1; what it was is the branch $before"
}

settings
case ${1:-} in
  backup | list) [ $# -eq 1 ] || fail 64 "usage: neon-branch.sh $1" ;;
esac
case ${1:-} in
  backup) backup ;;
  list) backups ;;
  at) at "${@:2}" ;;
  restore) restore "${@:2}" ;;
  *) fail 64 'usage: neon-branch.sh backup | list | at TIME NAME | restore TIME' ;;
esac
