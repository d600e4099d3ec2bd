#!/bin/sh
# Makes the Python environment of the AWS emulator: ${KCLUST_VENV:-<repository>/.venv}.
#
# Safe to run before every test run: a stamp in the environment holds the hash of requirements.txt, and when it
# matches nothing is done and nothing is printed. Two runs at the same time wait for each other (flock).
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
repo=$(CDPATH='' cd -- "$here/../.." && pwd)
venv=${KCLUST_VENV:-$repo/.venv}
requirements=$here/requirements.txt
stamp=$venv/.requirements.sha256

fail() {
    echo "setup.sh: $*" >&2
    exit 1
}

wanted=$(sha256sum <"$requirements" | cut -d' ' -f1)
up_to_date() {
    [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]
}
up_to_date && exit 0

python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail "python3 is missing. Install it, on Debian or Ubuntu: apt-get install python3 python3-venv"
command -v flock >/dev/null || fail "flock is missing. Install it, on Debian or Ubuntu: apt-get install util-linux"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or later is needed, $("$python" --version 2>&1) found. Name another one with PYTHON=..."
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
    fail "Python's venv module is incomplete (no ensurepip). Install it, on Debian or Ubuntu: apt-get install python3-venv"

mkdir -p "$(dirname -- "$venv")"
# The lock is on requirements.txt itself: a lock file inside the environment would be cleared with it.
exec 9<"$requirements"
flock 9
# Another run may have done the work while this one waited for the lock.
up_to_date && exit 0

echo "setup.sh: installing the AWS emulator's Python packages into $venv" >&2
rm -f "$stamp"
# --clear: an environment of an older requirements.txt must not leave packages behind.
"$python" -m venv --clear "$venv" || fail "could not make a virtual environment in $venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps -r "$requirements" ||
    fail "pip could not install $requirements"
echo "$wanted" >"$stamp"
