# shellcheck shell=bash
# --- etcd

# etcdctl_at ENDPOINTS COMMAND...: with the client certificate that kubeadm makes for health checks.
etcdctl_at() {
  etcdctl --endpoints "$1" --cacert "$PKI_DIR/etcd/ca.crt" --cert "$PKI_DIR/etcd/healthcheck-client.crt" \
    --key "$PKI_DIR/etcd/healthcheck-client.key" --command-timeout 5s "${@:2}"
}

# has_quorum ENDPOINTS: whether a linearizable read gets through, which needs a leader with a majority. /readyz of the API server says
# nothing of that.
has_quorum() {
  etcdctl_at "$1" get kclust-quorum > /dev/null 2>&1
}

# joined_by_comma WORD...
joined_by_comma() {
  local IFS=,
  printf '%s' "$*"
}

# all_members: --initial-cluster of a new cluster.
all_members() {
  local slot members=()
  for slot in $SLOTS; do members+=("${slot%%=*}=https://${slot#*=}:2380"); done
  joined_by_comma "${members[@]}"
}

# other_endpoints: client URLs of the other slots.
other_endpoints() {
  local slot endpoints=()
  for slot in $SLOTS; do
    if [ "${slot#*=}" != "$ADDRESS" ]; then endpoints+=("https://${slot#*=}:2379"); fi
  done
  joined_by_comma "${endpoints[@]}"
}

# slot_of PEER_URL: the slot that has the address.
slot_of() {
  local slot
  for slot in $SLOTS; do
    if [ "https://${slot#*=}:2380" = "$1" ]; then printf '%s' "${slot%%=*}"; fi
  done
}

# write_etcd_patches STATE MEMBERS: what etcd is told of this start. The flags are appended, and etcd takes the last of each. The
# directory's type keeps the kubelet from making the directory where the volume is not mounted.
write_etcd_patches() {
  put 600 /etc/kubernetes/patches/etcd0+json.yaml << END
- {op: add, path: /spec/containers/0/command/-, value: "--name=$GROUP"}
- {op: add, path: /spec/containers/0/command/-, value: "--initial-cluster=$2"}
- {op: add, path: /spec/containers/0/command/-, value: "--initial-cluster-state=$1"}
- {op: add, path: /spec/containers/0/command/-, value: "--initial-cluster-token=$CLUSTER_UID"}
END
  put 600 /etc/kubernetes/patches/etcd1+strategic.yaml << END
spec: {volumes: [{name: etcd-data, hostPath: {path: $ETCD_MOUNT/data, type: Directory}}]}
END
}

# is_learner: whether this member has been added and may have no vote yet.
is_learner() {
  [ -e "$ETCD_MOUNT/.kclust-learner" ]
}

# promote_member: gives this member its vote, which the others refuse until it has caught up with them.
promote_member() {
  local others member
  others=$(other_endpoints)
  member=$(etcdctl_at "$others" member list 2> /dev/null |
    awk -F ', ' -v url="https://$ADDRESS:2380" '$4 == url { print $1, $6 }') || return
  case $member in
    *' true') etcdctl_at "$others" member promote "${member% true}" > /dev/null 2>&1 || return ;;
    *' false') ;;
    *) return 1 ;;
  esac
  rm -f "$ETCD_MOUNT/.kclust-learner"
}

# replace_member: my volume was lost, or I am a late slot: the others hold the data. My member, which they may still list, is removed and
# added again, and etcd starts empty as a member of theirs. Without their quorum nothing is changed, and nothing is ever started empty.
replace_member() {
  local others member stale listed name peer members=() url=https://$ADDRESS:2380
  others=$(other_endpoints)
  if [ -z "$others" ]; then
    fail "the cluster's only etcd volume is lost; it is not initialised a second time. kclust restore brings a snapshot back"
  fi
  phase certs etcd-healthcheck-client
  if ! has_quorum "$others"; then
    fail "no quorum among $others; the cluster is not initialised a second time. If their volumes are lost too: kclust restore"
  fi
  stale=$(etcdctl_at "$others" member list | awk -F ', ' -v url="$url" '$4 == url { print $1 }')
  for member in $stale; do
    log "removing the stale etcd member $member"
    etcdctl_at "$others" member remove "$member"
  done
  # A member that has no vote yet takes no quorum away from the others, even if this machine ends before etcd has started.
  touch "$ETCD_MOUNT/.kclust-learner"
  etcdctl_at "$others" member add "$GROUP" --peer-urls="$url" --learner
  listed=$(etcdctl_at "$others" member list | awk -F ', ' '{ print $3 "|" $4 }')
  while IFS='|' read -r name peer; do
    members+=("${name:-$(slot_of "$peer")}=$peer")
  done <<< "$listed"
  write_etcd_patches existing "$(joined_by_comma "${members[@]}")"
}
