# shellcheck shell=bash
# --- The end of a slot's instance: leadership goes to another slot, etcd stops, volume and lifecycle hook are released

# running_containers NAME: those that run what Kubernetes calls NAME in kube-system. Fails when containerd does not answer, which says
# nothing of what runs.
running_containers() {
  local containers running
  containers=$(ctr --namespace k8s.io containers list --quiet \
    "labels.\"io.kubernetes.container.name\"==$1,labels.\"io.kubernetes.pod.namespace\"==kube-system") || return
  if [ -z "$containers" ]; then return; fi
  running=$(ctr --namespace k8s.io tasks list) || return
  awk '$3 == "RUNNING" { print $1 }' <<< "$running" | grep --fixed-strings --line-regexp "$containers" || true
}

# stop_containers NAME SECONDS: asks them to end, and ends them when the time is over.
stop_containers() {
  local container running waited asked='' begin=$SECONDS
  while true; do
    waited=$((SECONDS - begin))
    if running=$(running_containers "$1" 2> /dev/null); then
      if [ -z "$running" ]; then return; fi
      for container in $running; do
        if [ -z "$asked" ]; then
          ctr --namespace k8s.io tasks kill --signal SIGTERM "$container" || true
        elif ((waited >= $2)); then
          ctr --namespace k8s.io tasks kill --signal SIGKILL "$container" || true
        fi
      done
      asked=yes
    fi
    if ((waited >= $2 + 20)); then fail "the container $1 does not end, or containerd does not answer"; fi
    sleep 0.2
  done
}

# stop_control_plane: the kubelet first, which would start everything again; etcd last, which gives its leadership away when it is asked to end.
stop_control_plane() {
  local others=()
  systemctl stop kubelet.service
  stop_containers kube-controller-manager 5 &
  others+=($!)
  stop_containers kube-scheduler 5 &
  others+=($!)
  stop_containers kube-apiserver 10
  # Not for everything in the background: what publishes the status never ends.
  wait "${others[@]}"
  stop_containers etcd 10
}

# hand_over_leadership: to the first other member that answers.
hand_over_leadership() {
  local endpoint status member
  if ! is_leader; then return; fi
  for endpoint in $(tr ',' ' ' <<< "$(other_endpoints)"); do
    status=$(etcdctl_at "$endpoint" endpoint status --write-out fields 2> /dev/null) || continue
    member=$(printf '%x' "$(sed -n 's/^"MemberID" : //p' <<< "$status")")
    if etcdctl_at https://127.0.0.1:2379 move-leader "$member" > /dev/null; then
      log "etcd's leader is now the member at $endpoint"
      return
    fi
  done
}

# stop_slot: before a shutdown or a reboot. Nothing that fails here may hold the shutdown up.
stop_slot() {
  attempt hand_over_leadership
  attempt stop_control_plane
  if [ "$ATTEMPT" -ne 0 ]; then log "the control plane could not be stopped in order: $(failure)"; fi
  log "the control plane of this slot has stopped"
}

# release_volume: so that the next instance of the slot need not wait until EC2 has taken this one down.
release_volume() {
  umount "$ETCD_MOUNT"
  ec2 DetachVolume "VolumeId=$(< /etc/kclust/etcd-volume)" "InstanceId=$INSTANCE_ID" > /dev/null
}

# release_hook: the group goes on with the termination.
release_hook() {
  aws_query autoscaling 2011-01-01 CompleteLifecycleAction LifecycleHookName=kclust-end "AutoScalingGroupName=$AUTOSCALING_GROUP" \
    "InstanceId=$INSTANCE_ID" LifecycleActionResult=CONTINUE > /dev/null
}

# end_slot: the group takes this instance away. What fails is told, and does not stop the rest: EC2 detaches the volume with the
# instance, and the hook runs out.
end_slot() {
  local begin=$SECONDS action
  step "ending: the autoscaling group terminates this instance"
  systemctl --quiet stop kclust-boot.service kclust-tend.service kclust-addons.service kclust-credential.timer kclust-credential.service
  stop_slot
  for action in release_volume release_hook; do
    attempt "$action"
    if [ "$ATTEMPT" -ne 0 ]; then problem "$action: $(failure)"; fi
  done
  log "ended within $((SECONDS - begin)) s"
  publish_status || true
}

# is_ending: whether the group is about to terminate this instance. Only an answer counts: outside of a group there is no such value.
is_ending() {
  [ "$(metadata meta-data/autoscaling/target-lifecycle-state)" = Terminated ]
}

watch_for_end() {
  until is_ending; do sleep 5; done
  end_slot
}
