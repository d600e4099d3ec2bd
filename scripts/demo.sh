#!/usr/bin/env bash
# A cluster's life on an emulated AWS. With credentials of an account, the same commands do the same on AWS.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=environment.sh
. "$(dirname "$0")/environment.sh"

cluster=prod.example.com
bucket=acme-kclust-state
spec=examples/ha-private.yaml

# Runs a command as a user would, and checks its exit code: EXPECTED COMMAND...
show() {
    local expected=$1 code=0
    shift
    printf '\n$ kclust %s\n' "$*"
    "$kclust" "$@" || code=$?
    [ "$code" = "$expected" ] || fail "kclust $1 ended with $code, expected $expected"
}

require_tools
build
echo "Starting the emulated AWS ..." >&2
start_emulator
export KCLUST_STATE=s3://$bucket
emulator_control POST seed '{"what": "zone", "name": "example.com"}' >/dev/null
emulator_control GET world >"$scratch/before.json"

show 0 create -f "$spec" --yes
# Exit code 4: the emulator's machines do not boot, so nobody answers for Kubernetes, and validate says so.
show 4 validate "$cluster"
show 0 create -f "$spec" --yes
show 0 delete "$cluster" --yes --delete-backups

emulator_control GET world >"$scratch/after.json"
"$venv/bin/python" tests/emulator/compare.py "$scratch/before.json" "$scratch/after.json" "s3 $bucket" ||
    fail "the account does not hold what it held before; see above"
printf '\nThe account holds what it held before, and the state bucket, which stays for the next cluster.\n'
