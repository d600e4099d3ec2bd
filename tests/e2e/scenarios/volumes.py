"""Volumes of etcd are lost: what can be healed heals, and nothing ever starts empty."""

from ..cluster import PATIENCE, Cluster
from ..scenario import scenario
from ..waiting import Clock, check, until
from ..writer import Writer

# What would serve: the files from which the kubelet starts it, and etcd's data.
SERVES = "ls /etc/kubernetes/manifests /var/lib/etcd/data 2> /dev/null | grep -E 'yaml|member' || true"


@scenario
def lost_volume(lab, tell):
    cluster = Cluster(lab, control_planes=3, workers=1).create_and_wait()
    members = cluster.etcd_members()
    with Writer(cluster) as writer:
        until("writes", lambda: writer.count() > 50, 60)
        clock = Clock()
        replacement = lose_slot_and_volume(cluster, "cp-2")
        cluster.wait_ready()
        tell(f"Ready after {clock}, longest time without an acknowledged write {writer.longest_gap():.1f} s")
    tell(writer.check_nothing_lost())
    now = cluster.etcd_members()
    check(set(now) == set(members), f"etcd has the members {now}")
    check(now["cp-2"] != members["cp-2"], "the member of the lost volume has its old id")
    check({slot: now[slot] for slot in ("cp-1", "cp-3")} == {slot: members[slot] for slot in ("cp-1", "cp-3")}, f"others changed: {now}")
    check("removing the stale etcd member" in cluster.lab.journal(replacement), "the stale member was not removed")


@scenario
def no_quorum(lab, tell):
    cluster = Cluster(lab, control_planes=3, workers=1).create_and_wait()
    replacements = [lose_slot_and_volume(cluster, slot) for slot in ("cp-2", "cp-3")]
    for instance in replacements:
        until(f"{instance} says what to do", lambda: "kclust restore" in cluster.error(instance), PATIENCE)
        check("no quorum" in cluster.error(instance), cluster.error(instance))
        check_serves_nothing(cluster, instance)
    tell(f"both say: {cluster.error(replacements[0])}")
    # Still so after more attempts.
    for instance in replacements:
        attempts = cluster.lab.journal(instance).count("no quorum")
        until(f"{instance} asks again", lambda: cluster.lab.journal(instance).count("no quorum") >= attempts + 3, 300)
        check_serves_nothing(cluster, instance)


@scenario
def marker_without_data(lab, tell):
    cluster = Cluster(lab, control_planes=1, workers=1).create_and_wait()
    initialized = cluster.object("control-plane/initialized")
    replacement = lose_slot_and_volume(cluster, "cp-1")
    until("the slot says what to do", lambda: "kclust restore" in cluster.error(replacement), PATIENCE)
    tell(f"it says: {cluster.error(replacement)}")
    check_serves_nothing(cluster, replacement)
    check(cluster.object("control-plane/initialized") == initialized, "the cluster was initialised a second time")


def lose_slot_and_volume(cluster, slot):
    """Id of the instance that finds an empty volume."""
    previous = cluster.slot(slot)
    cluster.lose_volume(slot)
    cluster.lab.kill(previous)
    return cluster.next_slot(slot, previous)


def check_serves_nothing(cluster, instance):
    found = cluster.lab.shell(instance, SERVES)
    check(not found, f"{instance} has {found.split()}")
