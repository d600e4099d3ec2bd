#!/bin/bash
# Boot program of all nodes of a cluster: makes a machine a control-plane slot or a worker. Runs at every boot, may be ended at any
# line and run again. /usr/local/lib/kclust/start fetches and runs it; `journalctl -u kclust-boot` shows what it does.
set -Eeuo pipefail
umask 077

KUBERNETES_VERSION='1.36.4'
CONTAINERD_VERSION='2.3.6'
RUNC_VERSION='1.5.1'
CNI_PLUGINS_VERSION='1.9.1'
ETCD_VERSION='3.6.14'
HELM_VERSION='3.18.4'
PAUSE_IMAGE='registry.k8s.io/pause:3.10.2'

# Base address of the mirror of all download sites; without one they are asked themselves.
FILES_URL=''

# SHA-256 of downloads. What is not here is checked against the checksum file beside the download.
declare -A DIGESTS=(
  [cni-plugins-amd64]=b98f74a0f8522f0a83867178729c1aa70f2158f90c45a2ca8fa791db1c76b303
  [cni-plugins-arm64]=56171987d3947707c3563db2f4001bccaf50fd63468611b9f3cbecb1375ee7ec
  [containerd-amd64]=df806bb9b86653ebc94822a7076642ff3c3614324dbc1b511bdf75ac1669b762
  [containerd-arm64]=6b3d383cc051f0bd7b2303f9034fdc9029f04c237cadb23b5e890a5b68534e05
  [etcd-amd64]=ffe840ff9295808e88cce2794a18a5ac87f12a5203c8314d0bf6aa119b41bac5
  [etcd-arm64]=fa1b80565ee6fc2df1ae6f57a508b221f3ecc7d591c317c581cd8281b0842b3e
  [helm-amd64]=f8180838c23d7c7d797b208861fecb591d9ce1690d8704ed1e4cb8e2add966c1
  [helm-arm64]=c0a45e67eef0c7416a8a8c9e9d5d2d30d70e4f4d3f7bea5de28241fffa8f3b89
  [kubeadm-amd64]=10d054585907f2c8bb823c84f6a66b3bd2a474c3d795475f04e9a44f78650fe6
  [kubeadm-arm64]=6a849c07d3e1c708f5c40f1ac8be03a56124204dfc7e1931e4113634019c0dad
  [kubectl-amd64]=8b8f088da2dab964f853b38464033b1be15ede2839eca751482357c45abdd05a
  [kubectl-arm64]=0ecf44450ee6063bf19dd166a103ee6df4a9034455c2abce626e6eea657d73fb
  [kubelet-amd64]=cf2562db46c48ab84cc3791540778ee7fb1a0a008529adbb434723dd02ed8b4b
  [kubelet-arm64]=fd53ea3fcbd077844f50a3c67e9b52f62972a563674956bab0c0f4fb7ea37d50
  [runc-amd64]=177df879d50c913eb205e898d5c1c05a18f574053c0ce5524c471208eaf06f6f
  [runc-arm64]=ca70e7dbd6616ca782a59b5d3ac86909123fdaa9fa3f89dcf29051c70eee7ce9
)

# shellcheck source=/dev/null
. /etc/kclust/node.env
# shellcheck source=/dev/null
. /usr/local/lib/kclust/aws.sh

# --- Files

# put MODE FILE: standard input becomes the content of FILE, whole or not at all.
put() {
  (umask 022 && mkdir --parents "${2%/*}")
  cat > "$2.new"
  chmod "$1" "$2.new"
  mv "$2.new" "$2"
}

write_node_files() {
  put 644 '/etc/sysctl.d/90-kclust.conf' <<'KCLUST_END'
# Pods are routed, and bridged packets are seen by the packet filter.
net.ipv4.ip_forward = 1
net.bridge.bridge-nf-call-iptables = 1
# What the kubelet insists on with protectKernelDefaults.
vm.overcommit_memory = 1
vm.panic_on_oom = 0
kernel.panic = 10
kernel.panic_on_oops = 1
kernel.keys.root_maxkeys = 1000000
kernel.keys.root_maxbytes = 25000000
# One watcher for each pod's log and configuration.
fs.inotify.max_user_instances = 8192
fs.inotify.max_user_watches = 524288
KCLUST_END
  put 644 '/etc/modules-load.d/kclust.conf' <<'KCLUST_END'
overlay
br_netfilter
KCLUST_END
  put 644 '/etc/cloud/cloud.cfg.d/99-kclust.cfg' <<'KCLUST_END'
# The host name is the instance id, which is the name of the node.
preserve_hostname: true
KCLUST_END
  put 644 '/etc/kclust/containerd.toml' <<'KCLUST_END'
version = @CONFIG_VERSION@

[plugins."io.containerd.cri.v1.images"]
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "registry.k8s.io/pause:3.10.2"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.cri.v1.runtime".containerd]
  default_runtime_name = "runc"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = true
KCLUST_END
  put 644 '/etc/systemd/system/containerd.service' <<'KCLUST_END'
[Unit]
Description=containerd container runtime
After=network.target local-fs.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=/usr/local/bin/containerd
Restart=always
RestartSec=2
# Containers outlive a restart of containerd.
KillMode=process
Delegate=yes
OOMScoreAdjust=-999
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
KCLUST_END
  put 600 '/etc/systemd/system/kubelet.service' <<'KCLUST_END'
[Unit]
Description=kubelet
Wants=containerd.service network-online.target
After=containerd.service network-online.target
StartLimitIntervalSec=0

[Service]
# The variable of kubeadm-flags.env is KUBELET_KUBEADM_ARGS.
Environment="KUBECONFIGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/local/bin/kubelet $KUBECONFIGS --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
KCLUST_END
}

