"""What a machine needs is wrong or does not answer: it says so, keeps trying, and goes on by itself when that is mended."""

import contextlib
import re

from ..cluster import PATIENCE, Cluster
from ..lab import WORK
from ..scenario import scenario
from ..waiting import check, until

# The address behind which the lab answers for S3 and EC2.
AWS = "198.18.0.11/32"


@scenario
def wrong_digests(lab, tell):
    cluster = Cluster(lab, control_planes=1, workers=1)
    cluster.create()
    (key,) = [key for key in cluster.keys("bootstrap/boot-")]
    program = cluster.object(key)
    with wrong_checksum(cluster, "kubelet"):
        # Before any machine is so far; machines that have read it already would make this prove nothing.
        cluster.put_object(key, program + "\n# changed by somebody\n")
        machines = [entry["InstanceId"] for entry in cluster.instances()]
        for instance in machines:
            until("it refuses the boot program", lambda: "is not what the user-data pins" in cluster.error(instance), PATIENCE)
        tell(f"the boot program: {cluster.error(machines[0])}")
        cluster.put_object(key, program)
        for instance in machines:
            until("it refuses the download", lambda: "does not have the SHA-256" in lab.journal(instance), PATIENCE)
            check_growing_pauses(lab, instance, "does not have the SHA-256")
        tell(f"the download: {re.search(r'[^ ]+ does not have the SHA-256 .*', lab.journal(machines[0]))[0]}")
        until("the status tells it too", lambda: "SHA-256" in cluster.error(machines[0]), PATIENCE)
    cluster.wait_ready()


@contextlib.contextmanager
def wrong_checksum(cluster, program):
    """The mirror publishes another checksum than that of its file."""
    path = WORK / f"mirror/dl.k8s.io/release/v{cluster.spec['spec']['kubernetesVersion']}/bin/linux/amd64/{program}.sha256"
    path.write_text("0" * 64)
    try:
        yield
    finally:
        path.unlink()


@scenario
def no_answers(lab, tell):
    """S3 and EC2 answer nobody; then they answer the worker, which finds no API server; then all is well."""
    cluster = Cluster(lab, control_planes=1, workers=1)
    cluster.create()
    (slot,), (worker,) = [[entry["InstanceId"] for entry in cluster.instances(group)] for group in ("cp-1", "workers")]
    for instance in (slot, worker):
        until("the machine is up", lambda: lab.console(instance, "ip", "route", "add", "blackhole", AWS) is not None, 120, pause=0.2)
    for instance in (slot, worker):
        check_growing_pauses(lab, instance, "again in")
    tell(lab.journal(slot).splitlines()[-1][16:250])
    lab.console(worker, "ip", "route", "del", "blackhole", AWS)
    waits = "waiting for https://.*/readyz since [1-9]"
    until("the worker says what it waits for", lambda: re.search(waits, cluster.error(worker)), PATIENCE)
    tell(f"the worker: {cluster.error(worker)}")
    lab.console(slot, "ip", "route", "del", "blackhole", AWS)
    cluster.wait_ready()


def check_growing_pauses(lab, instance, problem):
    """The machine tries again and again, ever more slowly, because of the problem."""

    def pauses():
        lines = [line for line in lab.journal(instance).splitlines() if problem in line]
        return [int(pause) for line in lines for pause in re.findall(r"again in (\d+) s", line)]

    until(f"{instance} pauses for longer and longer because: {problem}", lambda: {1, 2, 4, 8} <= set(pauses()), PATIENCE)
    check(max(pauses()) <= 30, f"{instance} pauses for {max(pauses())} s")
