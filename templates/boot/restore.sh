# shellcheck shell=bash
# --- Restoring a snapshot, when an operator says so (`kclust restore`), and never otherwise

# The order: its epoch tells it from every other one; the snapshot; `NAME=ADDRESS` of the slots that shall restore it.
RESTORE_EPOCH='' RESTORE_KEY='' RESTORE_SLOTS=''
# When to look for an order next, in seconds of this run.
ORDERS_NEXT=0

# read_restore_order: the newest order, if there ever was one. An order that cannot be read is not the same as none: it is asked for again.
read_restore_order() {
  local text epoch key named
  RESTORE_EPOCH='' RESTORE_KEY='' RESTORE_SLOTS=''
  while s3_exists control-plane/restore; do
    epoch='' key='' named=''
    if text=$(s3_get control-plane/restore); then
      { read -r epoch && read -r key && read -r named; } <<< "$text" || true
      if [[ $epoch =~ ^[A-Za-z0-9-]+$ && $key =~ ^backups/[A-Za-z0-9._/-]+$ && $named =~ ^[a-z0-9-]+= ]]; then
        RESTORE_EPOCH=$epoch RESTORE_KEY=$key RESTORE_SLOTS=$named
        return
      fi
      problem "control-plane/restore is not an order that this boot program understands; again in 5 s"
    else
      problem "control-plane/restore cannot be read; again in 5 s"
    fi
    sleep 5
  done
}

# volume_epoch: the order that the data on the volume came from; nothing for data that was never restored.
volume_epoch() {
  cat "$ETCD_MOUNT/.kclust-epoch" 2> /dev/null || true
}

# restore_is_due: whether there is an order that the volume has not followed.
restore_is_due() {
  [ -n "$RESTORE_EPOCH" ] && [ "$(volume_epoch)" != "$RESTORE_EPOCH" ]
}

# is_asked_to_restore: whether this slot was there when the order was given, and has not followed it with any volume. One that was added later
# joins the others.
is_asked_to_restore() {
  restore_is_due && [[ " $RESTORE_SLOTS" = *" $GROUP="* ]] && ! s3_exists "$(restored_marker)"
}

# restored_marker: says that this slot followed the order.
restored_marker() {
  printf 'control-plane/restored/%s/%s' "$RESTORE_EPOCH" "$GROUP"
}

# fetch_snapshot: the snapshot of the order, whole and readable, before anything is stopped for it.
fetch_snapshot() {
  local packed=$SNAPSHOT.packed output free
  install -d -m 700 "${SNAPSHOT%/*}"
  log "fetching $RESTORE_KEY"
  s3_request GET "$RESTORE_KEY" '' --fail --max-time 1800 --output "$packed" || fail "$RESTORE_KEY cannot be read"
  case $RESTORE_KEY in
    *.zst)
      if ! command -v zstd > /dev/null; then fail "the image of this machine has no zstd, with which $RESTORE_KEY is packed"; fi
      zstd --quiet --decompress --force -o "$SNAPSHOT" "$packed"
      ;;
    *.gz) gzip --decompress --stdout "$packed" > "$SNAPSHOT" ;;
    *) cp "$packed" "$SNAPSHOT" ;;
  esac
  rm "$packed"
  output=$(etcdutl snapshot status "$SNAPSHOT" 2>&1) || fail "$RESTORE_KEY is no snapshot of etcd: $(summary "$output")"
  free=$(df --output=avail --block-size=1 "$ETCD_MOUNT" | tail -n 1)
  # The restored data has a log of 64 MB beside it.
  if ((free < $(stat --format %s "$SNAPSHOT") + 200000000)); then
    fail "$ETCD_MOUNT has too little room for the snapshot; what earlier restores set aside there (data.before-*) can be removed"
  fi
}

# set_data_aside: what is on the volume is kept, and kept from being used. Where that has been done, what lies in the directory is this very
# order's own beginning.
set_data_aside() {
  local aside=$ETCD_MOUNT/data.before-$RESTORE_EPOCH
  if pgrep -x etcd > /dev/null; then fail "etcd is still running"; fi
  if [ -e "$aside" ]; then
    rm -rf "$ETCD_MOUNT/data"
  elif [ -e "$ETCD_MOUNT/data/member" ]; then
    mv "$ETCD_MOUNT/data" "$aside"
    log "the data that was on the volume is kept in $aside"
  fi
  install -d -m 700 "$ETCD_MOUNT/data"
}

# mark_volume: the data is that of the order, whatever happens next. First the data, then the mark.
mark_volume() {
  /usr/local/lib/kclust/mount-etcd
  sync --file-system "$ETCD_MOUNT"
  put 600 "$ETCD_MOUNT/.kclust-epoch" <<< "$RESTORE_EPOCH"
  sync --file-system "$ETCD_MOUNT"
}

# restored_members: --initial-cluster of what all slots of the order restore, the same on each, whatever this machine was told of its slots.
restored_members() {
  SLOTS=$RESTORE_SLOTS all_members
}

# restore_member: this slot's member of a new etcd cluster that all slots make from the same snapshot, with the same members and the same
# token, so that nobody need be first. Revisions jump, so that nobody who watched the old cluster takes an old one for a new one.
restore_member() {
  local output
  if [ ! -e "$SNAPSHOT" ]; then fetch_snapshot; fi
  /usr/local/lib/kclust/mount-etcd
  rm -rf "$ETCD_MOUNT/data.new"
  output=$(etcdutl snapshot restore "$SNAPSHOT" --data-dir "$ETCD_MOUNT/data.new" --name "$GROUP" \
    --initial-cluster "$(restored_members)" --initial-cluster-token "$CLUSTER_UID-$RESTORE_EPOCH" \
    --initial-advertise-peer-urls "https://$ADDRESS:2380" --bump-revision 1000000000 --mark-compacted 2>&1) ||
    fail "etcdutl snapshot restore: $(summary "$output")"
  set_data_aside
  rmdir "$ETCD_MOUNT/data"
  mv "$ETCD_MOUNT/data.new" "$ETCD_MOUNT/data"
  mark_volume
  rm -f "$SNAPSHOT" "$ETCD_MOUNT/.kclust-learner"
  # What has been applied since the snapshot is not in it.
  rm -f "$RUN_DIR/settings.applied"
}

# follow_order: everything that serves from etcd stops, and etcd gets the data of the snapshot. A snapshot of another attempt is not trusted.
follow_order() {
  rm -f "$SNAPSHOT"
  fetch_snapshot
  stop_control_plane
  restore_member
}

# unless_ordered COMMAND [ARGUMENT...]: the command; but looks for an order now and then, which is what helps where nothing gets up. It
# ends the program, which then begins anew and follows the order.
unless_ordered() {
  if ((SECONDS >= ORDERS_NEXT)); then
    ORDERS_NEXT=$((SECONDS + 15))
    read_restore_order
    if is_asked_to_restore; then fail "an operator ordered to restore $RESTORE_KEY"; fi
  fi
  "$@"
}

# tend_restore: a running slot that finds a new order hands over to the boot program, which stops the control plane when it has the snapshot.
tend_restore() {
  read_restore_order
  if ! is_asked_to_restore; then return; fi
  log "an operator ordered to restore $RESTORE_KEY: the boot program follows it"
  rm -f /etc/kclust/assembled
  systemctl restart --no-block kclust-boot.service
  # It starts this service again when the slot is assembled.
  exit 0
}
