#!/usr/bin/env bash
# Checks a running machine of a cluster against the CIS Kubernetes Benchmark 1.12, sections 1 to 4, by the numbers of its items:
#
#     ssh MACHINE sudo bash -s -- control-plane <tests/e2e/cis.sh        or: worker
#
# A line for each item: PASS; FAIL, with what was found; or KNOWN for what kclust does in another way on purpose, with the reason and what
# would change it. KNOWN too is checked: it is FAIL when the machine does not do it in that other way. Ends with the counts; exit
# status 1 if something failed, 2 if it could not be checked. ROOT=DIRECTORY checks the files of a machine that are below a directory.
set -euo pipefail

role=${1:-}
root=${ROOT:-}
manifests=/etc/kubernetes/manifests
kubelet_configuration=/var/lib/kubelet/config.yaml
declare -A counts=([PASS]=0 [FAIL]=0 [KNOWN]=0) command_lines=()
# What the last check found, where that is not what it wants.
found=''

cannot() {
    echo "cis.sh: $*" >&2
    exit 2
}

# --- Verdicts

verdict() {
    counts[$1]=$((counts[$1] + 1))
    printf '%s %s %s\n' "$@"
}

# check ITEM TEXT COMMAND...
check() {
    found=''
    if "${@:3}"; then verdict PASS "$1" "$2"; else verdict FAIL "$1" "$2 (found: ${found:-nothing})"; fi
}

# known ITEM TEXT REASON COMMAND...: the command checks what is done instead.
known() {
    found=''
    if "${@:4}"; then verdict KNOWN "$1" "$2: $3"; else verdict FAIL "$1" "$2 (found: ${found:-nothing})"; fi
}

# --- What is on the machine

# command_line PROGRAM: the arguments with which it runs, one a line. In a tree of files, those that it would be started with.
command_line() {
    local process
    if [ -z "$root" ]; then
        # The oldest: a pod of a user may run another one.
        process=$(pgrep --oldest --full "^([^ ]*/)?$1( |\$)") || return
        tr '\0' '\n' <"/proc/$process/cmdline"
    elif [ "$1" = kubelet ]; then
        grep --no-filename --only-matching -e '--[a-z-]*=[^ "]*' "$root/etc/systemd/system/kubelet.service" \
            "$root/var/lib/kubelet/kubeadm-flags.env"
    else
        sed -n 's/^ *- \(--[a-z]\)/\1/p' "$root$manifests/$1.yaml"
    fi
}

# argument PROGRAM NAME: its value; of those given twice the last, which counts.
argument() {
    sed -n "s/^--$2=//p" <<<"${command_lines[$1]}" | tail -n 1
}

# api NAME: an argument of the API server.
api() {
    argument kube-apiserver "$1"
}

