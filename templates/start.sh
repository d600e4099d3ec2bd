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

if ! is_pinned "$program"; then
  echo "fetching $BOOT_KEY from $S3_URL"
  s3_get "$BOOT_KEY" > "$program.new"
  if ! is_pinned "$program.new"; then
    echo "$BOOT_KEY is not what the user-data pins: its SHA-256 is $(sha256sum < "$program.new")" >&2
    exit 1
  fi
  mv "$program.new" "$program"
fi
exec bash "$program" "$@"
