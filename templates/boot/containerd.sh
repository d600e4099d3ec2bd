# shellcheck shell=bash
# --- containerd and images

# containerd_config_version: version of the configuration file: 4 since containerd 2.3, 3 before.
containerd_config_version() {
  local version
  version=$(containerd --version)
  [[ $version =~ \ v?([0-9]+)\.([0-9]+)\. ]]
  if ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] >= 2003)); then echo 4; else echo 3; fi
}

configure_containerd() {
  local version
  version=$(containerd_config_version)
  sed "s/@CONFIG_VERSION@/$version/" /etc/kclust/containerd.toml | put 644 /etc/containerd/config.toml
}

start_containerd() {
  configure_containerd
  systemctl --quiet enable --now containerd.service
  ctr version > /dev/null
}

# start_runtime: containerd first, so that images can be pulled while everything else is made ready.
start_runtime() {
  retry install_runtime
  retry start_containerd
}

# node_images: those that this node needs before it is ready.
node_images() {
  local wanted='/kube-proxy:'
  if [ "$ROLE" = control-plane ]; then wanted='/kube-|/etcd:'; fi
  kubeadm config images list --kubernetes-version "v$KUBERNETES_VERSION" 2> /dev/null | grep -E "$wanted"
  echo "$PAUSE_IMAGE"
}

pull_image() {
  local images
  images=$(ctr --namespace k8s.io images list --quiet)
  # Not through a pipe: grep ends at its first match, and what still writes into the pipe fails.
  if grep --quiet --line-regexp --fixed-strings "$1" <<< "$images"; then return; fi
  ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d "$1" > /dev/null
}

# pull_images: all at once. Only a head start: what fails here, the kubelet pulls.
pull_images() {
  local image
  for image in $(node_images); do
    pull_image "$image" || log "could not pull $image" &
  done
  wait
  log "images are here"
}
