#cloud-boothook
#!/bin/bash
# Writes what this machine needs to become a node, and starts the service that does it, without waiting for the rest of cloud-init.
# cloud-init runs boothooks at every boot; what follows can be done any number of times. It holds no secret.
set -Eeuo pipefail
umask 077

# put MODE FILE: standard input becomes the content of FILE, whole or not at all.
put() {
  (umask 022 && mkdir --parents "${2%/*}")
  cat > "$2.new"
  chmod "$1" "$2.new"
  mv "$2.new" "$2"
}

put 600 '/etc/kclust/node.env' <<'KCLUST_END'
# What this node is told of itself and its cluster, for shells.
CLUSTER='prod.example.com'
# Tells this cluster from an earlier one of the same name.
CLUSTER_UID='0123456789abcdef0123456789abcdef'
ROLE='control-plane'
# The control-plane slot or the node group.
GROUP='cp-2'
API_NAME='api.prod.example.com'
API_PORT=6443
# All control-plane slots and their fixed addresses.
SLOTS='cp-1=10.0.0.10 cp-2=10.0.32.10 cp-3=10.0.64.10'
# Tags by which a slot finds its etcd volume.
VOLUME_TAGS='kubernetes.io/cluster/prod.example.com=owned kclust.dev/id=Volume/cp-2'
# A slot's autoscaling group, by its name in AWS.
AUTOSCALING_GROUP='cp-2-prod-example-com-d9dc9fe4'
REGION='us-east-1'
EC2_URL='https://ec2.us-east-1.amazonaws.com/'
# The state bucket, and the cluster's prefix in it.
S3_URL='https://kclust-state.s3.us-east-1.amazonaws.com'
S3_REGION='us-east-1'
S3_PREFIX='team/prod.example.com'
BOOT_KEY='bootstrap/boot-SHA256-OF-THE-BOOT-PROGRAM.sh'
BOOT_SHA256='SHA256-OF-THE-BOOT-PROGRAM'
KCLUST_END

put 600 '/etc/kclust/init.yaml' <<'KCLUST_END'
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
# The token that the bootstrap-token phase makes is used by nobody: workers get their own, which is renewed.
bootstrapTokens:
- ttl: 1h0m0s
  usages: [signing, authentication]
  groups: ["system:bootstrappers:kubeadm:default-node-token"]
localAPIEndpoint:
  advertiseAddress: "@ADDRESS@"
  bindPort: 6443
nodeRegistration:
  name: "@INSTANCE_ID@"
  criSocket: unix:///run/containerd/containerd.sock
  imagePullPolicy: IfNotPresent
  imagePullSerial: false
  taints:
  - key: "node-role.kubernetes.io/control-plane"
    effect: NoSchedule
  kubeletExtraArgs:
  - name: cloud-provider
    value: external
  - name: provider-id
    value: "aws:///@ZONE@/@INSTANCE_ID@"
  - name: node-ip
    value: "@ADDRESS@"
  - name: node-labels
    value: "kclust.dev/group=cp-2"
# Flags of this member of etcd and of this start: they must not be in ClusterConfiguration, which is uploaded.
patches:
  directory: /etc/kubernetes/patches
timeouts:
  controlPlaneComponentHealthCheck: 6m0s
  kubeletHealthCheck: 4m0s
  kubernetesAPICall: 3m0s
KCLUST_END

put 600 '/etc/kclust/cluster.yaml' <<'KCLUST_END'
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: "prod.example.com"
kubernetesVersion: v1.36.2
controlPlaneEndpoint: "api.prod.example.com:6443"
certificatesDir: /etc/kubernetes/pki
encryptionAlgorithm: ECDSA-P256
networking:
  dnsDomain: cluster.local
  serviceSubnet: 172.20.0.0/16
  podSubnet: 100.64.0.0/13
etcd:
  local:
    # One level below the mount of the volume: without the volume there is no such directory, and etcd does not start.
    dataDir: /var/lib/etcd/data
    extraArgs:
    - name: quota-backend-bytes
      value: "4294967296"
    - name: cipher-suites
      value: TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
