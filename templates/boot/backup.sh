# shellcheck shell=bash
# --- Snapshots of etcd, taken by the leader

SNAPSHOT=/var/lib/kclust/snapshot.db

# is_leader: whether the member of this slot leads etcd.
is_leader() {
  local status
  status=$(etcdctl_at https://127.0.0.1:2379 endpoint status --write-out fields) || return
  [ "$(sed -n 's/^"MemberID" : //p' <<< "$status")" = "$(sed -n 's/^"Leader" : //p' <<< "$status")" ]
}

# compressor: of what the image has.
compressor() {
  if command -v zstd > /dev/null; then echo zstd; else echo gzip; fi
}

# take_snapshot: a snapshot in the state bucket; its key is left in SNAPSHOT_KEY. etcdutl checks the file's own hash before it leaves.
take_snapshot() {
  local revision file suffix output
  install -d -m 700 "${SNAPSHOT%/*}"
  rm -f "$SNAPSHOT" "$SNAPSHOT".*
  output=$(etcdctl_at https://127.0.0.1:2379 --command-timeout 10m snapshot save "$SNAPSHOT" 2>&1) ||
    fail "etcd gives no snapshot: $(summary "$output")"
  revision=$(etcdutl snapshot status "$SNAPSHOT" --write-out json | sed -n 's/.*"revision":\([0-9]*\).*/\1/p')
  if [ -z "$revision" ]; then fail "the snapshot cannot be read"; fi
  case $(compressor) in
    zstd) suffix=zst && zstd --quiet --rm "$SNAPSHOT" ;;
    gzip) suffix=gz && gzip "$SNAPSHOT" ;;
  esac
  file=$SNAPSHOT.$suffix
  SNAPSHOT_KEY=backups/etcd/$(date --utc +%Y%m%dT%H%M%SZ)-r$revision.db.$suffix
  s3_upload "$file" "$SNAPSHOT_KEY" || fail "the snapshot cannot be written to the state bucket"
  log "snapshot of etcd: $SNAPSHOT_KEY ($(stat --format %s "$file") bytes)"
  rm "$file"
  printf '%s' "$SNAPSHOT_KEY" > "$RUN_DIR/snapshot-key"
}

# snapshot_time KEY: when it was taken, in seconds since the epoch; nothing when it is no snapshot of ours.
snapshot_time() {
  if [[ $1 =~ /([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z-r[0-9]+\.db\. ]]; then
    date --utc --date "${BASH_REMATCH[1]}-${BASH_REMATCH[2]}-${BASH_REMATCH[3]} ${BASH_REMATCH[4]}:${BASH_REMATCH[5]}:${BASH_REMATCH[6]}" +%s
  fi
}

# drop_old_snapshots: those beyond the retention time. Only after another one was taken, so that there is always one.
drop_old_snapshots() {
  local key taken oldest
  oldest=$(($(date +%s) - $(setting backup-retention)))
  for key in $(s3_list backups/etcd/); do
    taken=$(snapshot_time "$key")
    # A slot that was down when the order to restore came still needs its snapshot.
    if [ -n "$taken" ] && ((taken < oldest)) && [ "$key" != "$RESTORE_KEY" ]; then
      s3_delete "$key"
      log "removed the snapshot $key, which is older than the retention time"
    fi
  done
}

# snapshot_is_due: whether the newest snapshot is older than the interval. The bucket is asked only when that can be: another slot may
# have led until now. What is no snapshot, or one of the future, does not count; nor does what is older than the stamp on the volume: it
# may be of an earlier cluster of this name.
snapshot_is_due() {
  local interval now keys key taken newest=0 stamped
  now=$(date +%s)
  stamped=$(stat --format %Y "$ETCD_MOUNT/.kclust" 2> /dev/null || echo 0)
  if ((now < SNAPSHOT_NEXT)); then return 1; fi
  interval=$(setting backup-interval)
  keys=$(s3_list backups/etcd/ "backups/etcd/$(date --utc --date "@$((now - interval))" +%Y%m%dT%H%M%SZ)") || return 1
  for key in $keys; do
    taken=$(snapshot_time "$key")
    if [ -n "$taken" ] && ((taken <= now && taken >= stamped && taken > newest)); then newest=$taken; fi
  done
  if ((newest == 0)); then return 0; fi
  SNAPSHOT_NEXT=$((newest + interval))
  return 1
}

# answer_request: takes the snapshot that an operator waits for (`kclust backup`).
answer_request() {
  local request outcome
  request=$(s3_get control-plane/backup-request 2> /dev/null) || return 0
  if [ "$request" = "$ANSWERED" ] || ! is_leader; then return; fi
  if [[ $(s3_get control-plane/backup-answer 2> /dev/null) != "$request"* ]]; then
    attempt take_snapshot
    if [ "$ATTEMPT" -eq 0 ]; then outcome=$(< "$RUN_DIR/snapshot-key"); else outcome="error: $(failure)"; fi
    retry write_answer "$request" "$outcome"
  fi
  ANSWERED=$request
}

# write_answer REQUEST OUTCOME
write_answer() {
  printf '%s\n%s\n' "$1" "$2" | s3_put control-plane/backup-answer
}

# tend_backups: what an operator asks for, and a snapshot at every interval.
tend_backups() {
  answer_request
  if [ ! -e "$SETTINGS" ] || ! snapshot_is_due || ! is_leader; then return; fi
  attempt take_snapshot
  if [ "$ATTEMPT" -eq 0 ]; then
    SNAPSHOT_NEXT=$(($(date +%s) + $(setting backup-interval)))
    attempt drop_old_snapshots
  else
    log "no snapshot could be taken: $(failure); again in a minute"
    SNAPSHOT_NEXT=$(($(date +%s) + 60))
  fi
}