write_control_plane_files() {
  put 755 '/usr/local/lib/kclust/mount-etcd' <<'KCLUST_END'
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
KCLUST_END
  put 600 '/etc/systemd/system/kubelet.service.d/20-etcd-volume.conf' <<'KCLUST_END'
# The kubelet starts etcd, so first the volume must be there.
[Service]
ExecStartPre=/usr/local/lib/kclust/mount-etcd
TimeoutStartSec=10min
KCLUST_END
  put 644 '/etc/systemd/system/kclust-credential.service' <<'KCLUST_END'
[Unit]
Description=Renews the credential with which machines join the cluster as workers
After=kclust-boot.service

[Service]
Type=oneshot
ExecStart=/usr/local/lib/kclust/start credential
Environment=HOME=/root
TimeoutStartSec=10min
KCLUST_END
  put 644 '/etc/systemd/system/kclust-credential.timer' <<'KCLUST_END'
[Unit]
Description=Renews the credential with which machines join the cluster as workers

[Timer]
# The credential lives 48 hours: one slot that works is enough, and has many tries.
OnActiveSec=6h
OnUnitActiveSec=6h
RandomizedDelaySec=30min

[Install]
WantedBy=timers.target
KCLUST_END
  put 644 '/etc/systemd/system/kclust-tend.service' <<'KCLUST_END'
[Unit]
Description=Takes snapshots of etcd, and has one restored when ordered
# The boot program starts it at every boot, when the API server of this slot answers.
After=containerd.service

[Service]
ExecStart=/usr/local/lib/kclust/start tend
Environment=HOME=/root
# Not when it has ended by itself: then it leaves the slot to the boot program, which starts it again.
Restart=on-failure
RestartSec=5
KCLUST_END
  put 644 '/etc/systemd/system/kclust-addons.service' <<'KCLUST_END'
[Unit]
Description=Applies the addons of the cluster
# The boot program starts it at every boot, when the API server of this slot answers.
After=containerd.service

[Service]
ExecStart=/usr/local/lib/kclust/start addons
Environment=HOME=/root
Restart=on-failure
RestartSec=5
KCLUST_END
  put 644 '/etc/systemd/system/kclust-end.service' <<'KCLUST_END'
[Unit]
Description=Ends this control-plane slot in order when its autoscaling group takes the instance away
# The boot program starts it at every boot, when there is something to end.
After=containerd.service

[Service]
ExecStart=/usr/local/lib/kclust/start watch-for-end
Environment=HOME=/root
Restart=on-failure
RestartSec=5
KCLUST_END
  put 644 '/etc/systemd/system/kclust-stop.service' <<'KCLUST_END'
[Unit]
Description=Stops the control plane of this slot in order before a shutdown
# The boot program starts it at every boot. What starts first is stopped last: containers and the network are still there. Not after the
# kubelet, which is stopped by this one: each would wait for the other.
After=containerd.service network-online.target
Wants=network-online.target

[Service]
# Does something only when it is stopped.
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/usr/local/lib/kclust/start stop
Environment=HOME=/root
TimeoutStopSec=60
KCLUST_END
  put 600 '/etc/kclust/admins.yaml' <<'KCLUST_END'
# Those who get a credential from kclust may do everything. Made when the cluster is new, and left alone from then on: to take the right
# away, empty `subjects`.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: "kclust:admins"
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: cluster-admin
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: Group
  name: "kclust:admins"
KCLUST_END
  put 600 '/etc/kubernetes/apiserver/admission.yaml' <<'KCLUST_END'
# Events beyond these rates are refused: what runs wild must not crowd everything else out of etcd. Clients that behave send fewer for
# one object by themselves.
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: EventRateLimit
  configuration:
    apiVersion: eventratelimit.admission.k8s.io/v1alpha1
    kind: Configuration
    limits:
    - {type: Server, qps: 1000, burst: 5000}
    - {type: SourceAndObject, qps: 1, burst: 50, cacheSize: 4096}
KCLUST_END
  put 600 '/etc/kubernetes/apiserver/audit-policy.yaml' <<'KCLUST_END'
# Who changed what, without the content of secrets and without the noise of the cluster's own machinery. The first rule that fits counts.
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
# Health checks, discovery, metrics.
- level: None
  nonResourceURLs: ["/livez*", "/readyz*", "/healthz*", "/version", "/openapi*", "/metrics"]
# Heartbeats and events.
- level: None
  resources:
  - {group: coordination.k8s.io, resources: [leases]}
  - {group: "", resources: [events]}
  - {group: events.k8s.io, resources: [events]}
# Whoever reads a secret, were it a node.
- level: Metadata
  resources:
  - {group: "", resources: [secrets]}
# Controllers and nodes that look around.
- level: None
  users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"]
  verbs: [get, list, watch]
- level: None
  userGroups: ["system:nodes"]
  verbs: [get, list, watch]
# The content of these is nobody's business.
- level: Metadata
  resources:
  - {group: "", resources: [configmaps, serviceaccounts/token]}
  - {group: authentication.k8s.io, resources: [tokenreviews]}
# Rights, and ways into a container: all that was asked.
- level: Request
  verbs: [create, update, patch, delete, deletecollection]
  resources:
  - {group: rbac.authorization.k8s.io}
  - {group: certificates.k8s.io}
  - {group: admissionregistration.k8s.io}
- level: Request
  resources:
  - {group: "", resources: [pods/exec, pods/attach, pods/portforward, pods/proxy, services/proxy, nodes/proxy]}
- level: Metadata
KCLUST_END
  put 600 '/etc/kubernetes/apiserver/authentication.yaml' <<'KCLUST_END'
# Nobody is anonymous but for health checks: those of kubeadm's probes and of the load balancer.
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions:
  - path: /livez
  - path: /readyz
  - path: /healthz
KCLUST_END
}

# shellcheck shell=bash
# --- Log, status and repetition

# Gone after a reboot: what this run of the program is doing. Files, because parts of it run in subshells.
RUN_DIR=/run/kclust
# What this run of the program is for; each has its own file for what keeps it from going on.
PROGRAM=${1:-boot}
# Why an attempt or the program failed; a file of its own for each process that attempts something.
FAILURE=$RUN_DIR/failure.$$

log() {
  printf '%s\n' "$*"
}

# time_of SECONDS: since the epoch (-1: now), as RFC 3339 has it.
time_of() {
  TZ=UTC printf '%(%Y-%m-%dT%H:%M:%SZ)T' "$1"
}

now() {
  time_of -1
}

# milliseconds: since the epoch.
milliseconds() {
  local now=$EPOCHREALTIME
  # The separator is that of the locale.
  printf '%s' "$((${now//[!0-9]/} / 1000))"
}

# step TEXT: begins a step; the log and the status object tell it. Beside the present step all earlier ones are kept, a line each:
# when it began, in milliseconds since the epoch, and its text.
step() {
  log "== $*"
  printf '%s %s\n' "$(milliseconds)" "$*" >> "$RUN_DIR/steps"
  now > "$RUN_DIR/since"
  rm -f "$RUN_DIR/error.$PROGRAM"
}

# present_step: its text.
present_step() {
  local last=''
  if [ -e "$RUN_DIR/steps" ]; then last=$(tail -n 1 "$RUN_DIR/steps"); fi
  printf '%s' "${last#* }"
}

# same_step TEXT: begins a step, unless it is the present one already.
same_step() {
  if [ "$(present_step)" != "$*" ]; then step "$@"; fi
}

# problem TEXT: what keeps the present step from ending.
problem() {
  log "$*"
  printf '%s' "$*" > "$RUN_DIR/error.$PROGRAM"
}

# fail TEXT: ends an attempt (see retry), or the program, for a reason worth telling.
fail() {
  trap - ERR
  printf '%s' "$*" > "$FAILURE"
  exit 1
}

# on_error: keeps the command that failed, unless the reason is known already. Its text, not its values: no secret can be in it.
on_error() {
  local code=$?
  if [ -e "$FAILURE" ]; then return; fi
  printf '%s (line %s, exit status %s)' "$BASH_COMMAND" "${BASH_LINENO[0]}" "$code" > "$FAILURE"
}