apiServer:
  certSANs:
  - "api.prod.example.com"
  - "localhost"
  - "127.0.0.1"
  - "172.20.0.1"
  - "10.0.0.10"
  - "10.0.32.10"
  - "10.0.64.10"
  extraArgs:
  # NodeRestriction is kubeadm's own choice, whose place this takes. AWS routes no external IPs of services; all that they are good
  # for is to take over the traffic of others.
  - name: enable-admission-plugins
    value: NodeRestriction,DenyServiceExternalIPs,EventRateLimit
  - name: admission-control-config-file
    value: /etc/kubernetes/apiserver/admission.yaml
  - name: authentication-config
    value: /etc/kubernetes/apiserver/authentication.yaml
  - name: encryption-provider-config
    value: /etc/kubernetes/apiserver/encryption.yaml
  - name: encryption-provider-config-automatic-reload
    value: "true"
  - name: audit-policy-file
    value: /etc/kubernetes/apiserver/audit-policy.yaml
  - name: audit-log-path
    value: /var/log/kubernetes/audit/audit.log
  - name: audit-log-maxage
    value: "30"
  - name: audit-log-maxbackup
    value: "10"
  - name: audit-log-maxsize
    value: "100"
  - name: profiling
    value: "false"
  - name: request-timeout
    value: 1m0s
  - name: service-account-extend-token-expiration
    value: "false"
  - name: tls-min-version
    value: VersionTLS12
  - name: tls-cipher-suites
    value: TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
  extraVolumes:
  - name: apiserver-config
    hostPath: /etc/kubernetes/apiserver
    mountPath: /etc/kubernetes/apiserver
    readOnly: true
    pathType: Directory
  - name: audit-log
    hostPath: /var/log/kubernetes/audit
    mountPath: /var/log/kubernetes/audit
    pathType: DirectoryOrCreate
controllerManager:
  extraArgs:
  - name: cloud-provider
    value: external
  - name: profiling
    value: "false"
  - name: terminated-pod-gc-threshold
    value: "1000"
scheduler:
  extraArgs:
  - name: profiling
    value: "false"
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: true
authorization:
  mode: Webhook
cgroupDriver: systemd
clusterDNS: ["172.20.0.10"]
clusterDomain: cluster.local
containerLogMaxSize: 20Mi
eventRecordQPS: 50
eventBurst: 100
maxParallelImagePulls: 5
podPidsLimit: 4096
protectKernelDefaults: true
readOnlyPort: 0
rotateCertificates: true
seccompDefault: true
serializeImagePulls: false
shutdownGracePeriod: 60s
shutdownGracePeriodCriticalPods: 20s
# The default, which kubeadm would write down as 0s.
streamingConnectionIdleTimeout: 4h0m0s
tlsMinVersion: VersionTLS12
tlsCipherSuites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256]
kubeReserved:
  cpu: 100m
  memory: 512Mi
systemReserved:
  cpu: 100m
  memory: 256Mi
evictionHard:
  memory.available: 200Mi
  nodefs.available: 10%
  nodefs.inodesFree: 5%
  imagefs.available: 15%
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
# What every pod network works with as it is installed by default.
mode: iptables
metricsBindAddress: 127.0.0.1:10249
KCLUST_END

put 644 '/usr/local/lib/kclust/aws.sh' <<'KCLUST_END'
# shellcheck shell=bash
# Asks the instance metadata service and S3: what it takes to fetch the boot program. To be sourced after /etc/kclust/node.env.
# Credentials go from process to process through pipes: never on a command line, never into a file.

METADATA_URL=http://169.254.169.254/latest

