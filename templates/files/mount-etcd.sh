#!/bin/bash
# Mounts the etcd volume of this slot on /var/lib/etcd, or fails. That something is mounted there is not enough: an etcd on another
# disk would start empty. With the argument "device" only waits for the volume and prints its device.
set -euo pipefail

volume=$(< /etc/kclust/etcd-volume)
# The link that udev makes on Nitro instances, from the serial number of the NVMe device.
link=/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${volume//-/}
for ((tries = 0; tries < 240; tries++)); do
  if [ -b "$link" ]; then break; fi
  sleep 0.5
done
device=$(realpath --canonicalize-existing "$link")
if [ "${1:-}" = device ]; then
  echo "$device"
  exit
fi
if ! findmnt --noheadings --source "$device" --mountpoint /var/lib/etcd > /dev/null; then
  install -d -m 700 /var/lib/etcd
  mount -t xfs -o noatime "$device" /var/lib/etcd
fi
