"""`compare.py BEFORE AFTER`: whether an account holds what it held before. Prints what is left, or missing, and ends with 1 then."""

import json
import sys
from pathlib import Path


def things(value, path=()):
    """Every leaf of a world, with its path."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from things(inner, (*path, key))
    elif isinstance(value, list) and value:
        for inner in value:
            yield from things(inner, path)
    else:
        yield (*path, json.dumps(value))


def main() -> int:
    before, after = (set(things(json.loads(Path(name).read_text()))) for name in sys.argv[1:])
    for sign, side in (("-", before - after), ("+", after - before)):
        for thing in sorted(side):
            print(sign, " ".join(thing))
    if before != after:
        return 1
    print("\nThe account holds what it held before.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
