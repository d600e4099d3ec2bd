"""Machines that end in order: a slot that its group terminates, and a worker that is switched off."""

import re
import time

from ..cluster import PATIENCE, Cluster
from ..lab import RUN
from ..scenario import scenario
from ..waiting import Clock, Failure, check, until
from ..writer import Writer

# The lab's metadata service never says that an instance is about to be terminated: on this machine it does.
TERMINATED = """
cat >> /usr/local/lib/kclust/aws.sh <<'END'
eval "$(declare -f metadata | sed '1s/metadata/lab_metadata/')"
metadata() { if [ "$1" = meta-data/autoscaling/target-lifecycle-state ]; then echo Terminated; else lab_metadata "$1"; fi; }
END
systemctl kill --signal=SIGKILL kclust-end.service
"""


@scenario
def graceful_end(lab, tell):
    cluster = Cluster(lab, control_planes=3, workers=1).create_and_wait()
    slot = cluster.leader()
    instance = cluster.slot(slot)
    check(cluster.etcd_volume(slot)["Attachments"], "the volume is not attached to begin with")
    with Writer(cluster) as writer:
        until("writes", lambda: writer.count() > 50, 60)
        begin = time.monotonic()
        lab.shell(instance, TERMINATED)
        journal = until("the end", lambda: ended(lab, instance), 120)
        written = writer.count()
        until("writes go on", lambda: writer.count() > written + 20, 60)
        gap = writer.longest_gap(begin)
    seconds = re.search(r"ended within (\d+) s", journal)[1]
    tell(f"{slot} led etcd and ended within {seconds} s; longest time without an acknowledged write {gap:.1f} s")
    tell(writer.check_nothing_lost())
    check("etcd's leader is now the member at" in journal, "the leadership was not handed over")
    check(gap < 15, f"no write was acknowledged for {gap:.1f} s")
    check(not cluster.etcd_volume(slot)["Attachments"], "the volume is still attached")
    check(not lab.shell(instance, "findmnt --types xfs /var/lib/etcd || true"), "the volume is still mounted")
    check("RUNNING" not in lab.shell(instance, "ctr --namespace k8s.io tasks list | grep -F \"$(ctr --namespace k8s.io containers list -q"
          " 'labels.\"io.kubernetes.container.name\"==etcd')\" || true"), "etcd still runs")  # fmt: skip
    # The lab knows no lifecycle hooks, and says so; the slot must have tried.
    check("release_hook: " in journal, "the lifecycle hook was not completed")
    clock = Clock()
    lab.kill(instance)
    cluster.next_slot(slot, instance)
    cluster.wait_ready()
    tell(f"its successor is Ready after {clock}")


def ended(lab, instance):
    journal = lab.journal(instance, "kclust-end")
    return journal if "ended within" in journal else None


@scenario
def worker_poweroff(lab, tell):
    """The kubelet ends pods before the machine goes: ordinary ones first, critical ones last."""
    cluster = Cluster(lab, control_planes=1, workers=2).create_and_wait()
    (instance, *_) = cluster.workers()
    inhibitors = lab.shell(instance, "systemd-inhibit --list --no-pager 2>&1 || true")
    if "kubelet" not in inhibitors:
        why = lab.shell(instance, "journalctl --no-pager --unit kubelet | grep -iE 'shutdown|inhibit|dbus' | tail -n 3 || true")
        raise Failure(f"the kubelet holds no lock on the shutdown: {inhibitors.strip()}; it says: {why.strip()}")
    tell(f"the kubelet holds a lock: {next(line for line in inhibitors.splitlines() if 'kubelet' in line)}")
    watched = {"ordinary": pod(instance, "ordinary", None), "critical": pod(instance, "critical", "system-node-critical")}
    cluster.apply(*watched.values())
    cluster.kubectl("--namespace", "kube-system", "wait", "--for=condition=Ready", "pod/ordinary", "pod/critical", "--timeout=80s")
    clock = Clock()
    lab.console(instance, "systemctl", "poweroff", check=False)
    until("the machine is gone", lambda: instance not in cluster.workers(), PATIENCE)
    tell(f"gone after {clock}")
    # The lab keeps the logs of machines that are gone.
    ends = RUN / "logs" / instance / "var-log" / "ends"
    order = until("the logs of the machine", lambda: ends.exists() and ends.read_text(), 60).split()
    check(order == ["ordinary", "critical"], f"pods ended in the order {order}")


def pod(node, name, priority):
    """A pod that tells its end in a file of the node."""
    script = f"trap 'echo {name} >> /log/ends; exit 0' TERM; while true; do sleep 1; done"
    container = {
        "name": "main",
        "image": "registry.k8s.io/e2e/bridge-cni:1",
        "command": ["/bin/sh", "-c", script],
        "volumeMounts": [{"name": "log", "mountPath": "/log"}],
    }
    spec = {
        "nodeName": node,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [{"name": "log", "hostPath": {"path": "/var/log"}}],
    }
    if priority:
        spec["priorityClassName"] = priority
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "kube-system"}, "spec": spec}