# failure: why the last attempt, or the program, failed.
failure() {
  cat "$FAILURE" 2> /dev/null || printf 'for an unknown reason'
}

# summary OUTPUT: the lines that say what is wrong, as one, short enough for a status object.
summary() {
  local wrong
  wrong=$(grep -iE 'error|invalid|denied|refused|not found|no matches|failed|unable|cannot' <<< "$1" || tail -n 3 <<< "$1")
  tr '\n' ' ' <<< "$wrong" | cut -c 1-600
}

# attempt COMMAND [ARGUMENT...]: runs it in a subshell that ends at the first error, and leaves its exit status in ATTEMPT. Not to be
# called in a condition: there bash would go on after errors.
attempt() {
  FAILURE=$RUN_DIR/failure.$BASHPID
  rm -f "$FAILURE"
  trap - ERR
  set +e
  (
    trap on_error ERR
    set -e
    "$@"
  )
  ATTEMPT=$?
  set -e
  trap on_error ERR
}

# retry COMMAND [ARGUMENT...]: attempts it until it succeeds, with growing pauses. Not to be called in a condition either.
retry() {
  local pause=1
  while true; do
    attempt "$@"
    if [ "$ATTEMPT" -eq 0 ]; then return; fi
    problem "$1: $(failure); again in $pause s"
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 30))
  done
}

# wait_for NAME COMMAND [ARGUMENT...]: asks until the command succeeds, every second for two minutes, then every five; says every half
# minute what it waits for.
wait_for() {
  local name=$1 begin=$SECONDS told=0 waited
  shift
  until "$@"; do
    waited=$((SECONDS - begin))
    if ((waited >= told + 30)); then
      told=$waited
      problem "waiting for $name since $told s"
    fi
    sleep "$((waited < 120 ? 1 : 5))"
  done
}

# json_text TEXT: a JSON string.
json_text() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}

# steps_json: the steps of this boot and how long each took; the present one has no end yet.
steps_json() {
  local start text next next_text separator=''
  read -r start text || true
  while [ -n "$start" ]; do
    next='' next_text=''
    read -r next next_text || true
    printf '%s{"step": %s, "since": "%s", "seconds": %s}' "$separator" "$(json_text "$text")" \
      "$(time_of "$((start / 1000))")" "$(elapsed "$start" "$next")"
    separator=', ' start=$next text=$next_text
  done
}

# elapsed FROM TO: seconds with a fraction between two times in milliseconds; null without an end.
elapsed() {
  if [ -z "$2" ]; then
    printf null
  else
    printf '%d.%03d' "$((($2 - $1) / 1000))" "$((($2 - $1) % 1000))"
  fi
}

# status_json: the status object of this node.
status_json() {
  local error=null
  if [ -e "$RUN_DIR/error.$PROGRAM" ]; then error=$(json_text "$(< "$RUN_DIR/error.$PROGRAM")"); fi
  printf '{"instance": %s, "role": %s, "group": %s, "step": %s, "since": %s, "error": %s, "steps": [%s]}\n' \
    "$(json_text "$INSTANCE_ID")" "$(json_text "$ROLE")" "$(json_text "$GROUP")" "$(json_text "$(present_step)")" \
    "$(json_text "$(< "$RUN_DIR/since")")" "$error" "$(steps_json < "$RUN_DIR/steps")"
}

# publish_status: writes the status object when it is another than the last one.
publish_status() {
  local status
  status=$(status_json) || return
  if [ -e "$RUN_DIR/published" ] && [ "$status" = "$(< "$RUN_DIR/published")" ]; then return; fi
  printf '%s\n' "$status" | s3_put "nodes/status/$INSTANCE_ID.json" || return
  printf '%s' "$status" > "$RUN_DIR/published"
}

# publish_in_background: keeps the status object up to date without holding anything up.
publish_in_background() {
  while sleep 3; do publish_status || true; done &
  PUBLISHER=$!
  trap 'end_of_program $?' EXIT
}

# end_of_program CODE: a last word, whatever the end.
end_of_program() {
  kill "$PUBLISHER" 2> /dev/null || true
  if [ "$1" -ne 0 ]; then problem "ended: $(failure)"; fi
  publish_status || true
}

# shellcheck shell=bash
# --- What the boot program asks of S3 and of EC2, beyond aws.sh

# s3_upload FILE KEY: a large file becomes the object, without being read into memory.
s3_upload() {
  s3_request PUT "$2" application/octet-stream --fail --output /dev/null --upload-file "$1" --max-time 1800
}

s3_delete() {
  s3_request DELETE "$1" '' --fail --output /dev/null --request DELETE
}

# s3_list PREFIX [AFTER]: keys that start with PREFIX, and come after the key AFTER; sorted, a line each, below the cluster's prefix. The
# first 1000.
s3_list() {
  local answer query
  # Sorted, as the signature wants it.
  query="list-type=2&prefix=$(urlencode "$S3_PREFIX/$1")"
  if [ -n "${2:-}" ]; then query+="&start-after=$(urlencode "$S3_PREFIX/$2")"; fi
  answer=$(aws_request s3 "$S3_REGION" GET "$S3_URL/?$query" '' '' --fail) || return
  grep --only-matching '<Key>[^<]*' <<< "$answer" | cut -c "$((${#S3_PREFIX} + 7))-" || true
}

# s3_exists KEY: whether there is such an object. Only 200 and 404 are answers. Anything else (an outage; a 403, which is what a
# missing key gives without s3:ListBucket) says nothing, so S3 is asked again.
s3_exists() {
  local status pause=1
  while true; do
    status=$(s3_request HEAD "$1" '' --head --output /dev/null --write-out '%{http_code}') || true
    case $status in
      200) return 0 ;;
      404) return 1 ;;
    esac
    problem "S3 answers $status when asked for $1; again in $pause s"
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 30))
  done
}

# s3_create KEY TEXT: makes the object unless it exists. Success if it was made; 1 if it exists, be it by a try of mine whose answer was
# lost.
s3_create() {
  local status pause=1
  while true; do
    status=$(s3_request PUT "$1" application/octet-stream --output /dev/null --write-out '%{http_code}' --request PUT \
      --header 'If-None-Match: *' --data-binary "$2") || true
    case $status in
      200) return 0 ;;
      412) return 1 ;;
    esac
    # 409 is a conditional write at the same time as another.
    problem "S3 answers $status to the writing of $1; again in $pause s"
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 30))
  done
}

# urlencode TEXT: percent-encoding of RFC 3986.
urlencode() {
  local LC_ALL=C text=$1 encoded='' character
  while [ -n "$text" ]; do
    character=${text:0:1}
    case $character in
      [a-zA-Z0-9._~-]) encoded+=$character ;;
      *) printf -v character '%%%02X' "'$character" && encoded+=$character ;;
    esac
    text=${text:1}
  done
  printf '%s' "$encoded"
}

