#!/usr/bin/env bash
# Kills, faults and refusals at every call of create, update and delete, on the emulated AWS.
#
#     soak.sh [NAME...]     only tests whose name holds one of these: kills, refusals::ha_private
#     KCLUST_SOAK_SEED=7    other random faults
#     KCLUST_SOAK_ONLY=...  only the points whose name holds these words, as a failure says
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=environment.sh
. "$(dirname "$0")/environment.sh"

require_tools
build
leave_users_account
names=("$@")
[ $# -gt 0 ] || names=(soak::)
# One after another: each test works on two accounts at a time.
cargo test --locked --test it -- --ignored --nocapture --test-threads 1 "${names[@]}"
# And what operators do to one state, tens of thousands of times.
[ $# -gt 0 ] || cargo test --locked --no-default-features --lib -- --ignored --nocapture interleavings