# metadata PATH: a value of the instance metadata service, version 2.
metadata() {
  local token
  token=$(curl --silent --fail --max-time 5 --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' \
    "$METADATA_URL/api/token") || return
  curl --silent --fail --max-time 5 --header @<(printf 'X-aws-ec2-metadata-token: %s' "$token") "$METADATA_URL/$1"
}

# json_string NAME: the string of that name in the JSON on standard input. Enough for what the metadata service answers.
json_string() {
  sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p'
}

# curl_signs: whether curl signs requests with temporary credentials as S3 wants it. 7.x leaves out the session token or the hash.
curl_signs() {
  local version
  version=$(curl --version)
  version=${version#curl }
  [ "${version%%.*}" -ge 8 ]
}

# The role's credentials, a line each: access key, secret key, session token; and when they were asked for. In memory only.
CREDENTIALS='' CREDENTIALS_AT=0

# keep_credentials: asks for them when they are not there or four minutes old: new ones are there five minutes before old ones expire.
keep_credentials() {
  local role answer
  if [ -n "$CREDENTIALS" ] && ((SECONDS - CREDENTIALS_AT < 240)); then return; fi
  role=$(metadata meta-data/iam/security-credentials/) || return
  answer=$(metadata "meta-data/iam/security-credentials/$role") || return
  CREDENTIALS=$(for name in AccessKeyId SecretAccessKey Token; do printf '%s' "$answer" | json_string "$name"; done)
  CREDENTIALS_AT=$SECONDS
}

# signature SERVICE REGION METHOD URL CONTENT-TYPE BODY: options, in the syntax of curl's configuration files, that sign a request
# with the credentials of the instance's role (AWS Signature Version 4). S3 gets the body unsigned: TLS protects it.
signature() {
  local key secret token
  { read -r key && read -r secret && read -r token; } < <(printf '%s\n' "$CREDENTIALS") || return
  if ! curl_signs; then
    printf '%s\n' "$key" "$secret" "$token" | python3 /usr/local/lib/kclust/sigv4.py "$@"
    return
  fi
  printf 'aws-sigv4 = "aws:amz:%s:%s"\nuser = "%s:%s"\nheader = "x-amz-security-token: %s"\n' "$2" "$1" "$key" "$secret" "$token"
  if [ "$1" = s3 ]; then printf 'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"\n'; fi
  if [ -n "$5" ]; then printf 'header = "content-type: %s"\n' "$5"; fi
}

# aws_request SERVICE REGION METHOD URL CONTENT-TYPE BODY [OPTION OF CURL...]: sends a signed request.
aws_request() {
  local options
  keep_credentials || return
  options=$(signature "${@:1:6}") || return
  curl --silent --show-error --connect-timeout 5 --max-time 60 --config <(printf '%s\n' "$options") "${@:7}" "$4"
}

# s3_request METHOD KEY CONTENT-TYPE [OPTION OF CURL...]: KEY is below the cluster's prefix.
s3_request() {
  aws_request s3 "$S3_REGION" "$1" "$S3_URL/$S3_PREFIX/$2" "$3" '' "${@:4}"
}

# s3_get KEY: the object on standard output.
s3_get() {
  s3_request GET "$1" '' --fail
}

# s3_put KEY: standard input becomes the object.
s3_put() {
  s3_request PUT "$1" application/octet-stream --fail --output /dev/null --request PUT --data-binary @-
}
KCLUST_END

put 644 '/usr/local/lib/kclust/sigv4.py' <<'KCLUST_END'
"""Signs one request (AWS Signature Version 4), for machines whose curl cannot.

Arguments: SERVICE REGION METHOD URL CONTENT-TYPE BODY. Standard input: access key, secret key and session token, a line each.
Prints header options in the syntax of curl's configuration files. A query must be encoded and sorted already; paths need no encoding.
"""
import hashlib
import hmac
import sys
import time
import urllib.parse


def main():
    service, region, method, url, content_type, body = sys.argv[1:7]
    key, secret, token = sys.stdin.read().splitlines()[:3]
    parts = urllib.parse.urlsplit(url)
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    payload = "UNSIGNED-PAYLOAD" if service == "s3" else hashlib.sha256(body.encode()).hexdigest()
    headers = {"host": parts.netloc, "x-amz-date": now, "x-amz-security-token": token}
    if service == "s3":
        headers["x-amz-content-sha256"] = payload
    if content_type:
        headers["content-type"] = content_type
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}\n" for name in sorted(headers)]
    request = "\n".join([method, parts.path or "/", parts.query, "".join(lines), names, payload])
    scope = f"{now[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
    derived = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        derived = hmac.digest(derived, part.encode(), "sha256")
    signature = hmac.digest(derived, text.encode(), "sha256").hex()
    del headers["host"]
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    for name, value in headers.items():
        print(f'header = "{name}: {value}"')


main()
KCLUST_END

put 755 '/usr/local/lib/kclust/start' <<'KCLUST_END'
#!/bin/bash
# Runs the boot program that the user-data pins by its SHA-256, with the arguments given.
set -Eeuo pipefail
umask 077
# shellcheck source=/dev/null
. /etc/kclust/node.env
# shellcheck source=/dev/null
. /usr/local/lib/kclust/aws.sh

program=/usr/local/lib/kclust/boot.sh

is_pinned() {
  [ -e "$1" ] && echo "$BOOT_SHA256  $1" | sha256sum --check --status
}

# report ERROR: the node's status object, before there is a boot program to keep it.
report() {
  local instance
  instance=$(metadata meta-data/instance-id) || return 0
  printf '{"instance": "%s", "role": "%s", "group": "%s", "step": "fetching the boot program", "since": "%s", "error": "%s", "steps": []}\n' \
    "$instance" "$ROLE" "$GROUP" "$since" "$1" | s3_put "nodes/status/$instance.json" || true
}

pause=1
since=$(date --utc +%Y-%m-%dT%H:%M:%SZ)
until is_pinned "$program"; do
  echo "fetching $BOOT_KEY from $S3_URL"
  if ! s3_get "$BOOT_KEY" > "$program.new"; then
    error="$BOOT_KEY cannot be read from $S3_URL"
  elif ! is_pinned "$program.new"; then
    error="$BOOT_KEY is not what the user-data pins: its SHA-256 is $(sha256sum < "$program.new" | cut -c 1-64)"
  else
    mv "$program.new" "$program"
    break
  fi
  echo "$error; again in $pause s" >&2
  report "$error"
  sleep "$pause"
  pause=$((pause < 16 ? pause * 2 : 30))
done
exec bash "$program" "$@"
KCLUST_END

put 644 '/etc/systemd/system/kclust-boot.service' <<'KCLUST_END'
[Unit]
Description=Makes this machine a node of its Kubernetes cluster
# Starts in the middle of cloud-init's first stage, which sysinit.target waits for: so none of the default dependencies.
DefaultDependencies=no
After=local-fs.target
Conflicts=shutdown.target
Before=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/kclust/start
Environment=HOME=/root
TimeoutStartSec=infinity
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
KCLUST_END

systemctl daemon-reload
systemctl --quiet enable kclust-boot.service
systemctl start --no-block kclust-boot.service
