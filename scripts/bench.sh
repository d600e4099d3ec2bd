#!/usr/bin/env bash
# AWS calls, time and memory for 1, 10 and 100 node groups, and of validate for up to 5,000 nodes, on the emulated AWS.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=environment.sh
. "$(dirname "$0")/environment.sh"

require_tools
build
start_emulator
export KCLUST_STATE=s3://bench-kclust-state
emulator_control POST seed '{"what": "zone", "name": "example.com"}' >/dev/null
"$venv/bin/python" scripts/bench.py "$kclust" "$scratch"
echo
"$venv/bin/python" scripts/bench_validate.py "$kclust" "$scratch"
