"""`bench.py KCLUST SCRATCH`: measures kclust against the emulator that AWS_ENDPOINT_URL names, and prints tables.

Wall time on the emulator is mostly the emulator's own; what AWS would take follows from the calls. CPU time and memory are kclust's.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

GROUPS = (1, 10, 100)
GROUP = """
    - name: group-{number}
      minSize: 0
      maxSize: 3
      instanceTypes: [m6i.xlarge]
"""


def control(method: str, path: str):
    request = urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/_emulator/{path}", method=method)
    return json.load(urllib.request.urlopen(request))


def spec(groups: int) -> str:
    """ha-private with that many node groups."""
    lines = Path("examples/ha-private.yaml").read_text().splitlines()
    begin = lines.index("  nodeGroups:")
    end = next(number for number in range(begin + 1, len(lines)) if not lines[number].startswith("    "))
    return "\n".join(lines[: begin + 1]) + "".join(GROUP.format(number=n) for n in range(groups)) + "\n".join(lines[end:]) + "\n"


class Run:
    """One run of a command: its wall time, CPU time, peak memory and calls."""

    def __init__(self, *command: str, code: int = 0, **environment: str):
        control("DELETE", "calls")
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ | environment)
        errors = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        self.wall = time.monotonic() - begun
        self.cpu = usage.ru_utime + usage.ru_stime
        self.memory = usage.ru_maxrss / 1024
        self.calls = Counter(call["service"] for call in control("GET", "calls"))
        if os.waitstatus_to_exitcode(status) != code:
            sys.exit(f"{' '.join(command)}: {errors}")


def main() -> None:
    kclust, scratch = sys.argv[1], Path(sys.argv[2])
    services = ("ec2", "autoscaling", "elasticloadbalancing", "iam", "route53", "s3", "ssm", "sts")
    print(f"{'groups':>6}  {'command':<15} {'wall s':>7} {'cpu s':>6} {'MiB':>5} {'calls':>6}   by service")
    for groups in GROUPS:
        file = scratch / f"{groups}.yaml"
        file.write_text(spec(groups))
        name = "prod.example.com"
        for label, command in (
            ("create", ("create", "-f", str(file), "--yes", "-q")),
            ("no-change plan", ("update", name, "--dry-run", "-q")),
            ("delete", ("delete", name, "--yes", "-q", "--delete-backups")),
        ):
            run = Run(kclust, *command)
            others = Counter({service: count for service, count in run.calls.items() if service not in services})
            by_service = ", ".join(f"{service} {run.calls[service]}" for service in (*services, *others) if run.calls[service])
            total = sum(run.calls.values())
            print(f"{groups:>6}  {label:<15} {run.wall:>7.2f} {run.cpu:>6.2f} {run.memory:>5.0f} {total:>6}   {by_service}")
    print(f"\n{'groups':>6}  rendering and planning alone (kclust render)")
    for groups in GROUPS:
        run = Run(kclust, "render", "-f", str(scratch / f"{groups}.yaml"), "--out", str(scratch / "rendered"))
        print(f"{groups:>6}  cpu {run.cpu * 1000:.0f} ms, peak memory {run.memory:.0f} MiB")
    times = sorted(Run(kclust, "--help").wall for _ in range(20))
    print(f"\nkclust --help: median {times[len(times) // 2] * 1000:.1f} ms of 20 runs")


if __name__ == "__main__":
    main()
