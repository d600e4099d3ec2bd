"""Machines that reboot, and a boot program that is killed at every moment."""

import random
import time

from ..cluster import PATIENCE, Cluster
from ..scenario import scenario
from ..waiting import Clock, check, until

SEED = 20261126
# Ends the boot program and all that it started, where it runs.
KILL = """
[ "$(systemctl show --property MainPID --value kclust-boot)" != 0 ] && systemctl kill --kill-whom=all --signal=SIGKILL kclust-boot.service
"""


@scenario
def reboot(lab, tell):
    cluster = Cluster(lab, control_planes=1, workers=1).create_and_wait()
    for group in ("workers", "cp-1"):
        (instance,) = [entry["InstanceId"] for entry in cluster.instances(group)]
        boot = boot_id(cluster, instance)
        downloads = len(lab.mirror_log())
        clock = Clock()
        lab.reboot(instance)
        until("another boot", lambda: boot_id(cluster, instance) not in ("", boot), 120)
        for unit in ("kclust-boot", "kubelet"):
            until(f"{unit} is active", lambda: lab.console(instance, "systemctl", "is-active", unit).stdout.strip() == "active", PATIENCE)
        # For a while the API believes that the node is as it was: what counts is what the kubelet has said since.
        renewed = lease(cluster, instance)
        until("the kubelet reports", lambda: lease(cluster, instance) != renewed, PATIENCE)
        cluster.wait_ready()
        tell(f"{group}: Ready {clock} after the reboot")
        check(len(lab.mirror_log()) == downloads, f"the reboot made downloads: {lab.mirror_log()[downloads:]}")
    cluster.kubectl("create", "configmap", "after-the-reboots")


def boot_id(cluster, instance):
    """When the machine's first process started: a container shares the kernel's boot id with others."""
    return cluster.lab.shell(instance, "stat --format %Y /run/systemd/system /proc/1; cut -d ' ' -f 22 /proc/1/stat")


def lease(cluster, instance):
    """When the kubelet last told the API that it is there."""
    return cluster.get("--namespace", "kube-node-lease", "lease", instance)["spec"]["renewTime"]


@scenario
def boot_program_killed(lab, tell):
    """SIGKILL to the boot program of every machine every 0.5 to 3 seconds during the first minute."""
    chance = random.Random(SEED)
    cluster = Cluster(lab, control_planes=3, workers=2)
    cluster.create()
    kills = {entry["InstanceId"]: 0 for entry in cluster.instances()}
    while cluster.born.seconds() < 75:
        for instance in kills:
            # A machine that is not up yet, or whose boot program has ended, has nothing to kill.
            kills[instance] += lab.console(instance, "bash", "-c", KILL, check=False).returncode == 0
        # The random moments that this is about; nothing is waited for.
        time.sleep(chance.uniform(0.5, 3))
    tell(f"killed {sum(kills.values())} times: {sorted(kills.values())}")
    check(all(kills.values()), f"a machine was not killed at all: {kills}")
    cluster.wait_ready(seconds=2 * PATIENCE)
    tell(f"all Ready after {cluster.born}")
    check(len(cluster.etcd_members()) == 3, f"etcd has the members {cluster.etcd_members()}")
