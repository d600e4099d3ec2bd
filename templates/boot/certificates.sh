# shellcheck shell=bash
# --- Certificates of a slot: kubeadm makes them for a year (certificateValidityPeriod), and nobody else renews them

# Days before the first of them ends. Slots that began together take a day each, so that they do not start their API servers and members of
# etcd again at the same time.
RENEWAL_DAYS=90

# There from before a renewal until everything runs with what it made.
RENEWAL=/etc/kclust/renewal

# first_to_end: when the first certificate of this slot ends, and which one that is. kubeadm does not ask the cluster for it.
first_to_end() {
  local ends output='jsonpath={range .certificates[?(@.missing==false)]}{.expirationDate} {.name}{"\n"}{end}'
  # What it warns of is on standard error.
  ends=$(kubeadm certs check-expiration --config /etc/kclust/kubeadm.yaml --output "$output" 2> /dev/null | sort) ||
    fail "kubeadm certs check-expiration failed"
  ends=${ends%%$'\n'*}
  if [[ $ends != [0-9]*Z\ * ]]; then fail "kubeadm does not say when certificates end"; fi
  printf '%s' "$ends"
}

# days_before_end: how many days before that this slot renews.
days_before_end() {
  local slot days=$RENEWAL_DAYS
  for slot in $SLOTS; do
    if [ "${slot%%=*}" = "$GROUP" ]; then break; fi
    days=$((days - 1))
  done
  printf '%s' "$days"
}

# is_due END: whether certificates that end then are to be renewed.
is_due() {
  (($(date --date "$1" +%s) - $(date +%s) < $(days_before_end) * 86400))
}

# renew_certificates: all of them, by the authorities in the state. Not by phases of `init`, which keep what there is.
renew_certificates() {
  local output
  output=$(kubeadm certs renew all --config /etc/kclust/kubeadm.yaml 2>&1) || fail "kubeadm certs renew all: $(summary "$output")"
}

# restart_containers NAME SECONDS: asks those that run to end, and ends them when the time is over. The kubelet starts others.
restart_containers() {
  local container old running begin=$SECONDS
  old=$(running_containers "$1")
  if [ -z "$old" ]; then return; fi
  for container in $old; do ctr --namespace k8s.io tasks kill --signal SIGTERM "$container" || true; done
  while running=$(running_containers "$1") && running=$(grep --fixed-strings --line-regexp "$old" <<< "$running"); do
    if ((SECONDS - begin >= $2 + 20)); then fail "the container $1 does not end"; fi
    if ((SECONDS - begin >= $2)); then
      for container in $running; do ctr --namespace k8s.io tasks kill --signal SIGKILL "$container" || true; done
    fi
    sleep 0.2
  done
}

# start_again: everything that has read certificates, etcd before the API server, which without etcd gives up.
start_again() {
  local begin
  restart_containers kube-controller-manager 10
  restart_containers kube-scheduler 10
  restart_containers etcd 10
  begin=$SECONDS
  until has_quorum https://127.0.0.1:2379; do
    if ((SECONDS - begin >= 60)); then fail "etcd has no quorum after its certificates were renewed"; fi
    sleep 1
  done
  restart_containers kube-apiserver 10
}

# renew_due_certificates: what ends half-way is done again at the next attempt. The first to end is told, for `kclust validate`.
renew_due_certificates() {
  local ends
  ends=$(first_to_end)
  if is_due "${ends%% *}" || [ -e "$RENEWAL" ]; then
    log "the certificate ${ends#* } of this slot ends at ${ends%% *}: renewing all"
    touch "$RENEWAL"
    fetch_pki
    renew_certificates
    drop_keys
    ends=$(first_to_end)
    if is_due "${ends%% *}"; then fail "kubeadm renewed the certificates, and ${ends#* } still ends at ${ends%% *}"; fi
    start_again
    rm -f "$RENEWAL"
    log "renewed all certificates of this slot: the first ends at ${ends%% *}"
  fi
  printf '{"name": "%s", "ends": "%s"}\n' "${ends#* }" "${ends%% *}" | s3_put "control-plane/certificates/$GROUP.json"
}
