#!/bin/bash
# Runs the boot program that the user-data pins by its SHA-256, with the arguments given.
set -Eeuo pipefail
umask 077
# shellcheck source=/dev/null
. /etc/kclust/node.env
# shellcheck source=/dev/null
. /usr/local/lib/kclust/aws.sh

program=/usr/local/lib/kclust/boot.sh

is_pinned() {
  [ -e "$1" ] && echo "$BOOT_SHA256  $1" | sha256sum --check --status
}

# report ERROR: the node's status object, before there is a boot program to keep it.
report() {
  local instance
  instance=$(metadata meta-data/instance-id) || return 0
  printf '{"instance": "%s", "role": "%s", "group": "%s", "step": "fetching the boot program", "since": "%s", "error": "%s", "steps": []}\n' \
    "$instance" "$ROLE" "$GROUP" "$since" "$1" | s3_put "nodes/status/$instance.json" || true
}

pause=1
since=$(date --utc +%Y-%m-%dT%H:%M:%SZ)
until is_pinned "$program"; do
  echo "fetching $BOOT_KEY from $S3_URL"
  if ! s3_get "$BOOT_KEY" > "$program.new"; then
    error="$BOOT_KEY cannot be read from $S3_URL"
  elif ! is_pinned "$program.new"; then
    error="$BOOT_KEY is not what the user-data pins: its SHA-256 is $(sha256sum < "$program.new" | cut -c 1-64)"
  else
    mv "$program.new" "$program"
    break
  fi
  echo "$error; again in $pause s" >&2
  report "$error"
  sleep "$pause"
  pause=$((pause < 16 ? pause * 2 : 30))
done
exec bash "$program" "$@"
