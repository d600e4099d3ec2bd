# shellcheck shell=bash
# --- Software

# What was installed: a file for each download, holding its version and digest.
INSTALLED_DIR=/var/lib/kclust/installed

case $(uname -m) in
  x86_64) ARCHITECTURE=amd64 ;;
  aarch64) ARCHITECTURE=arm64 ;;
  *)
    echo "there is no Kubernetes for $(uname -m) here" >&2
    exit 1
    ;;
esac

# fetch PATH [OPTION OF CURL...]: a file of a download site (HOST/PATH), or of the mirror of them.
fetch() {
  local url=https://$1
  if [ -n "$FILES_URL" ]; then url=$FILES_URL/$1; fi
  curl --silent --show-error --fail --location --connect-timeout 10 --max-time 600 --speed-limit 1024 --speed-time 30 "${@:2}" "$url"
}

# digest_of NAME PATH CHECKSUMS: the SHA-256 that a download must have: the one that is known, or else the published one. Checksum
# files hold a digest alone or lines of digest and file name.
digest_of() {
  local digest=${DIGESTS["$1-$ARCHITECTURE"]:-}
  if [ -z "$digest" ]; then
    digest=$(fetch "$3" | awk -v file="${2##*/}" '!found && (NF == 1 || $2 == file || $2 == "*" file) { print $1; found = 1 }')
  fi
  if [[ ! $digest =~ ^[0-9a-f]{64}$ ]]; then fail "$3 has no SHA-256 of ${2##*/}"; fi
  printf '%s' "$digest"
}

# version_of NAME: the version that answers on this machine, whoever installed it; nothing when there is none.
version_of() {
  local answer
  case $1 in
    kubeadm) answer=$(kubeadm version --output short) ;;
    kubelet) answer=$(kubelet --version) ;;
    kubectl) answer=$(kubectl version --client) ;;
    cni-plugins) answer=$(/opt/cni/bin/bridge --version) ;;
    etcd) answer=$(etcdctl version && etcdutl version) ;;
    *) answer=$("$1" --version || "$1" version) ;;
  esac 2>&1 || return 0
  if [[ $answer =~ [0-9]+\.[0-9]+\.[0-9]+ ]]; then printf '%s' "${BASH_REMATCH[0]}"; fi
}

# is_installed NAME VERSION: whether this program installed it, with the digest that it must have, or a prepared image has the version.
# What an installation that was cut short left does not count.
is_installed() {
  local version digest=${DIGESTS["$1-$ARCHITECTURE"]:-} found
  if [ -e "$INSTALLED_DIR/$1.download" ]; then return 1; fi
  if [ ! -e "$INSTALLED_DIR/$1" ]; then
    [ "$(version_of "$1")" = "$2" ]
  else
    read -r version found < "$INSTALLED_DIR/$1" || true
    [ "$version" = "$2" ] && [ "$found" = "${digest:-$found}" ]
  fi
}

# provide NAME VERSION PATH CHECKSUMS INSTALLER: downloads, checks and installs, unless that has been done.
provide() {
  local name=$1 version=$2 path=$3 digest file=$INSTALLED_DIR/$1.download
  if is_installed "$name" "$version"; then return; fi
  digest=$(digest_of "$name" "$path" "$4")
  fetch "$path" --output "$file"
  if ! echo "$digest  $file" | sha256sum --check --status; then
    fail "$path does not have the SHA-256 $digest but $(sha256sum < "$file" | cut -c 1-64)"
  fi
  "$5" "$name" "$file"
  rm "$file"
  printf '%s %s\n' "$version" "$digest" > "$INSTALLED_DIR/$name"
  log "installed $name $version"
}

# Installers: NAME FILE.
install_program() { install -m 755 "$2" "/usr/local/bin/$1"; }
install_runc() { install -m 755 "$2" /usr/local/sbin/runc; }
install_containerd() { tar --extract --gzip --no-same-owner --directory /usr/local --file "$2"; }
install_cni_plugins() {
  install -d -m 755 /opt/cni/bin
  tar --extract --gzip --no-same-owner --directory /opt/cni/bin --file "$2"
}
install_etcd_tools() {
  tar --extract --gzip --no-same-owner --directory /usr/local/bin --strip-components=1 --wildcards --file "$2" '*/etcdctl' '*/etcdutl'
}
install_helm() {
  tar --extract --gzip --no-same-owner --directory /usr/local/bin --strip-components=1 --wildcards --file "$2" '*/helm'
}

provide_kubernetes() {
  local path=dl.k8s.io/release/v$KUBERNETES_VERSION/bin/linux/$ARCHITECTURE/$1
  provide "$1" "$KUBERNETES_VERSION" "$path" "$path.sha256" install_program
}

provide_containerd() {
  local file=containerd-$CONTAINERD_VERSION-linux-$ARCHITECTURE.tar.gz
  local path=github.com/containerd/containerd/releases/download/v$CONTAINERD_VERSION/$file
  provide containerd "$CONTAINERD_VERSION" "$path" "$path.sha256sum" install_containerd
}

provide_runc() {
  local release=github.com/opencontainers/runc/releases/download/v$RUNC_VERSION
  provide runc "$RUNC_VERSION" "$release/runc.$ARCHITECTURE" "$release/runc.sha256sum" install_runc
}

provide_cni_plugins() {
  local file=cni-plugins-linux-$ARCHITECTURE-v$CNI_PLUGINS_VERSION.tgz
  local path=github.com/containernetworking/plugins/releases/download/v$CNI_PLUGINS_VERSION/$file
  provide cni-plugins "$CNI_PLUGINS_VERSION" "$path" "$path.sha256" install_cni_plugins
}

provide_etcd_tools() {
  local release=github.com/etcd-io/etcd/releases/download/v$ETCD_VERSION
  provide etcd "$ETCD_VERSION" "$release/etcd-v$ETCD_VERSION-linux-$ARCHITECTURE.tar.gz" "$release/SHA256SUMS" install_etcd_tools
}

# provide_helm: only where there are charts to install.
provide_helm() {
  local path=get.helm.sh/helm-v$HELM_VERSION-linux-$ARCHITECTURE.tar.gz
  provide helm "$HELM_VERSION" "$path" "$path.sha256sum" install_helm
}

# together COMMAND...: runs commands at the same time, each a text of words without quotes; succeeds if all do.
together() {
  local command pid pids=() failed=0
  for command in "$@"; do
    $command &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  return "$failed"
}

provide_kubeadm() { provide_kubernetes kubeadm; }
provide_kubelet() { provide_kubernetes kubelet; }
provide_kubectl() { provide_kubernetes kubectl; }

# install_runtime: what containers need, at once.
install_runtime() {
  together provide_containerd provide_runc
}

# install_node_programs: everything else.
install_node_programs() {
  if [ "$ROLE" = control-plane ]; then
    together provide_kubeadm provide_kubelet provide_cni_plugins provide_kubectl provide_etcd_tools
  else
    together provide_kubeadm provide_kubelet provide_cni_plugins
  fi
}