# yaml FILE NAME: a value of a document as kubeadm writes it, such as authentication.anonymous.enabled; a list with commas.
yaml() {
    awk -v wanted="$2" '
        /^ *- / { if (path == wanted) { gsub(/^ *- |"/, ""); list = list (list == "" ? "" : ",") $0 } next }
        {
            depth = (match($0, /[^ ]/) - 1) / 2
            names[depth] = substr($1, 1, length($1) - 1)
            path = names[0]
            for (level = 1; level <= depth; level++) path = path "." names[level]
            if (path == wanted && NF > 1) { gsub(/"/, "", $2); print $2 }
        }
        END { if (list != "") print list }' "$root$1"
}

# kubelet ARGUMENT NAME: a setting of the kubelet: its argument, or else what its configuration has.
kubelet() {
    local value
    value=$(argument kubelet "$1")
    printf '%s' "${value:-$(yaml "$kubelet_configuration" "$2")}"
}

# kubelet_units: the files of its systemd unit.
kubelet_units() {
    if [ -n "$root" ]; then
        find "$root/etc/systemd/system/kubelet.service" "$root/etc/systemd/system/kubelet.service.d" -type f 2>/dev/null |
            sed "s|^$root||"
    else
        systemctl show --property=FragmentPath --property=DropInPaths --value kubelet.service | tr ' ' '\n' | sed '/^$/d'
    fi
}

# files DIRECTORY PATTERN: files of that name in it and below.
files() {
    find "$root$1" -type f -name "$2" 2>/dev/null | sed "s|^$root||"
}

# --- Conditions

# modes MOST FILE...: there are such files, and none has a permission that MOST has not.
modes() {
    local most=$1 file mode
    shift
    [ $# -gt 0 ] || return
    for file in "$@"; do
        if ! mode=$(stat --dereference --format %a "$root$file" 2>/dev/null); then found="no $file" && return 1; fi
        if (((8#$mode & ~8#$most) != 0)); then found="$file has mode $mode" && return 1; fi
    done
}

# owned FILE...: by root.
owned() {
    local file owner
    [ $# -gt 0 ] || return
    for file in "$@"; do
        owner=$(stat --dereference --format %U:%G "$root$file" 2>/dev/null) || owner=nobody
        if [ "$owner" != root:root ]; then found="$file belongs to $owner" && return 1; fi
    done
}

# modes_if_any MOST FILE..., owned_if_any FILE...: the same, where there need not be any.
modes_if_any() {
    [ $# -eq 1 ] || modes "$@"
}

owned_if_any() {
    [ $# -eq 0 ] || owned "$@"
}

given() {
    local value
    for value in "$@"; do [ -n "$value" ] || return; done
}

absent() {
    found=$1
    [ -z "$1" ]
}

# equal VALUE WANTED
equal() {
    found=$1
    [ "$1" = "$2" ]
}

# not_equal VALUE UNWANTED...: for what is right by default.
not_equal() {
    local unwanted
    found=$1
    for unwanted in "${@:2}"; do [ "$1" != "$unwanted" ] || return; done
}

# one_of VALUE WANTED...
one_of() {
    local wanted
    found=$1
    for wanted in "${@:2}"; do
        if [ "$1" = "$wanted" ]; then return; fi
    done
    return 1
}

# at_least VALUE NUMBER
at_least() {
    found=$1
    [[ $1 =~ ^[0-9]+$ ]] && [ "$1" -ge "$2" ]
}

# has LIST WORD: the list, with commas, has the word.
has() {
    found=$1
    [[ ,$1, == *",$2,"* ]]
}

has_not() {
    ! has "$@"
}

# strong CIPHERS: forward secrecy and authenticated encryption, all of them.
strong() {
    local cipher ciphers
    found=$1
    IFS=, read -ra ciphers <<<"$1"
    [ "${#ciphers[@]}" -gt 0 ] || return
    for cipher in "${ciphers[@]}"; do
        [[ $cipher =~ ^TLS_(ECDHE_(ECDSA|RSA)_WITH_)?(AES_(128|256)_GCM_SHA(256|384)|CHACHA20_POLY1305(_SHA256)?)$ ]] || return
    done
}

only_health_checks_are_anonymous() {
    local file
    file=$root$(api authentication-config)
    found=$(sed -n 's/^ *- path: *//p' "$file" | sort | tr '\n' ' ')
    [ "$found" = '/healthz /livez /readyz ' ] && grep --quiet '^ *conditions:' "$file" && absent "$(api anonymous-auth)"
}

# first_provider: what encrypts secrets that are written.
first_provider() {
    sed -n '/providers:/,$ s/^ *- *\([a-z]*\):.*/\1/p' "$root$(api encryption-provider-config)" | head -n 1
}

encrypts() {
    found=$1
    [[ $1 =~ ^(aescbc|kms|secretbox)$ ]]
}

# other_authority: certificates for etcd and for the API are signed by different authorities.
other_authority() {
    local etcd api
    etcd=$(argument etcd trusted-ca-file) api=$(api client-ca-file)
    found="the same certificate in $etcd and $api"
    given "$etcd" "$api" && [ -s "$root$etcd" ] && ! cmp --silent "$root$etcd" "$root$api"
}

# limits_events PLUGINS: the plugin is on, and is told its limits.
limits_events() {
    local file
    has "$1" EventRateLimit || return
    file=$(api admission-control-config-file)
    found="no limits in '$file'"
    [ -n "$file" ] && grep --quiet 'name: EventRateLimit' "$root$file" && grep --quiet 'qps:' "$root$file"
}

# audits WORD...: rules of the audit policy name them; what no rule names is logged too.
audits() {
    local policy word
    policy=$(cat "$root$(api audit-policy-file)") || return
    for word in "$@"; do
        found="no $word"
        grep --quiet "[[ ,]${word}[],]" <<<"$policy" || return
    done
    found="last rule $(tail -n 1 <<<"$policy")"
    [[ $found == *'- level: Metadata' ]]
}

# only_on_loopback PORT: nobody listens there for others.
only_on_loopback() {
    [ -z "$root" ] || return 0
    found=$(ss --no-header --listening --tcp --numeric "sport = :$1" | awk '$4 !~ /^(127\.0\.0\.1|\[::1\]):/ { print $4 }')
    [ -z "$found" ]
}

# --- 1 and 2: control plane

# manifest NUMBER COMPONENT: its two items about the manifest.
manifest() {
    check "1.1.$1" "manifest of $2: mode 600" modes 600 "$manifests/$2.yaml"
    check "1.1.$(($1 + 1))" "manifest of $2: owner root" owned "$manifests/$2.yaml"
}

# credential NUMBER FILE...: the two items about a kubeconfig.
credential() {
    check "1.1.$1" "${2##*/}: mode 600" modes 600 "${@:2}"
    check "1.1.$(($1 + 1))" "${2##*/}: owner root" owned "${@:2}"
}

control_plane_files() {
    local network certificates keys all data admin=(/etc/kubernetes/admin.conf)
    manifest 1 kube-apiserver
    manifest 3 kube-controller-manager
    manifest 5 kube-scheduler
    manifest 7 etcd
    mapfile -t network < <(files /etc/cni/net.d '*')
    if modes 600 "${network[@]}" || ! modes 700 /etc/cni/net.d; then
        check 1.1.9 "configuration of the pod network: mode 600" modes 600 "${network[@]}"
    else
        known 1.1.9 "configuration of the pod network: mode 600" \
            "the network's own pods write it readable; the directory lets nobody but root in. It is up to the network" \
            modes 644 "${network[@]}"
    fi
    check 1.1.10 "configuration of the pod network: owner root" owned "${network[@]}"
    data=$(argument etcd data-dir)
    check 1.1.11 "data of etcd: mode 700" modes 700 "$data"
    known 1.1.12 "data of etcd: owner etcd" \
        "etcd runs as root in its pod, as kubeadm starts it, and needs no other owner; a kubeadm that gives it a user would change that" \
        owned "$data"
    if [ -e "$root/etc/kubernetes/super-admin.conf" ]; then admin+=(/etc/kubernetes/super-admin.conf); fi
    credential 13 "${admin[@]}"
    credential 15 /etc/kubernetes/scheduler.conf
    credential 17 /etc/kubernetes/controller-manager.conf
    mapfile -t all < <(files /etc/kubernetes/pki '*')
    mapfile -t certificates < <(files /etc/kubernetes/pki '*.crt')
    mapfile -t keys < <(files /etc/kubernetes/pki '*.key')
    check 1.1.19 "keys and certificates: owner root" owned /etc/kubernetes/pki "${all[@]}"
    check 1.1.20 "certificates: mode 644" modes 644 "${certificates[@]}"
    check 1.1.21 "keys: mode 600" modes 600 "${keys[@]}"
}

serving_certificates="kubelets sign their serving certificates themselves, since nobody would approve requests for others;"
serving_certificates+=" serverTLSBootstrap, with an approver that compares addresses with EC2, would change that"

api_server() {
    local plugins disabled authorization
    plugins=$(api enable-admission-plugins) disabled=$(api disable-admission-plugins) authorization=$(api authorization-mode)
    known 1.2.1 "nobody is anonymous" \
        "probes and the load balancer are, for /livez, /readyz and /healthz only; without them --anonymous-auth=false would do" \
        only_health_checks_are_anonymous
    check 1.2.2 "no file of tokens" absent "$(api token-auth-file)"
    check 1.2.3 "admission: DenyServiceExternalIPs" has "$plugins" DenyServiceExternalIPs
    check 1.2.4 "client certificate for kubelets" given "$(api kubelet-client-certificate)" "$(api kubelet-client-key)"
    known 1.2.5 "authority of the kubelets' certificates" "$serving_certificates" absent "$(api kubelet-certificate-authority)"
    check 1.2.6 "authorization is not AlwaysAllow" has_not "$authorization" AlwaysAllow
    check 1.2.7 "authorization: Node" has "$authorization" Node
    check 1.2.8 "authorization: RBAC" has "$authorization" RBAC
    check 1.2.9 "admission: EventRateLimit" limits_events "$plugins"
    check 1.2.10 "admission: not AlwaysAdmit" has_not "$plugins" AlwaysAdmit
    known 1.2.11 "admission: AlwaysPullImages" \
        "no pod could start, or start again, while its registry is away; machines that tenants share would change that" \
        has_not "$plugins" AlwaysPullImages
    check 1.2.12 "admission: ServiceAccount" has_not "$disabled" ServiceAccount
    check 1.2.13 "admission: NamespaceLifecycle" has_not "$disabled" NamespaceLifecycle
    check 1.2.14 "admission: NodeRestriction" has "$plugins" NodeRestriction
    check 1.2.15 "no profiling" equal "$(api profiling)" false
    check 1.2.16 "audit log" given "$(api audit-log-path)"
    check 1.2.17 "audit log: 30 days" at_least "$(api audit-log-maxage)" 30
    check 1.2.18 "audit log: 10 files" at_least "$(api audit-log-maxbackup)" 10
    check 1.2.19 "audit log: 100 MB each" at_least "$(api audit-log-maxsize)" 100
    check 1.2.20 "requests end after a time" given "$(api request-timeout)"
    check 1.2.21 "service accounts are looked up" not_equal "$(api service-account-lookup)" false
    check 1.2.22 "key for tokens of service accounts" given "$(api service-account-key-file)"
    check 1.2.23 "client certificate for etcd" given "$(api etcd-certfile)" "$(api etcd-keyfile)"
    check 1.2.24 "serving certificate" given "$(api tls-cert-file)" "$(api tls-private-key-file)"
    check 1.2.25 "authority of clients" given "$(api client-ca-file)"
    check 1.2.26 "authority of etcd" given "$(api etcd-cafile)"
    check 1.2.27 "secrets are encrypted" given "$(api encryption-provider-config)"
    check 1.2.28 "the first way to encrypt is a strong one" encrypts "$(first_provider)"
    check 1.2.29 "strong ciphers" strong "$(api tls-cipher-suites)"
    check 1.2.30 "tokens of service accounts are not extended" equal "$(api service-account-extend-token-expiration)" false
}

others() {
    local component=kube-controller-manager
    check 1.3.1 "$component: finished pods are removed" at_least "$(argument $component terminated-pod-gc-threshold)" 1
    check 1.3.2 "$component: no profiling" equal "$(argument $component profiling)" false
    check 1.3.3 "$component: a service account for each controller" equal "$(argument $component use-service-account-credentials)" true
    check 1.3.4 "$component: key for tokens of service accounts" given "$(argument $component service-account-private-key-file)"
    check 1.3.5 "$component: authority that pods are told of" given "$(argument $component root-ca-file)"
    check 1.3.6 "$component: kubelets may renew serving certificates" \
        has_not "$(argument $component feature-gates)" RotateKubeletServerCertificate=false
    check 1.3.7 "$component: listens on 127.0.0.1" equal "$(argument $component bind-address)" 127.0.0.1
    component=kube-scheduler
    check 1.4.1 "$component: no profiling" equal "$(argument $component profiling)" false
    check 1.4.2 "$component: listens on 127.0.0.1" equal "$(argument $component bind-address)" 127.0.0.1
    check 2.1 "etcd: serving certificate" given "$(argument etcd cert-file)" "$(argument etcd key-file)"
    check 2.2 "etcd: clients show certificates" equal "$(argument etcd client-cert-auth)" true
    check 2.3 "etcd: no certificates of its own making" not_equal "$(argument etcd auto-tls)" true
    check 2.4 "etcd: certificate for peers" given "$(argument etcd peer-cert-file)" "$(argument etcd peer-key-file)"
    check 2.5 "etcd: peers show certificates" equal "$(argument etcd peer-client-cert-auth)" true
    check 2.6 "etcd: no certificates of its own making for peers" not_equal "$(argument etcd peer-auto-tls)" true
    check 2.7 "etcd: an authority of its own" other_authority
    check 3.2.1 "audit policy" modes 644 "$(api audit-policy-file)"
    check 3.2.2 "the audit policy covers what matters" \
        audits secrets configmaps tokenreviews pods/exec pods/portforward pods/proxy services/proxy
}

# --- 4: every machine

machine() {
    local units proxy authority
    mapfile -t units < <(kubelet_units)
    mapfile -t proxy < <(files /etc/kubernetes '*proxy*.conf')
    authority=$(kubelet client-ca-file authentication.x509.clientCAFile)
    check 4.1.1 "unit of the kubelet: mode 600" modes 600 "${units[@]}"
    check 4.1.2 "unit of the kubelet: owner root" owned "${units[@]}"
    # kube-proxy reads its own from a ConfigMap: there is no such file, unless somebody made one.
    check 4.1.3 "kubeconfig of kube-proxy, if there is one: mode 600" modes_if_any 600 "${proxy[@]}"
    check 4.1.4 "kubeconfig of kube-proxy, if there is one: owner root" owned_if_any "${proxy[@]}"
    check 4.1.5 "kubeconfig of the kubelet: mode 600" modes 600 /etc/kubernetes/kubelet.conf
    check 4.1.6 "kubeconfig of the kubelet: owner root" owned /etc/kubernetes/kubelet.conf
    check 4.1.7 "authority of the kubelet's clients: mode 644" modes 644 "$authority"
    check 4.1.8 "authority of the kubelet's clients: owner root" owned "$authority"
    check 4.1.9 "configuration of the kubelet: mode 600" modes 600 "$kubelet_configuration"
    check 4.1.10 "configuration of the kubelet: owner root" owned "$kubelet_configuration"
    check 4.2.1 "kubelet: nobody is anonymous" equal "$(kubelet anonymous-auth authentication.anonymous.enabled)" false
    check 4.2.2 "kubelet: asks whether a client may" equal "$(kubelet authorization-mode authorization.mode)" Webhook
    check 4.2.3 "kubelet: authority of clients" given "$authority"
    check 4.2.4 "kubelet: no port without questions" one_of "$(kubelet read-only-port readOnlyPort)" '' 0
    check 4.2.5 "kubelet: idle streams end" not_equal "$(kubelet streaming-connection-idle-timeout streamingConnectionIdleTimeout)" 0 0s
    check 4.2.6 "kubelet: chains of iptables" not_equal "$(kubelet make-iptables-util-chains makeIPTablesUtilChains)" false
    check 4.2.7 "kubelet: the host name is the node's" absent "$(argument kubelet hostname-override)"
    check 4.2.8 "kubelet: events are recorded" at_least "$(kubelet event-qps eventRecordQPS)" 1
    known 4.2.9 "kubelet: serving certificate" "$serving_certificates" absent "$(kubelet tls-cert-file tlsCertFile)"
    check 4.2.10 "kubelet: renews its client certificate" equal "$(kubelet rotate-certificates rotateCertificates)" true
    known 4.2.11 "kubelet: renews its serving certificate" "$serving_certificates" \
        absent "$(kubelet rotate-server-certificates serverTLSBootstrap)"
    check 4.2.12 "kubelet: strong ciphers" strong "$(kubelet tls-cipher-suites tlsCipherSuites)"
    check 4.2.13 "kubelet: pods have a limit of processes" at_least "$(kubelet pod-max-pids podPidsLimit)" 1
    check 4.2.14 "kubelet: seccomp by default" equal "$(kubelet seccomp-default seccompDefault)" true
    check 4.3.1 "kube-proxy: metrics on 127.0.0.1 only" only_on_loopback 10249
}

# --- Main

case $role in
    control-plane) programs=(kubelet etcd kube-apiserver kube-controller-manager kube-scheduler) ;;
    worker) programs=(kubelet) ;;
    *) cannot "which machine is it? bash -s -- control-plane|worker" ;;
esac
if [ "$(id -u)" -ne 0 ]; then cannot "only root may see all of it"; fi
for program in "${programs[@]}"; do
    command_lines[$program]=$(command_line "$program") || cannot "$program does not run here"
done

if [ "$role" = control-plane ]; then
    control_plane_files
    api_server
    others
fi
machine
printf '%s: %s passed, %s failed, %s known\n' "$role" "${counts[PASS]}" "${counts[FAIL]}" "${counts[KNOWN]}"
[ "${counts[FAIL]}" -eq 0 ]
