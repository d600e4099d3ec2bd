"""Snapshots: all volumes are lost, and an operator brings a snapshot back; then the running cluster is taken back once more."""

import json

from ..cluster import PATIENCE, Cluster
from ..scenario import scenario
from ..waiting import Clock, check, until
from .volumes import check_serves_nothing, lose_slot_and_volume


@scenario
def restore_after_total_loss(lab, tell):
    cluster = Cluster(lab, control_planes=3, workers=1).create_and_wait()
    write(cluster, "before")
    clock = Clock()
    cluster.lab.kclust("backup", cluster.name, timeout=PATIENCE)
    tell(f"kclust backup: {clock}")
    snapshot = cluster.object("control-plane/backup-answer").splitlines()[1]
    check_backups(cluster, snapshot)
    write(cluster, "after")

    replacements = [lose_slot_and_volume(cluster, slot) for slot in cluster.slots()]
    for instance in replacements:
        until(f"{instance} waits", lambda: "kclust restore" in cluster.error(instance), PATIENCE)
        check_serves_nothing(cluster, instance)
    restore(cluster, "latest", tell, "with all volumes lost")
    check(written(cluster) == {"before"}, f"restored: {written(cluster)}")

    write(cluster, "later")
    restore(cluster, snapshot, tell, "of the running cluster")
    check(written(cluster) == {"before"}, f"restored: {written(cluster)}")
    write(cluster, "finally")
    for slot in cluster.slots():
        data = lab.shell(cluster.slot(slot), "ls -d /var/lib/etcd/data.before-*").split()
        check(len(data) == 1, f"the data of before is not kept on {slot}: {data}")


@scenario
def restore_without_quorum(lab, tell):
    """Two volumes are lost. The third slot has its data and its order is given while its API server waits for a quorum after a reboot."""
    cluster = Cluster(lab, control_planes=3, workers=1).create_and_wait()
    write(cluster, "before")
    lab.kclust("backup", cluster.name, timeout=PATIENCE)
    for slot in ("cp-2", "cp-3"):
        lose_slot_and_volume(cluster, slot)
    survivor = cluster.slot("cp-1")
    lab.reboot(survivor)
    until("the slot that has its data waits", lambda: "waiting for the API server" in cluster.error(survivor), PATIENCE)
    restore(cluster, "latest", tell, "with one of three volumes left")
    check("before" in written(cluster), f"restored: {written(cluster)}")


def write(cluster, name):
    cluster.kubectl("create", "configmap", f"written-{name}")


def written(cluster):
    names = cluster.kubectl("get", "configmaps", "--output", "name").split()
    return {name.split("written-")[1] for name in names if "written-" in name}


def check_backups(cluster, snapshot):
    """All are listed, and the one that was asked for is the newest."""
    listed = json.loads(cluster.lab.kclust("get", "backups", cluster.name, "--output", "json").stdout)
    table = cluster.lab.kclust("get", "backups", cluster.name).stdout
    keys = cluster.keys("backups/etcd/")
    check(keys[-1] == snapshot, f"{snapshot} was asked for, the newest is {keys[-1]}")
    check(len(listed) == len(keys), f"kclust get backups lists {listed}, there are {keys}")
    for key in keys:
        check(key.split("/")[-1] in table, f"kclust get backups leaves out {key}: {table}")


def restore(cluster, snapshot, tell, when):
    """Back to a snapshot; done when all nodes are Ready and the cluster takes writes."""
    clock = Clock()
    cluster.lab.kclust("restore", cluster.name, "--from", snapshot, "--yes", timeout=2 * PATIENCE)
    command = clock.seconds()
    until("the API", lambda: cluster.kubectl("get", "--raw", "/readyz") == "ok", PATIENCE)
    cluster.wait_ready()
    tell(f"kclust restore {when}: {command:.0f} s, all nodes Ready after {clock}")