# aws_query SERVICE VERSION ACTION [NAME=VALUE...]: a call of a query API, at the address beside EC2's; XML on standard output, that of
# an error too.
aws_query() {
  local body="Action=$3&Version=$2" parameter
  for parameter in "${@:4}"; do
    body+="&${parameter%%=*}=$(urlencode "${parameter#*=}")"
  done
  aws_request "$1" "$REGION" POST "${EC2_URL/ec2./$1.}" 'application/x-www-form-urlencoded; charset=utf-8' "$body" \
    --fail-with-body --data "$body"
}

# ec2 ACTION [NAME=VALUE...]
ec2() {
  aws_query ec2 2016-11-15 "$@"
}

# shellcheck shell=bash
# --- Identity

# Set by begin, from what read_identity wrote.
INSTANCE_ID='' ADDRESS='' ZONE=''

# read_identity: asks the metadata service who this machine is.
read_identity() {
  local instance address zone
  instance=$(metadata meta-data/instance-id)
  address=$(metadata meta-data/local-ipv4)
  zone=$(metadata meta-data/placement/availability-zone)
  printf 'INSTANCE_ID=%q\nADDRESS=%q\nZONE=%q\n' "$instance" "$address" "$zone" > "$RUN_DIR/identity.env.$$"
  mv "$RUN_DIR/identity.env.$$" "$RUN_DIR/identity.env"
}

# slot_address SLOT: its fixed address.
slot_address() {
  local slot
  for slot in $SLOTS; do
    if [ "${slot%%=*}" = "$1" ]; then printf '%s' "${slot#*=}"; fi
  done
}

# for_this_instance FILE...: kubeadm documents with the values of this instance.
for_this_instance() {
  sed -e "s|@INSTANCE_ID@|$INSTANCE_ID|g" -e "s|@ADDRESS@|$ADDRESS|g" -e "s|@ZONE@|$ZONE|g" "$@"
}

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

# shellcheck shell=bash
# --- Key material of the cluster

PKI_DIR=/etc/kubernetes/pki

# fetch_key OBJECT FILE
fetch_key() {
  local content
  content=$(s3_get "pki/$1") || fail "pki/$1 cannot be read from the state bucket"
  printf '%s\n' "$content" | put 600 "$2"
}

# fetch_pki: authorities and keys from the state bucket, where only control planes may read them; all at once.
fetch_pki() {
  local file commands=("fetch_key encryption.yaml /etc/kubernetes/apiserver/encryption.yaml")
  for file in ca.crt ca.key front-proxy-ca.crt front-proxy-ca.key sa.key sa.pub etcd/ca.crt etcd/ca.key; do
    commands+=("fetch_key $file $PKI_DIR/$file")
  done
  together "${commands[@]}"
}

# drop_keys: what only the assembling needs leaves the disk. The next boot fetches it again.
drop_keys() {
  rm -f "$PKI_DIR/etcd/ca.key" "$PKI_DIR/front-proxy-ca.key" /etc/kubernetes/super-admin.conf
}

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

# shellcheck shell=bash
# --- A control-plane slot assembles itself: from the PKI, its fixed address and its volume. It never joins.

# phase NAME...: one phase of kubeadm init. What it prints is of interest when it fails.
phase() {
  local output
  log "kubeadm init phase $*"
  output=$(kubeadm init phase "$@" --config /etc/kclust/kubeadm.yaml 2>&1) || fail "kubeadm init phase $*: $(summary "$output")"
}

write_kubeadm_configuration() {
  {
    for_this_instance /etc/kclust/init.yaml
    echo ---
    cat /etc/kclust/cluster.yaml
  } | put 600 /etc/kclust/kubeadm.yaml
}

# choose_path: by what is known before anything is written: etcd data on my volume, the marker of the cluster, and the order to restore a
# snapshot, if there is one. Where the others have no quorum an order is what helps, so it is looked for again and again.
choose_path() {
  local pause=1
  while true; do
    read_restore_order
    if is_asked_to_restore; then
      same_step "restore: an operator ordered to restore $RESTORE_KEY"
      attempt follow_order
      if [ "$ATTEMPT" -eq 0 ]; then
        retry write_etcd_patches new "$(restored_members)"
        return
      fi
      # The next order may be another one.
      problem "$(failure); again in $pause s"
      sleep "$pause"
      pause=$((pause < 16 ? pause * 2 : 30))
      continue
    fi
    if restore_is_due && has_etcd_data; then
      log "the volume holds data from before the restore, which this slot has followed with another volume"
      stop_control_plane
      set_data_aside
    fi
    if has_etcd_data; then
      step "restart: the volume holds etcd data"
      # etcd has a WAL and ignores them. The same as at the first boot, so that the manifest stays the same.
      retry write_etcd_patches new "$(all_members)"
      return
    fi
    if ! s3_exists control-plane/initialized; then
      step "first boot: no etcd data, and the cluster is not initialised"
      retry write_etcd_patches new "$(all_members)"
      return
    fi
    same_step "lost volume: no etcd data, but the cluster is initialised"
    attempt replace_member
    if [ "$ATTEMPT" -eq 0 ]; then return; fi
    problem "$(failure); again in $pause s"
    sleep "$pause"
    pause=$((pause < 16 ? pause * 2 : 30))
  done
}

# settle_path: etcd may start. What was restored is marked first: a slot that loses its volume from here on is a lost member, and does not
# restore a second time.
settle_path() {
  if [ -z "$RESTORE_EPOCH" ]; then return; fi
  retry mark_volume
  if s3_create "$(restored_marker)" "$(now)"; then log "marked this slot as restored"; fi
}

# assemble: etcd and the kubelet first. An API server that is up long before its etcd gives up and costs another start.
assemble() {
  phase certs all
  phase kubeconfig kubelet
  phase etcd local
  phase kubelet-start
  # kubeadm writes it readable for everybody.
  chmod 600 /var/lib/kubelet/config.yaml
  phase kubeconfig all
  phase control-plane all
}

# assembly: what the machine was assembled from.
assembly() {
  sha256sum < /etc/kclust/kubeadm.yaml
}

# is_assembled: whether this machine was, from the same documents, and has its data: a reboot. Then the kubelet has started all by itself,
# and to stop it half-way would only cost time.
is_assembled() {
  has_etcd_data && ! restore_is_due && [ -e /etc/kclust/assembled ] && [ "$(< /etc/kclust/assembled)" = "$(assembly)" ]
}

assemble_slot() {
  step "waiting for downloads and the key material"
  wait "$KEYS"
  wait_for_downloads
  name_host
  choose_path
  settle_path
  step "assembling the control plane"
  retry assemble
  systemctl --quiet enable kubelet.service
  assembly | put 600 /etc/kclust/assembled
}

# api_is_ready: the API server of this slot, asked directly.
api_is_ready() {
  [ "$(curl --silent --max-time 3 --cacert "$PKI_DIR/ca.crt" "https://$ADDRESS:$API_PORT/readyz")" = ok ]
}

# mark_initialized: from here on no slot may start an empty etcd of its own.
mark_initialized() {
  if s3_create control-plane/initialized "$INSTANCE_ID"; then log "marked the cluster as initialised"; fi
}

# register_node: what belongs to this node object, which is a new one for every instance.
register_node() {
  phase mark-control-plane
  phase kubelet-finalize all
}

boot_control_plane() {
  if [ "$ADDRESS" != "$(slot_address "$GROUP")" ]; then
    fail "this instance has the address $ADDRESS, but the slot $GROUP has $(slot_address "$GROUP")"
  fi
  # Beside the volume.
  retry fetch_pki &
  KEYS=$!
  step "attaching the etcd volume"
  retry attach_volume
  retry format_volume
  retry mount_volume
  retry stamp_volume
  retry write_kubeadm_configuration
  read_restore_order
  if is_assembled; then
    step "reboot: waiting for downloads"
    wait_for_downloads
    # While a machine is off, nobody renews them.
    wait "$KEYS"
    retry renew_due_certificates
  else
    assemble_slot
  fi
  if is_learner; then
    step "joining etcd: until it has caught up this member has no vote"
    wait_for "the other members to give this one a vote" unless_ordered promote_member
  fi
  step "waiting for the API server"
  wait_for "the API server of this slot" unless_ordered api_is_ready
  retry map_api_name "$ADDRESS"
  step "waiting for a quorum of etcd"
  wait_for "a quorum of etcd" unless_ordered has_quorum https://127.0.0.1:2379
  mark_initialized
  step "setting up the cluster"
  set_up_cluster
  systemctl start --no-block kclust-stop.service kclust-end.service kclust-tend.service kclust-addons.service
  step "registering the node"
  retry register_node
  retry publish_credential
  systemctl --quiet enable --now kclust-credential.timer
  wait "$KEYS"
  drop_keys
}

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

# shellcheck shell=bash
# --- Settings that running slots follow: an object of the state, changed by `kclust update`

# As last read by this program.
SETTINGS=$RUN_DIR/settings.$PROGRAM

# read_settings: the settings object, as a file.
read_settings() {
  s3_get control-plane/settings > "$SETTINGS.new" || fail "control-plane/settings cannot be read"
  if [ "$(head -n 1 "$SETTINGS.new")" != 'format 1' ]; then
    fail "control-plane/settings has a format that this boot program does not know: $(head -c 80 "$SETTINGS.new" | head -n 1)"
  fi
  mv "$SETTINGS.new" "$SETTINGS"
}

# setting NAME: a value of the settings.
setting() {
  awk -v name="$1" '$1 == name { print $2 }' "$SETTINGS"
}

# shellcheck shell=bash
# --- Addons: what the settings object names is applied by one slot at a time, and again when it changes

ADMIN_KUBECONFIG=/etc/kubernetes/admin.conf
# How long the lease of the slot that applies is good without being renewed, which it is before each addon; longer than any may take.
LEASE_SECONDS=900

# addon_lines: `NAME DIGEST KIND KEY SHA256 [NAMESPACE REPOSITORY CHART VERSION]` for each addon in order. The digest is that of all the
# rest: when it changes, the addon is applied again.
addon_lines() {
  local word name rest
  while read -r word name rest; do
    if [ "$word" = addon ]; then printf '%s %s %s\n' "$name" "$(sha256sum <<< "$rest" | cut -c 1-16)" "$rest"; fi
  done < "$SETTINGS"
}

cluster_kubectl() {
  kubectl --kubeconfig "$ADMIN_KUBECONFIG" --namespace kube-system "$@"
}

# applied_digest NAME: what the cluster remembers of an addon.
applied_digest() {
  cluster_kubectl get configmap kclust-addons --ignore-not-found --output "jsonpath={.data['$1']}"
}

remember_applied() {
  cluster_kubectl create configmap kclust-addons --dry-run=client --output yaml "--from-literal=$1=$2" |
    cluster_kubectl apply --server-side --field-manager "kclust-$1" --filename - > /dev/null
}

# take_lease: whether this slot is the one that applies addons. Kubernetes refuses the write of whoever has not seen the last one.
take_lease() {
  local lease version holder renewed
  lease=$(cluster_kubectl get lease kclust-addons --ignore-not-found \
    --output 'jsonpath={.metadata.resourceVersion} {.spec.holderIdentity} {.spec.renewTime}') || return
  read -r version holder renewed <<< "$lease" || true
  if [ -n "$holder" ] && [ "$holder" != "$INSTANCE_ID" ] &&
    (($(date +%s) - $(date --date "$renewed" +%s) < LEASE_SECONDS)); then
    return 1
  fi
  {
    printf 'apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: kclust-addons, namespace: kube-system'
    if [ -n "$version" ]; then printf ', resourceVersion: "%s"' "$version"; fi
    printf '}\nspec: {holderIdentity: %s, leaseDurationSeconds: %s, renewTime: "%s"}\n' "$INSTANCE_ID" "$LEASE_SECONDS" \
      "$(date --utc +%Y-%m-%dT%H:%M:%S.%6NZ)"
  } | if [ -n "$version" ]; then
    cluster_kubectl replace --filename -
  else
    cluster_kubectl create --filename -
  fi > /dev/null 2>&1
}

# give_lease_back: the next slot need not wait. Another's lease stays.
give_lease_back() {
  if [ "$(cluster_kubectl get lease kclust-addons --ignore-not-found --output 'jsonpath={.spec.holderIdentity}')" = "$INSTANCE_ID" ]; then
    cluster_kubectl delete lease kclust-addons --ignore-not-found > /dev/null || true
  fi
}

# fetch_addon KEY SHA256 FILE: its manifest, or its chart's values.
fetch_addon() {
  s3_get "$1" > "$3" || fail "$1 cannot be read from the state bucket"
  if ! echo "$2  $3" | sha256sum --check --status; then fail "$1 does not have the SHA-256 $2"; fi
}

# apply_manifest FILE: more than once where need be, because the API knows the kinds that a manifest defines only a moment after it
# has them.
apply_manifest() {
  local try output
  for try in 1 2 3 4; do
    # No namespace of ours: kubectl refuses objects that name another one.
    if output=$(kubectl --kubeconfig "$ADMIN_KUBECONFIG" apply --server-side --force-conflicts --field-manager kclust \
      --filename "$1" 2>&1); then return; fi
    if [[ $output != *'no matches for kind'* && $output != *'ensure CRDs are installed'* ]]; then break; fi
    sleep "$try"
  done
  fail "$(summary "$output")"
}

# install_chart NAME VALUES NAMESPACE REPOSITORY CHART VERSION
install_chart() {
  local output source=("$5" --repo "$4")
  if [[ $4 = oci://* ]]; then source=("$4/$5"); fi
  provide_helm
  # A release whose installation was cut off for good; only who holds the lease installs.
  cluster_kubectl --namespace "$3" delete secret --ignore-not-found \
    --selector "owner=helm,name=$1,status in (pending-install,pending-upgrade,pending-rollback)" > /dev/null
  output=$(HELM_CACHE_HOME=/var/cache/kclust/helm HELM_CONFIG_HOME=/var/lib/kclust/helm HELM_DATA_HOME=/var/lib/kclust/helm \
    helm --kubeconfig "$ADMIN_KUBECONFIG" upgrade --install "$1" "${source[@]}" --version "$6" --namespace "$3" --create-namespace \
    --values "$2" --history-max 3 --timeout 10m 2>&1) || fail "$(summary "$output")"
}

# apply_addon NAME KIND KEY SHA256 [NAMESPACE REPOSITORY CHART VERSION]
apply_addon() {
  local file=$RUN_DIR/addon.yaml
  fetch_addon "$3" "$4" "$file"
  case $2 in
    manifest) apply_manifest "$file" ;;
    chart) install_chart "$1" "$file" "${@:5}" ;;
    *) fail "$1 is of a kind that this boot program does not know: $2" ;;
  esac
  rm "$file"
}

# apply_addons: what is new or has changed, in order. One that fails does not stop the others: it is reported, and tried again.
apply_addons() {
  local name digest rest words failed=0
  while read -r name digest rest <&3; do
    read -r -a words <<< "$rest"
    if [ "$(applied_digest "$name")" = "$digest" ]; then
      report_addon "$name" "${words[2]}" applied
      continue
    fi
    if ! take_lease; then fail "another slot has taken the lease for applying addons"; fi
    attempt apply_addon "$name" "${words[@]}"
    if [ "$ATTEMPT" -eq 0 ]; then
      remember_applied "$name" "$digest"
      log "applied the addon $name"
      report_addon "$name" "${words[2]}" applied
    else
      log "the addon $name cannot be applied: $(failure)"
      report_addon "$name" "${words[2]}" failed "$(failure)"
      failed=1
    fi
  done 3< <(addon_lines)
  publish_addons
  forget_removed
  return "$failed"
}

# forget_removed: addons that the settings do not name any more. Their objects stay, but when they come back they are applied.
forget_removed() {
  local name names named
  named=$(addon_lines | cut -d ' ' -f 1)
  # shellcheck disable=SC2016 # the variables are the template's
  names=$(cluster_kubectl get configmap kclust-addons --ignore-not-found \
    --output 'go-template={{range $name, $_ := .data}}{{$name}} {{end}}')
  for name in $names; do
    if ! grep --quiet --fixed-strings --line-regexp "$name" <<< "$named"; then
      cluster_kubectl patch configmap kclust-addons --type json --patch "[{\"op\": \"remove\", \"path\": \"/data/$name\"}]" > /dev/null
      log "the addon $name is not in the spec any more; its objects stay in the cluster"
    fi
  done
}

# report_addon NAME SHA256 STATE [ERROR]: one line of the report.
report_addon() {
  local error=null
  if [ -n "${4:-}" ]; then error=$(json_text "$4"); fi
  printf '{"name": %s, "sha256": "%s", "state": "%s", "error": %s, "since": "%s"}\n' "$(json_text "$1")" "$2" "$3" "$error" "$(now)" \
    >> "$RUN_DIR/addons.new"
}

# publish_addons: the report.
publish_addons() {
  { printf '['; paste --serial --delimiters , "$RUN_DIR/addons.new"; printf ']\n'; } | s3_put control-plane/addons.json || true
  rm "$RUN_DIR/addons.new"
}

# apply_changed_addons: when the settings are not those that were last applied here. After a failure with growing pauses, unless the
# settings have changed since.
apply_changed_addons() {
  local applied=$RUN_DIR/settings.applied failed=$RUN_DIR/settings.failed
  if cmp --quiet "$SETTINGS" "$applied" 2> /dev/null; then return; fi
  if ((SECONDS < ADDONS_AGAIN)) && cmp --quiet "$SETTINGS" "$failed" 2> /dev/null; then return; fi
  if ! take_lease; then return; fi
  rm -f "$RUN_DIR/addons.new"
  attempt apply_addons
  give_lease_back
  if [ "$ATTEMPT" -eq 0 ]; then
    cp "$SETTINGS" "$applied"
    ADDONS_PAUSE=15
  else
    cp "$SETTINGS" "$failed"
    ADDONS_AGAIN=$((SECONDS + ADDONS_PAUSE))
    ADDONS_PAUSE=$((ADDONS_PAUSE < 240 ? ADDONS_PAUSE * 2 : 300))
  fi
}

# shellcheck shell=bash
# --- Snapshots of etcd, taken by the leader

SNAPSHOT=/var/lib/kclust/snapshot.db

# is_leader: whether the member of this slot leads etcd.
is_leader() {
  local status
  status=$(etcdctl_at https://127.0.0.1:2379 endpoint status --write-out fields) || return
  [ "$(sed -n 's/^"MemberID" : //p' <<< "$status")" = "$(sed -n 's/^"Leader" : //p' <<< "$status")" ]
}

# compressor: of what the image has.
compressor() {
  if command -v zstd > /dev/null; then echo zstd; else echo gzip; fi
}

# take_snapshot: a snapshot in the state bucket; its key is left in SNAPSHOT_KEY. etcdutl checks the file's own hash before it leaves.
take_snapshot() {
  local revision file suffix output
  install -d -m 700 "${SNAPSHOT%/*}"
  rm -f "$SNAPSHOT" "$SNAPSHOT".*
  output=$(etcdctl_at https://127.0.0.1:2379 --command-timeout 10m snapshot save "$SNAPSHOT" 2>&1) ||
    fail "etcd gives no snapshot: $(summary "$output")"
  revision=$(etcdutl snapshot status "$SNAPSHOT" --write-out json | sed -n 's/.*"revision":\([0-9]*\).*/\1/p')
  if [ -z "$revision" ]; then fail "the snapshot cannot be read"; fi
  case $(compressor) in
    zstd) suffix=zst && zstd --quiet --rm "$SNAPSHOT" ;;
    gzip) suffix=gz && gzip "$SNAPSHOT" ;;
  esac
  file=$SNAPSHOT.$suffix
  SNAPSHOT_KEY=backups/etcd/$(date --utc +%Y%m%dT%H%M%SZ)-r$revision.db.$suffix
  s3_upload "$file" "$SNAPSHOT_KEY" || fail "the snapshot cannot be written to the state bucket"
  log "snapshot of etcd: $SNAPSHOT_KEY ($(stat --format %s "$file") bytes)"
  rm "$file"
  printf '%s' "$SNAPSHOT_KEY" > "$RUN_DIR/snapshot-key"
}

# snapshot_time KEY: when it was taken, in seconds since the epoch; nothing when it is no snapshot of ours.
snapshot_time() {
  if [[ $1 =~ /([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z-r[0-9]+\.db\. ]]; then
    date --utc --date "${BASH_REMATCH[1]}-${BASH_REMATCH[2]}-${BASH_REMATCH[3]} ${BASH_REMATCH[4]}:${BASH_REMATCH[5]}:${BASH_REMATCH[6]}" +%s
  fi
}

# drop_old_snapshots: those beyond the retention time. Only after another one was taken, so that there is always one.
drop_old_snapshots() {
  local key taken oldest
  oldest=$(($(date +%s) - $(setting backup-retention)))
  for key in $(s3_list backups/etcd/); do
    taken=$(snapshot_time "$key")
    # A slot that was down when the order to restore came still needs its snapshot.
    if [ -n "$taken" ] && ((taken < oldest)) && [ "$key" != "$RESTORE_KEY" ]; then
      s3_delete "$key"
      log "removed the snapshot $key, which is older than the retention time"
    fi
  done
}

# snapshot_is_due: whether the newest snapshot is older than the interval. The bucket is asked only when that can be: another slot may
# have led until now. What is no snapshot, or one of the future, does not count.
snapshot_is_due() {
  local interval now keys key taken newest=0
  now=$(date +%s)
  if ((now < SNAPSHOT_NEXT)); then return 1; fi
  interval=$(setting backup-interval)
  keys=$(s3_list backups/etcd/ "backups/etcd/$(date --utc --date "@$((now - interval))" +%Y%m%dT%H%M%SZ)") || return 1
  for key in $keys; do
    taken=$(snapshot_time "$key")
    if [ -n "$taken" ] && ((taken <= now && taken > newest)); then newest=$taken; fi
  done
  if ((newest == 0)); then return 0; fi
  SNAPSHOT_NEXT=$((newest + interval))
  return 1
}

# answer_request: takes the snapshot that an operator waits for (`kclust backup`).
answer_request() {
  local request outcome
  request=$(s3_get control-plane/backup-request 2> /dev/null) || return 0
  if [ "$request" = "$ANSWERED" ] || ! is_leader; then return; fi
  if [[ $(s3_get control-plane/backup-answer 2> /dev/null) != "$request"* ]]; then
    attempt take_snapshot
    if [ "$ATTEMPT" -eq 0 ]; then outcome=$(< "$RUN_DIR/snapshot-key"); else outcome="error: $(failure)"; fi
    retry write_answer "$request" "$outcome"
  fi
  ANSWERED=$request
}

# write_answer REQUEST OUTCOME
write_answer() {
  printf '%s\n%s\n' "$1" "$2" | s3_put control-plane/backup-answer
}

# tend_backups: what an operator asks for, and a snapshot at every interval.
tend_backups() {
  answer_request
  if [ ! -e "$SETTINGS" ] || ! snapshot_is_due || ! is_leader; then return; fi
  attempt take_snapshot
  if [ "$ATTEMPT" -eq 0 ]; then
    SNAPSHOT_NEXT=$(($(date +%s) + $(setting backup-interval)))
    attempt drop_old_snapshots
  else
    log "no snapshot could be taken: $(failure); again in a minute"
    SNAPSHOT_NEXT=$(($(date +%s) + 60))
  fi
}

# shellcheck shell=bash
# --- Restoring a snapshot, when an operator says so (`kclust restore`), and never otherwise

# The order: its epoch tells it from every other one; the snapshot; `NAME=ADDRESS` of the slots that shall restore it.
RESTORE_EPOCH='' RESTORE_KEY='' RESTORE_SLOTS=''
# When to look for an order next, in seconds of this run.
ORDERS_NEXT=0

# read_restore_order: the newest order, if there ever was one. An order that cannot be read is not the same as none: it is asked for again.
read_restore_order() {
  local text epoch key named
  RESTORE_EPOCH='' RESTORE_KEY='' RESTORE_SLOTS=''
  while s3_exists control-plane/restore; do
    epoch='' key='' named=''
    if text=$(s3_get control-plane/restore); then
      { read -r epoch && read -r key && read -r named; } <<< "$text" || true
      if [[ $epoch =~ ^[A-Za-z0-9-]+$ && $key =~ ^backups/[A-Za-z0-9._/-]+$ && $named =~ ^[a-z0-9-]+= ]]; then
        RESTORE_EPOCH=$epoch RESTORE_KEY=$key RESTORE_SLOTS=$named
        return
      fi
      problem "control-plane/restore is not an order that this boot program understands; again in 5 s"
    else
      problem "control-plane/restore cannot be read; again in 5 s"
    fi
    sleep 5
  done
}

# volume_epoch: the order that the data on the volume came from; nothing for data that was never restored.
volume_epoch() {
  cat "$ETCD_MOUNT/.kclust-epoch" 2> /dev/null || true
}

# restore_is_due: whether there is an order that the volume has not followed.
restore_is_due() {
  [ -n "$RESTORE_EPOCH" ] && [ "$(volume_epoch)" != "$RESTORE_EPOCH" ]
}

# is_asked_to_restore: whether this slot was there when the order was given, and has not followed it with any volume. One that was added later
# joins the others.
is_asked_to_restore() {
  restore_is_due && [[ " $RESTORE_SLOTS" = *" $GROUP="* ]] && ! s3_exists "$(restored_marker)"
}

# restored_marker: says that this slot followed the order.
restored_marker() {
  printf 'control-plane/restored/%s/%s' "$RESTORE_EPOCH" "$GROUP"
}

# fetch_snapshot: the snapshot of the order, whole and readable, before anything is stopped for it.
fetch_snapshot() {
  local packed=$SNAPSHOT.packed output free
  install -d -m 700 "${SNAPSHOT%/*}"
  log "fetching $RESTORE_KEY"
  s3_request GET "$RESTORE_KEY" '' --fail --max-time 1800 --output "$packed" || fail "$RESTORE_KEY cannot be read"
  case $RESTORE_KEY in
    *.zst)
      if ! command -v zstd > /dev/null; then fail "the image of this machine has no zstd, with which $RESTORE_KEY is packed"; fi
      zstd --quiet --decompress --force -o "$SNAPSHOT" "$packed"
      ;;
    *.gz) gzip --decompress --stdout "$packed" > "$SNAPSHOT" ;;
    *) cp "$packed" "$SNAPSHOT" ;;
  esac
  rm "$packed"
  output=$(etcdutl snapshot status "$SNAPSHOT" 2>&1) || fail "$RESTORE_KEY is no snapshot of etcd: $(summary "$output")"
  free=$(df --output=avail --block-size=1 "$ETCD_MOUNT" | tail -n 1)
  # The restored data has a log of 64 MB beside it.
  if ((free < $(stat --format %s "$SNAPSHOT") + 200000000)); then
    fail "$ETCD_MOUNT has too little room for the snapshot; what earlier restores set aside there (data.before-*) can be removed"
  fi
}

