#!/usr/bin/env bash
# Every test. Ends with the closing lines of cargo test.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=environment.sh
. "$(dirname "$0")/environment.sh"

step() {
    echo "== $*" >&2
}

require_tools
leave_users_account
# Nor what is set to write goldens, or to try other points than these.
unset UPDATE_GOLDEN INSTA_UPDATE KCLUST_SEED KCLUST_SOAK_SEED KCLUST_SOAK_ONLY

step "scripts: shellcheck"
shellcheck --external-sources scripts/*.sh tests/emulator/setup.sh tests/e2e/*.sh .ci/run

step "format"
cargo fmt --check

step "the pure core builds without the AWS SDK"
if cargo tree --locked --no-default-features --edges normal --prefix none | grep -E '^(aws-|kube |hyper |rustls )'; then
    fail "the pure core depends on the crates above"
fi
cargo build --locked --no-default-features --lib

step "the AWS SDK stays in its room"
if grep -rnE '\baws_(sdk_[a-z0-9]+|config|smithy_[a-z_]+|types)::' src --include='*.rs' | grep -v '^src/aws/'; then
    fail "the AWS SDK is named outside src/aws"
fi
step "one HTTP and TLS stack"
for crate in hyper@0.14 rustls@0.21 aws-lc-sys openssl-sys; do
    if cargo tree --locked --invert "$crate" >/dev/null 2>&1; then
        fail "$crate is in the dependency tree: a crate is missing default-features = false"
    fi
done

step "emulator"
PYTHONPATH=tests "$venv/bin/python" -m unittest discover --start-directory tests/emulator --top-level-directory tests --buffer

step "kclust (the first build compiles the AWS SDK: about 10 minutes on 2 cores, 9 GB of memory)"
# The binary first: the tests run it.
cargo build --locked
cargo test --locked
