# shellcheck shell=bash
# --- What is done once for the whole cluster, by one slot

# cluster_phases: all of them can be done again, and by two slots at once.
cluster_phases() {
  phase upload-config all
  phase bootstrap-token --skip-token-print
  phase addon all
  bind_admins
}

# bind_admins: those who get a credential from kclust. What is there stays as it is: somebody may have taken the right from them.
bind_admins() {
  local output
  output=$(kubectl --kubeconfig /etc/kubernetes/admin.conf create --filename /etc/kclust/admins.yaml 2>&1) ||
    [[ $output = *AlreadyExists* ]] || fail "kubectl create: $(summary "$output")"
}

# instance_runs ID: whether it does, or may: without an answer of EC2 it is taken to run.
instance_runs() {
  local answer
  answer=$(ec2 DescribeInstances Filter.1.Name=instance-id "Filter.1.Value.1=$1" Filter.2.Name=instance-state-name \
    Filter.2.Value.1=pending Filter.2.Value.2=running) || return 0
  [[ $answer == *"<instanceId>$1</instanceId>"* ]]
}

# may_take_over HOLDER BEGIN: whether the phases are mine to do: the lock is mine, its holder is gone, or has had three minutes.
may_take_over() {
  [ "$1" = "$INSTANCE_ID" ] || ((SECONDS - $2 > 180)) || ! instance_runs "$1"
}

# set_up_cluster: the phases, unless they were done with the same documents. Whoever makes the lock object does them.
set_up_cluster() {
  local marker holder begin=$SECONDS
  # What was done before a restore may not be in the snapshot.
  marker=control-plane/phases-$(sha256sum /etc/kclust/cluster.yaml /etc/kclust/admins.yaml | sha256sum | cut -c 1-16)${RESTORE_EPOCH:+-$RESTORE_EPOCH}
  until s3_exists "$marker"; do
    if s3_create "$marker.lock" "$INSTANCE_ID"; then
      holder=$INSTANCE_ID
    else
      holder=$(s3_get "$marker.lock") || holder=''
    fi
    if [ -n "$holder" ] && may_take_over "$holder" "$begin"; then
      log "doing the phases of the cluster"
      attempt cluster_phases
      if [ "$ATTEMPT" -eq 0 ]; then
        # First what workers wait for.
        retry publish_credential
        if s3_create "$marker" "$INSTANCE_ID"; then log "the phases of the cluster are done"; fi
        return
      else
        problem "cluster_phases: $(failure)"
      fi
    fi
    sleep 1
  done
}

# publish_credential: a fresh credential with which machines join as workers, where only nodes may read it. The token is an object of
# the cluster, which forgets it after 48 hours.
publish_credential() {
  local token authority
  token=$(kubeadm token create --kubeconfig /etc/kubernetes/admin.conf --ttl 48h0m0s --description "workers join with it")
  authority=$(base64 --wrap=0 "$PKI_DIR/ca.crt")
  s3_put nodes/bootstrap.kubeconfig << END
apiVersion: v1
kind: Config
current-context: bootstrap
clusters:
- name: bootstrap
  cluster: {server: "https://$API_NAME:$API_PORT", certificate-authority-data: $authority}
users:
- name: bootstrap
  user: {token: $token}
contexts:
- name: bootstrap
  context: {cluster: bootstrap, user: bootstrap}
END
}