# set_data_aside: what is on the volume is kept, and kept from being used. Where that has been done, what lies in the directory is this very
# order's own beginning.
set_data_aside() {
  local aside=$ETCD_MOUNT/data.before-$RESTORE_EPOCH
  if pgrep -x etcd > /dev/null; then fail "etcd is still running"; fi
  if [ -e "$aside" ]; then
    rm -rf "$ETCD_MOUNT/data"
  elif [ -e "$ETCD_MOUNT/data/member" ]; then
    mv "$ETCD_MOUNT/data" "$aside"
    log "the data that was on the volume is kept in $aside"
  fi
  install -d -m 700 "$ETCD_MOUNT/data"
}

# mark_volume: the data is that of the order, whatever happens next. First the data, then the mark.
mark_volume() {
  /usr/local/lib/kclust/mount-etcd
  sync --file-system "$ETCD_MOUNT"
  put 600 "$ETCD_MOUNT/.kclust-epoch" <<< "$RESTORE_EPOCH"
  sync --file-system "$ETCD_MOUNT"
}

# restored_members: --initial-cluster of what all slots of the order restore, the same on each, whatever this machine was told of its slots.
restored_members() {
  SLOTS=$RESTORE_SLOTS all_members
}

# restore_member: this slot's member of a new etcd cluster that all slots make from the same snapshot, with the same members and the same
# token, so that nobody need be first. Revisions jump, so that nobody who watched the old cluster takes an old one for a new one.
restore_member() {
  local output
  if [ ! -e "$SNAPSHOT" ]; then fetch_snapshot; fi
  /usr/local/lib/kclust/mount-etcd
  rm -rf "$ETCD_MOUNT/data.new"
  output=$(etcdutl snapshot restore "$SNAPSHOT" --data-dir "$ETCD_MOUNT/data.new" --name "$GROUP" \
    --initial-cluster "$(restored_members)" --initial-cluster-token "$CLUSTER_UID-$RESTORE_EPOCH" \
    --initial-advertise-peer-urls "https://$ADDRESS:2380" --bump-revision 1000000000 --mark-compacted 2>&1) ||
    fail "etcdutl snapshot restore: $(summary "$output")"
  set_data_aside
  rmdir "$ETCD_MOUNT/data"
  mv "$ETCD_MOUNT/data.new" "$ETCD_MOUNT/data"
  mark_volume
  rm -f "$SNAPSHOT" "$ETCD_MOUNT/.kclust-learner"
  # What has been applied since the snapshot is not in it.
  rm -f "$RUN_DIR/settings.applied"
}

