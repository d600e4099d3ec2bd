"""`compare.py BEFORE AFTER [KEPT...]`: whether an account holds what it held before, but for what lies below a path that is kept.

A path is its parts with a space between, such as `s3 my-bucket`. Prints what is left or missing, and ends with 1 then.
"""

import json
import sys
from pathlib import Path


def things(value, path=()):
    """Every leaf of a world, with its path. What is empty is nothing."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from things(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value:
            yield from things(inner, path)
    else:
        yield " ".join((*path, json.dumps(value)))


def main() -> int:
    before, after = (set(things(json.loads(Path(name).read_text()))) for name in sys.argv[1:3])
    kept = tuple(f"{path} " for path in sys.argv[3:])
    different = [(sign, thing) for sign, side in (("-", before - after), ("+", after - before)) for thing in sorted(side)]
    different = [(sign, thing) for sign, thing in different if not thing.startswith(kept)]
    for sign, thing in different:
        print(sign, thing)
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
