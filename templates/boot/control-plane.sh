# shellcheck shell=bash
# --- A control-plane slot assembles itself: from the PKI, its fixed address and its volume. It never joins.

# phase NAME...: one phase of kubeadm init. What it prints is of interest when it fails.
phase() {
  local output
  log "kubeadm init phase $*"
  output=$(kubeadm init phase "$@" --config /etc/kclust/kubeadm.yaml 2>&1) || fail "kubeadm init phase $*: $(summary "$output")"
}

write_kubeadm_configuration() {
  {
    for_this_instance /etc/kclust/init.yaml
    echo ---
    cat /etc/kclust/cluster.yaml
  } | put 600 /etc/kclust/kubeadm.yaml
}

# choose_path: by what is known before anything is written: etcd data on my volume, the marker of the cluster, and the order to restore a
# snapshot, if there is one. Where the others have no quorum an order is what helps, so it is looked for again and again.
choose_path() {
  local pause=1
  while true; do
    read_restore_order
    if is_asked_to_restore; then
      same_step "restore: an operator ordered to restore $RESTORE_KEY"
      attempt follow_order
      if [ "$ATTEMPT" -eq 0 ]; then
        retry write_etcd_patches new "$(restored_members)"
        return
      fi
      # The next order may be another one.
      problem "$(failure); again in $pause s"
      sleep "$pause"
      pause=$((pause < 16 ? pause * 2 : 30))
      continue
    fi
    if restore_is_due && has_etcd_data; then
      log "the volume holds data from before the restore, which this slot has followed with another volume"
      stop_control_plane
      set_data_aside
    fi
    if has_etcd_data; then
      step "restart: the volume holds etcd data"
      # etcd has a WAL and ignores them. The same as at the first boot, so that the manifest stays the same.
      retry write_etcd_patches new "$(all_members)"
      return
    fi
    if ! s3_exists control-plane/initialized; then
      step "first boot: no etcd data, and the cluster is not initialised"
      retry write_etcd_patches new "$(all_members)"
      return
    fi
    same_step "lost volume: no etcd data, but the cluster is initialised"
    attempt replace_member
    if [ "$ATTEMPT" -eq 0 ]; then return; fi
    problem "$(failure); again in $pause s"
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 30))
  done
}

# settle_path: etcd may start. What was restored is marked first: a slot that loses its volume from here on is a lost member, and does not
# restore a second time.
settle_path() {
  if [ -z "$RESTORE_EPOCH" ]; then return; fi
  retry mark_volume
  if s3_create "$(restored_marker)" "$(now)"; then log "marked this slot as restored"; fi
}

# assemble: etcd and the kubelet first. An API server that is up long before its etcd gives up and costs another start.
assemble() {
  phase certs all
  phase kubeconfig kubelet
  phase etcd local
  phase kubelet-start
  # kubeadm writes it readable for everybody.
  chmod 600 /var/lib/kubelet/config.yaml
  phase kubeconfig all
  phase control-plane all
}

# assembly: what the machine was assembled from.
assembly() {
  sha256sum < /etc/kclust/kubeadm.yaml
}

# is_assembled: whether this machine was, from the same documents, and has its data: a reboot. Then the kubelet has started all by itself,
# and to stop it half-way would only cost time.
is_assembled() {
  has_etcd_data && ! restore_is_due && [ -e /etc/kclust/assembled ] && [ "$(< /etc/kclust/assembled)" = "$(assembly)" ]
}

assemble_slot() {
  step "waiting for downloads and the key material"
  wait "$KEYS"
  wait_for_downloads
  name_host
  choose_path
  settle_path
  step "assembling the control plane"
  retry assemble
  systemctl --quiet enable kubelet.service
  assembly | put 600 /etc/kclust/assembled
}

# api_is_ready: the API server of this slot, asked directly.
api_is_ready() {
  [ "$(curl --silent --max-time 3 --cacert "$PKI_DIR/ca.crt" "https://$ADDRESS:$API_PORT/readyz")" = ok ]
}

# mark_initialized: from here on no slot may start an empty etcd of its own.
mark_initialized() {
  if s3_create control-plane/initialized "$INSTANCE_ID"; then log "marked the cluster as initialised"; fi
}

# register_node: what belongs to this node object, which is a new one for every instance.
register_node() {
  phase mark-control-plane
  phase kubelet-finalize all
}

boot_control_plane() {
  if [ "$ADDRESS" != "$(slot_address "$GROUP")" ]; then
    fail "this instance has the address $ADDRESS, but the slot $GROUP has $(slot_address "$GROUP")"
  fi
  # Beside the volume.
  retry fetch_pki &
  KEYS=$!
  step "attaching the etcd volume"
  retry attach_volume
  retry format_volume
  retry mount_volume
  retry stamp_volume
  retry write_kubeadm_configuration
  read_restore_order
  if is_assembled; then
    step "reboot: waiting for downloads"
    wait_for_downloads
    # While a machine is off, nobody renews them.
    wait "$KEYS"
    retry renew_due_certificates
  else
    assemble_slot
  fi
  if is_learner; then
    step "joining etcd: until it has caught up this member has no vote"
    wait_for "the other members to give this one a vote" unless_ordered promote_member
  fi
  step "waiting for the API server"
  wait_for "the API server of this slot" unless_ordered api_is_ready
  retry map_api_name "$ADDRESS"
  step "waiting for a quorum of etcd"
  wait_for "a quorum of etcd" unless_ordered has_quorum https://127.0.0.1:2379
  mark_initialized
  step "setting up the cluster"
  set_up_cluster
  systemctl start --no-block kclust-stop.service kclust-end.service kclust-tend.service kclust-addons.service
  step "registering the node"
  retry register_node
  retry publish_credential
  systemctl --quiet enable --now kclust-credential.timer
  wait "$KEYS"
  drop_keys
}