# follow_order: everything that serves from etcd stops, and etcd gets the data of the snapshot. A snapshot of another attempt is not trusted.
follow_order() {
  rm -f "$SNAPSHOT"
  fetch_snapshot
  stop_control_plane
  restore_member
}

# unless_ordered COMMAND [ARGUMENT...]: the command; but looks for an order now and then, which is what helps where nothing gets up. It
# ends the program, which then begins anew and follows the order.
unless_ordered() {
  if ((SECONDS >= ORDERS_NEXT)); then
    ORDERS_NEXT=$((SECONDS + 15))
    read_restore_order
    if is_asked_to_restore; then fail "an operator ordered to restore $RESTORE_KEY"; fi
  fi
  "$@"
}

# tend_restore: a running slot that finds a new order hands over to the boot program, which stops the control plane when it has the snapshot.
tend_restore() {
  read_restore_order
  if ! is_asked_to_restore; then return; fi
  log "an operator ordered to restore $RESTORE_KEY: the boot program follows it"
  rm -f /etc/kclust/assembled
  systemctl restart --no-block kclust-boot.service
  # It starts this service again when the slot is assembled.
  exit 0
}

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

# shellcheck shell=bash
# --- What a running slot looks after

# tend: orders to restore, snapshots, what etcd is like, and certificates.
tend() {
  SNAPSHOT_NEXT=0 ANSWERED='' ETCD_NEXT=0 CERTIFICATES_NEXT=0
  while true; do
    tend_restore
    attempt read_settings
    if [ "$ATTEMPT" -ne 0 ]; then log "$(failure)"; fi
    tend_backups
    publish_etcd
    tend_certificates
    sleep 15
  done
}

