# shellcheck shell=bash
# --- A worker joins

# slots_in_turn: addresses of all slots, from another one on for each instance, so that the load spreads.
slots_in_turn() {
  local slot addresses=() number first
  for slot in $SLOTS; do addresses+=("${slot#*=}"); done
  first=$(printf '%s' "$INSTANCE_ID" | cksum)
  first=${first%% *}
  for ((number = 0; number < ${#addresses[@]}; number++)); do
    printf '%s\n' "${addresses[(first + number) % ${#addresses[@]}]}"
  done
}

# api_answers: only whether somebody is there; the join itself checks the certificate.
api_answers() {
  [ "$(curl --silent --insecure --max-time 3 "https://$API_NAME:$API_PORT/readyz")" = ok ]
}

is_joined() {
  [ -e /etc/kubernetes/kubelet.conf ] && [ -e /var/lib/kubelet/pki/kubelet-client-current.pem ]
}

# join: with the newest credential. An attempt that failed leaves files at which the next one would stop.
join() {
  local output
  systemctl stop kubelet.service
  rm -f /etc/kubernetes/kubelet.conf /etc/kubernetes/bootstrap-kubelet.conf /etc/kubernetes/pki/ca.crt
  s3_get nodes/bootstrap.kubeconfig > "$RUN_DIR/fetched" ||
    fail "nodes/bootstrap.kubeconfig cannot be read"
  put 600 /etc/kclust/bootstrap.kubeconfig < "$RUN_DIR/fetched"
  for_this_instance /etc/kclust/join.yaml | put 600 /etc/kclust/kubeadm.yaml
  output=$(kubeadm join --config /etc/kclust/kubeadm.yaml 2>&1) || fail "kubeadm join: $(summary "$output")"
  chmod 600 /var/lib/kubelet/config.yaml
}

boot_worker() {
  local addresses
  mapfile -t addresses < <(slots_in_turn)
  retry map_api_name "${addresses[@]}"
  step "waiting for downloads"
  wait_for_downloads
  name_host
  if ! is_joined; then
    step "waiting for the API server"
    wait_for "https://$API_NAME:$API_PORT/readyz" api_answers
    step "waiting for the join credential"
    wait_for "nodes/bootstrap.kubeconfig, which control planes write" s3_exists nodes/bootstrap.kubeconfig
    step "joining the cluster"
    retry join
  fi
  rm -f "$RUN_DIR/fetched" /etc/kclust/bootstrap.kubeconfig /etc/kubernetes/bootstrap-kubelet.conf
  systemctl --quiet enable --now kubelet.service
}
