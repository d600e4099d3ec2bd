"""Runs the scenarios, each in a fresh region. `ONLY` (names, separated by spaces or commas) chooses; `KEEP=1` leaves the last region up."""

import os
import signal
import sys
import traceback

from . import prepare
from . import scenarios  # noqa: F401 - fills the list
from .evidence import keep_evidence
from .lab import Lab
from .scenario import SCENARIOS
from .waiting import Clock, Failure, Skipped


def main():
    names = os.environ.get("ONLY", "").replace(",", " ").split() or list(SCENARIOS)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        sys.exit(f"no scenario has the name {', '.join(unknown)}; there are: {' '.join(SCENARIOS)}")
    if Lab().is_up():
        sys.exit("a region is up, and the scenarios need fresh ones: take it down first (lab down)")
    # The region must be taken away however this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    prepare.everything()
    results = [run(name, last=name == names[-1]) for name in names]
    print(f"{results.count('passed')} passed, {results.count('failed')} failed", flush=True)
    sys.exit("failed" in results)


def run(name, last):
    lab, clock = Lab(), Clock()

    def tell(text):
        print(f"    {name}: {text}", flush=True)

    try:
        lab.up()
        SCENARIOS[name](lab, tell)
        result, reason = "passed", ""
    except Skipped as why:
        result, reason = "skipped", f": {why}"
    except Exception as error:  # noqa: BLE001 - one scenario's end is not that of the others
        result, reason = "failed", f": {error}"
        if not isinstance(error, Failure):
            traceback.print_exc()
        tell(f"evidence is in {keep_evidence(lab, name)}")
    finally:
        if not (last and os.environ.get("KEEP")):
            lab.down()
    print(f"{name} {clock} {result}{reason}", flush=True)
    return result


if __name__ == "__main__":
    main()
