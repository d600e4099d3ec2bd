# shellcheck shell=bash
# Sourced by the other scripts: what they need, installed; and the emulator, started and stopped.

repo=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repo" || exit
venv=${KCLUST_VENV:-$repo/.venv}

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# What a machine must have; everything else is installed below the repository.
require_tools() {
    command -v cargo >/dev/null || fail "cargo is missing: install Rust 1.95 or later, see https://rustup.rs"
    command -v cc >/dev/null || fail "a C compiler is missing. Install one, on Debian or Ubuntu: apt-get install build-essential"
    "$repo/tests/emulator/setup.sh"
    # The linter of what is rendered comes from there.
    PATH="$venv/bin:$PATH"
    export KCLUST_VENV=$venv
}

build() {
    echo "Building kclust (the first build compiles the AWS SDK: about 10 minutes on 2 cores, 9 GB of memory) ..." >&2
    cargo build --locked
    # shellcheck disable=SC2034 # the scripts that source this one run it
    kclust=${CARGO_TARGET_DIR:-$repo/target}/debug/kclust
}

# Starts the emulator on a free port and points the SDK at it. It ends with this shell, however that ends.
start_emulator() {
    scratch=$(mktemp -d)
    trap 'stop_emulator' EXIT
    # A signal must run the exit trap too.
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    # In a session of its own: Ctrl-C is for kclust, which still has calls to finish then.
    PYTHONPATH="$repo/tests" setsid "$venv/bin/python" -m emulator \
        --port-file "$scratch/port" --watch-parent "$$" 2>"$scratch/emulator.log" &
    emulator=$!
    while [ ! -s "$scratch/port" ]; do
        kill -0 "$emulator" 2>/dev/null || fail "the emulator ended: $(cat "$scratch/emulator.log")"
        sleep 0.1
    done
    endpoint=http://127.0.0.1:$(cat "$scratch/port")
    export AWS_ENDPOINT_URL=$endpoint AWS_ACCESS_KEY_ID=AKIA123456789012TEST AWS_SECRET_ACCESS_KEY=emulated
    leave_users_account
}

# Nothing of the user's own AWS configuration may leak in, nor a proxy on the way to this machine itself.
leave_users_account() {
    export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
    unset AWS_PROFILE AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION
    local own=127.0.0.1,localhost
    export NO_PROXY="${NO_PROXY:+$NO_PROXY,}$own" no_proxy="${no_proxy:+$no_proxy,}$own"
}

stop_emulator() {
    [ -z "${emulator:-}" ] || kill "$emulator" 2>/dev/null || true
    [ -z "${scratch:-}" ] || rm -rf "$scratch"
}

# Asks the emulator itself, not AWS: METHOD PATH [JSON].
emulator_control() {
    "$venv/bin/python" - "$@" <<'PYTHON'
import os, sys, urllib.request
method, path, *body = sys.argv[1:]
request = urllib.request.Request(
    f"{os.environ['AWS_ENDPOINT_URL']}/_emulator/{path}", method=method, data=body[0].encode() if body else None
)
print(urllib.request.urlopen(request).read().decode())
PYTHON
}
