#!/usr/bin/env bash
# Makes clusters of machines that boot, in the lab: a fake EC2 region. Says what is missing where there is none.
#
#     ONLY="name name"   only these scenarios
#     KEEP=1             leaves the last region up
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=environment.sh
. "$(dirname "$0")/environment.sh"

# A line for each thing that is missing.
missing() {
    local variable program
    for variable in KCLUST_LAB KCLUST_LAB_BIN KCLUST_LAB_WORK; do
        if [ ! -d "${!variable:-}" ]; then
            echo "$variable: not the name of a directory: '${!variable:-}'"
        fi
    done
    [ -x "${KCLUST_LAB:-}/lab" ] || echo "KCLUST_LAB: holds no command 'lab'"
    for program in kubeadm kubelet kubectl etcd etcdctl etcdutl; do
        [ -x "${KCLUST_LAB_BIN:-}/$program" ] || echo "KCLUST_LAB_BIN: holds no $program"
    done
    [ -x "$lab_python" ] || echo "KCLUST_LAB_WORK: holds no venv/bin/python: run 'lab build'"
    [ -e "${KCLUST_LAB_WORK:-}/mirror/versions.json" ] || echo "KCLUST_LAB_WORK: holds no mirror/versions.json: run 'lab build'"
    [ "$(id -u)" = 0 ] || echo "root: machines are started, which only root may"
    for program in systemd-nspawn ip openssl dpkg apt-get; do
        command -v "$program" >/dev/null || echo "$program: not installed"
    done
}

lab_python=${KCLUST_LAB_WORK:-}/venv/bin/python
needed=$(missing)
if [ -n "$needed" ]; then
    echo "The end-to-end tests were skipped. They need the lab, a fake EC2 region whose instances boot (tests/e2e/README.md):"
    printf '    %s\n' "${needed//$'\n'/$'\n    '}"
    exit 0
fi

command -v cargo >/dev/null || fail "cargo is missing: install Rust 1.95 or later, see https://rustup.rs"
build
export KCLUST=$kclust KCLUST_LAB_PYTHON=$lab_python KCLUST_E2E_EVIDENCE=${CARGO_TARGET_DIR:-$repo/target}/e2e
# Nothing of the user's own AWS configuration may leak in.
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
unset AWS_PROFILE AWS_SESSION_TOKEN
PYTHONPATH=tests PYTHONDONTWRITEBYTECODE=1 exec "$lab_python" -m e2e
