# shellcheck shell=bash
# --- What a running slot looks after

# tend: orders to restore, snapshots, what etcd is like, and certificates.
tend() {
  SNAPSHOT_NEXT=0 ANSWERED='' ETCD_NEXT=0 CERTIFICATES_NEXT=0
  while true; do
    tend_restore
    attempt read_settings
    if [ "$ATTEMPT" -ne 0 ]; then log "$(failure)"; fi
    tend_backups
    publish_etcd
    tend_certificates
    sleep 15
  done
}

# etcd_answer COMMAND...: what the slot's own member says, as JSON; null where it says nothing.
etcd_answer() {
  local answer
  if answer=$(etcdctl_at https://127.0.0.1:2379 "$@" --write-out json 2> /dev/null) && [ -n "$answer" ]; then
    printf '%s' "$answer"
  else
    printf null
  fi
}

# publish_etcd: every minute, for `kclust validate`: nobody outside can ask etcd.
publish_etcd() {
  if ((SECONDS < ETCD_NEXT)); then return; fi
  ETCD_NEXT=$((SECONDS + 60))
  printf '{"at": "%s", "status": %s, "members": %s, "alarms": %s}\n' "$(now)" "$(etcd_answer endpoint status)" \
    "$(etcd_answer member list)" "$(etcd_answer alarm list)" | s3_put "control-plane/etcd/$GROUP.json" || true
}

# tend_certificates: every hour.
tend_certificates() {
  if ((SECONDS < CERTIFICATES_NEXT)); then return; fi
  CERTIFICATES_NEXT=$((SECONDS + 3600))
  attempt renew_due_certificates
  if [ "$ATTEMPT" -ne 0 ]; then log "$(failure)"; fi
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
