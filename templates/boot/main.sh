# shellcheck shell=bash
# --- Main

# begin: what every run of the program needs.
begin() {
  mkdir --parents "$RUN_DIR" "$INSTALLED_DIR"
  rm -f "$FAILURE"
  trap on_error ERR
  retry read_identity
  # shellcheck source=/dev/null
  . "$RUN_DIR/identity.env"
  # For all that this program does in subshells too.
  keep_credentials || true
}

# start_downloads: in the background, beside all that does not need them.
start_downloads() {
  start_runtime &
  RUNTIME=$!
  retry install_node_programs &
  PROGRAMS=$!
}

# wait_for_downloads: images are pulled from then on.
wait_for_downloads() {
  wait "$RUNTIME"
  wait "$PROGRAMS"
  pull_images &
}

boot() {
  step "preparing the host"
  publish_in_background
  log "$INSTANCE_ID ($ADDRESS, $ZONE) becomes $ROLE $GROUP of $CLUSTER"
  retry prepare_host
  start_downloads
  if [ "$ROLE" = control-plane ]; then boot_control_plane; else boot_worker; fi
  step "done"
}

begin
case $PROGRAM in
  boot) boot ;;
  credential) retry publish_credential ;;
  tend) tend ;;
  addons) tend_addons ;;
  watch-for-end) watch_for_end ;;
  stop) stop_slot ;;
esac
