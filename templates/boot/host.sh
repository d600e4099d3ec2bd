# shellcheck shell=bash
# --- Host

# prepare_host: files, kernel modules and settings.
prepare_host() {
  write_node_files
  if [ "$ROLE" = control-plane ]; then write_control_plane_files; fi
  # Closed to others, whatever modes the pod network gives its files.
  install -d -m 700 /etc/cni/net.d
  # The kubelet looks for static pods everywhere, and complains every second where there is no such directory.
  install -d -m 700 /etc/kubernetes/manifests
  modprobe --all overlay br_netfilter
  sysctl --quiet --load=/etc/sysctl.d/90-kclust.conf
  systemctl daemon-reload
}

# name_host: the host name is the node's name. cloud-init's first stage sets another one at the first boot, so not too early. Nothing
# depends on it: kubeadm tells the kubelet the name of the node where the two differ.
name_host() {
  hostnamectl set-hostname "$INSTANCE_ID" || log "the host name cannot be set"
}

# map_api_name ADDRESS...: the API's name leads to these addresses, whatever DNS says.
map_api_name() {
  local address
  {
    sed '/# kclust$/d' /etc/hosts
    for address in "$@"; do printf '%s %s # kclust\n' "$address" "$API_NAME"; done
  } > /etc/hosts.kclust
  chmod 644 /etc/hosts.kclust
  mv /etc/hosts.kclust /etc/hosts
}
