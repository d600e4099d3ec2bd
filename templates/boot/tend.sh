# shellcheck shell=bash
# --- What a running slot looks after

# tend: orders to restore, and snapshots.
tend() {
  SNAPSHOT_NEXT=0 ANSWERED=''
  while true; do
    tend_restore
    attempt read_settings
    if [ "$ATTEMPT" -ne 0 ]; then log "$(failure)"; fi
    tend_backups
    sleep 15
  done
}

# tend_addons: a service of its own, because an addon may take its time.
tend_addons() {
  ADDONS_AGAIN=0 ADDONS_PAUSE=15
  while true; do
    attempt read_settings
    if [ "$ATTEMPT" -eq 0 ]; then apply_changed_addons; else log "$(failure)"; fi
    sleep 15
  done
}
