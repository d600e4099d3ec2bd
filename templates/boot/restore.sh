# shellcheck shell=bash
# --- Restoring a snapshot, when an operator says so (`kclust restore`), and never otherwise

# The order: its epoch tells it from every other one; the snapshot; the slots that shall restore it.
RESTORE_EPOCH='' RESTORE_KEY='' RESTORE_SLOTS=''
# When to look for an order next, in seconds of this run.
ORDERS_NEXT=0

# read_restore_order: the newest order, if there ever was one.
read_restore_order() {
  local epoch='' key='' asked=''
  RESTORE_EPOCH='' RESTORE_KEY='' RESTORE_SLOTS=''
  if ! s3_exists control-plane/restore; then return; fi
  { read -r epoch && read -r key && read -r asked; } < <(s3_get control-plane/restore) || true
  if [[ $epoch =~ ^[A-Za-z0-9-]+$ && $key =~ ^backups/[A-Za-z0-9._/-]+$ && -n $asked ]]; then
    RESTORE_EPOCH=$epoch RESTORE_KEY=$key RESTORE_SLOTS=$asked
  else
    problem "control-plane/restore is not an order that this boot program understands; it is left alone"
  fi
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
  restore_is_due && [[ " $RESTORE_SLOTS " = *" $GROUP "* ]] && ! s3_exists "$(restored_marker)"
}

# restored_marker: says that this slot followed the order.
restored_marker() {
  printf 'control-plane/restored/%s/%s' "$RESTORE_EPOCH" "$GROUP"
}

# set_data_aside: what is on the volume is kept, and kept from being used.
set_data_aside() {
  local aside=$ETCD_MOUNT/data.before-$RESTORE_EPOCH
  if [ -e "$ETCD_MOUNT/data/member" ]; then
    mv "$ETCD_MOUNT/data" "$aside"
    log "the data that was on the volume is kept in $aside"
  fi
  install -d -m 700 "$ETCD_MOUNT/data"
}

# mark_volume: the data is that of the order, whatever happens next.
mark_volume() {
  put 600 "$ETCD_MOUNT/.kclust-epoch" <<< "$RESTORE_EPOCH"
  sync --file-system "$ETCD_MOUNT"
}

# restore_member: this slot's member of a new etcd cluster that all slots make from the same snapshot, with the same members and the same
# token, so that nobody need be first. Revisions jump, so that nobody who watched the old cluster takes an old one for a new one.
restore_member() {
  local packed=$SNAPSHOT.packed
  install -d -m 700 "${SNAPSHOT%/*}"
  log "fetching $RESTORE_KEY"
  s3_request GET "$RESTORE_KEY" '' --fail --max-time 1800 --output "$packed" || fail "$RESTORE_KEY cannot be read"
  case $RESTORE_KEY in
    *.zst) zstd --quiet --decompress --force -o "$SNAPSHOT" "$packed" ;;
    *.gz) gzip --decompress --stdout "$packed" > "$SNAPSHOT" ;;
    *) cp "$packed" "$SNAPSHOT" ;;
  esac
  rm -rf "$packed" "$ETCD_MOUNT/data.new"
  etcdutl snapshot restore "$SNAPSHOT" --data-dir "$ETCD_MOUNT/data.new" --name "$GROUP" --initial-cluster "$(all_members)" \
    --initial-cluster-token "$CLUSTER_UID-$RESTORE_EPOCH" --initial-advertise-peer-urls "https://$ADDRESS:2380" \
    --bump-revision 1000000000 --mark-compacted > /dev/null
  rm "$SNAPSHOT"
  set_data_aside
  rmdir "$ETCD_MOUNT/data"
  mv "$ETCD_MOUNT/data.new" "$ETCD_MOUNT/data"
  mark_volume
  # What has been applied since the snapshot is not in it.
  rm -f "$RUN_DIR/settings.applied"
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

# tend_restore: a running slot that finds a new order ends etcd and everything that serves from it, and assembles itself anew.
tend_restore() {
  read_restore_order
  if ! is_asked_to_restore; then return; fi
  log "an operator ordered to restore $RESTORE_KEY: stopping the control plane"
  stop_control_plane
  rm -f /etc/kclust/assembled
  systemctl restart --no-block kclust-boot.service
  # The boot program starts this service again when the slot is assembled.
  exit 0
}
