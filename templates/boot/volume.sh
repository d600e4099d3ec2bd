# shellcheck shell=bash
# --- The etcd volume of a slot

ETCD_MOUNT=/var/lib/etcd

# volume_filters: parameters of DescribeVolumes that find the slot's volume by its tags, and no dying one.
volume_filters() {
  local number=1 tag
  for tag in $VOLUME_TAGS; do
    printf 'Filter.%s.Name=tag:%s\nFilter.%s.Value.1=%s\n' "$number" "${tag%%=*}" "$number" "${tag#*=}"
    number=$((number + 1))
  done
  printf 'Filter.%s.%s\n' "$number" Name=status "$number" Value.1=creating "$number" Value.2=available "$number" Value.3=in-use
}

# attach_volume: finds the volume and attaches it. While the slot's last instance shuts down, EC2 refuses (VolumeInUse).
attach_volume() {
  local filters answer volumes
  mapfile -t filters < <(volume_filters)
  answer=$(ec2 DescribeVolumes "${filters[@]}") || fail "DescribeVolumes: $(xml_error "$answer")"
  mapfile -t volumes < <(grep --only-matching '<volumeId>[^<]*' <<< "$answer" | cut -d '>' -f 2 | sort --unique)
  if [ "${#volumes[@]}" -ne 1 ]; then fail "one volume should have the tags $VOLUME_TAGS; found: ${volumes[*]:-none}"; fi
  if [[ $answer != *"<instanceId>$INSTANCE_ID</instanceId>"* ]]; then
    answer=$(ec2 AttachVolume "VolumeId=${volumes[0]}" "InstanceId=$INSTANCE_ID" Device=/dev/sdf) ||
      fail "AttachVolume of ${volumes[0]}: $(xml_error "$answer")"
  fi
  put 600 /etc/kclust/etcd-volume <<< "${volumes[0]}"
}

# xml_error ANSWER: code and message of an EC2 error.
xml_error() {
  sed -n -e 's|.*<Code>\(.*\)</Code>.*<Message>\(.*\)</Message>.*|\1: \2|p' <<< "$1"
}

# format_volume: makes a file system on a new volume. What is not blank and not recognised is left alone.
format_volume() {
  local device
  device=$(/usr/local/lib/kclust/mount-etcd device)
  if blkid --probe "$device" > /dev/null; then return; fi
  if ! cmp --quiet --bytes=1048576 "$device" /dev/zero; then
    fail "$device ($(< /etc/kclust/etcd-volume)) holds something that is no file system; it is not formatted"
  fi
  log "a new volume: making a file system on $device"
  mkfs.xfs -q "$device"
}

# mount_volume: mounts it, and takes up what it has grown.
mount_volume() {
  /usr/local/lib/kclust/mount-etcd
  xfs_growfs "$ETCD_MOUNT" > /dev/null
}

# stamp_volume: the volume says whose it is. Written only where there is no data; another's volume is refused.
stamp_volume() {
  local stamp=$ETCD_MOUNT/.kclust mine="$CLUSTER_UID $GROUP" found
  if [ ! -e "$stamp" ] && [ ! -e "$ETCD_MOUNT/data/member" ]; then
    put 600 "$stamp" <<< "$mine"
    sync --file-system "$ETCD_MOUNT"
  fi
  found=$(cat "$stamp" || true)
  if [ "$found" != "$mine" ]; then fail "$(< /etc/kclust/etcd-volume) belongs to '$found', not to '$mine'; it is not used"; fi
  install -d -m 700 "$ETCD_MOUNT/data"
}

has_etcd_data() {
  [ -d "$ETCD_MOUNT/data/member/wal" ]
}
