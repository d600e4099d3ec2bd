# shellcheck shell=bash
# --- What a running slot looks after: orders to restore, addons, snapshots

tend() {
  ADDONS_AGAIN=0 ADDONS_PAUSE=15 SNAPSHOT_NEXT=0 ANSWERED=''
  while true; do
    tend_restore
    attempt read_settings
    if [ "$ATTEMPT" -eq 0 ]; then
      tend_addons
      tend_backups
    else
      log "$(failure)"
    fi
    sleep 15
  done
}