# etcd_answer COMMAND...: what the slot's own member says, as JSON; null where it says nothing.
etcd_answer() {
  local answer
  if answer=$(etcdctl_at https://127.0.0.1:2379 "$@" --write-out json 2> /dev/null) && [ -n "$answer" ]; then
    printf '%s' "$answer"
  else
    printf null
  fi
}

# publish_etcd: every minute, for `kclust validate`: nobody outside can ask etcd.
publish_etcd() {
  if ((SECONDS < ETCD_NEXT)); then return; fi
  ETCD_NEXT=$((SECONDS + 60))
  printf '{"at": "%s", "status": %s, "members": %s, "alarms": %s}\n' "$(now)" "$(etcd_answer endpoint status)" \
    "$(etcd_answer member list)" "$(etcd_answer alarm list)" | s3_put "control-plane/etcd/$GROUP.json" || true
}

# tend_certificates: every hour.
tend_certificates() {
  if ((SECONDS < CERTIFICATES_NEXT)); then return; fi
  CERTIFICATES_NEXT=$((SECONDS + 3600))
  attempt renew_due_certificates
  if [ "$ATTEMPT" -ne 0 ]; then log "$(failure)"; fi
}

# tend_addons: a service of its own, because an addon may take its time.
tend_addons() {
  ADDONS_AGAIN=0 ADDONS_PAUSE=15
  while true; do
    attempt read_settings
    if [ "$ATTEMPT" -eq 0 ]; then apply_changed_addons; else log "$(failure)"; fi
    sleep 15
  done
}

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

# shellcheck shell=bash
# --- Main

# begin: what every run of the program needs.
begin() {
  mkdir --parents "$RUN_DIR" "$INSTALLED_DIR"
  rm -f "$FAILURE"
  trap on_error ERR
  retry read_identity
  # shellcheck source=/dev/null
  . "$RUN_DIR/identity.env"
  # For all that this program does in subshells too.
  keep_credentials || true
}

# start_downloads: in the background, beside all that does not need them.
start_downloads() {
  start_runtime &
  RUNTIME=$!
  retry install_node_programs &
  PROGRAMS=$!
}

# wait_for_downloads: images are pulled from then on.
wait_for_downloads() {
  wait "$RUNTIME"
  wait "$PROGRAMS"
  pull_images &
}

boot() {
  step "preparing the host"
  publish_in_background
  log "$INSTANCE_ID ($ADDRESS, $ZONE) becomes $ROLE $GROUP of $CLUSTER"
  retry prepare_host
  start_downloads
  if [ "$ROLE" = control-plane ]; then boot_control_plane; else boot_worker; fi
  step "done"
}

begin
case $PROGRAM in
  boot) boot ;;
  credential) retry publish_credential ;;
  tend) tend ;;
  addons) tend_addons ;;
  watch-for-end) watch_for_end ;;
  stop) stop_slot ;;
esac
