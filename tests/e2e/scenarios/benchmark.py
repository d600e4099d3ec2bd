"""The CIS benchmark on machines that run."""

import pathlib

from ..cluster import Cluster
from ..scenario import scenario
from ..waiting import check

SCRIPT = pathlib.Path(__file__).parents[1] / "cis.sh"


@scenario
def cis(lab, tell):
    cluster = Cluster(lab, control_planes=1, workers=1).create_and_wait()
    failed = []
    for role, instance in (("control-plane", cluster.slot("cp-1")), ("worker", cluster.workers()[0])):
        result = lab.console(instance, "bash", "-s", "--", role, input=SCRIPT.read_text(), check=False, timeout=300)
        lines = result.stdout.splitlines()
        for line in lines:
            tell(f"{role}: {line}")
        check(any(line.startswith("PASS ") for line in lines), f"the script found nothing to check: {result.stderr}")
        failed += [f"{role}: {line}" for line in lines if line.startswith("FAIL ")]
    check(not failed, "; ".join(failed))
