"""Control planes are lost under writes: nothing that was acknowledged is."""

import time

from ..cluster import PATIENCE, Cluster
from ..scenario import scenario
from ..waiting import Clock, check, until
from ..writer import Writer


@scenario
def durability(lab, tell):
    cluster = Cluster(lab, control_planes=3, workers=1).create_and_wait()
    members = cluster.etcd_members()
    check(len(members) == 3, f"etcd has the members {members}")
    with Writer(cluster) as writer:
        until("writes", lambda: writer.count() > 50, 60)
        tell(f"one of three: {lose(cluster, writer, ['cp-2'])}")
        tell(f"all three: {lose(cluster, writer, cluster.slots())}")
    tell(writer.check_nothing_lost())
    check(cluster.etcd_members() == members, f"etcd had the members {members}, now {cluster.etcd_members()}")
    check_one_cluster(cluster)


@scenario
def durability_single(lab, tell):
    cluster = Cluster(lab, control_planes=1, workers=1).create_and_wait()
    members = cluster.etcd_members()
    with Writer(cluster) as writer:
        until("writes", lambda: writer.count() > 50, 60)
        tell(f"the only one: {lose(cluster, writer, ['cp-1'])}")
    tell(writer.check_nothing_lost())
    check(cluster.etcd_members() == members, f"etcd had the members {members}, now {cluster.etcd_members()}")
    check_one_cluster(cluster)


def lose(cluster, writer, slots):
    """Terminates the instances of slots at once and waits until their successors are Ready; says how long it took."""
    before = {slot: cluster.slot(slot) for slot in slots}
    begin, clock = time.monotonic(), Clock()
    for instance in before.values():
        cluster.lab.kill(instance)
    after = {slot: cluster.next_slot(slot, instance) for slot, instance in before.items()}
    killed = writer.count()
    until("writes again", lambda: writer.count() > killed + 20, PATIENCE)
    cluster.wait_ready()
    ready = clock.seconds()
    for slot, instance in after.items():
        steps = [step["step"] for step in cluster.status(instance)["steps"]]
        check(any(step.startswith("restart") for step in steps), f"{slot} took another path than a restart: {steps}")
    until("the nodes of the old instances are gone", lambda: not set(before.values()) & set(cluster.nodes()), PATIENCE)
    return f"Ready after {ready:.0f} s, longest time without an acknowledged write {writer.longest_gap(begin):.1f} s"


def check_one_cluster(cluster):
    """All slots tell the same etcd cluster."""
    told = set()
    for slot in cluster.slots():
        output = cluster.etcdctl(cluster.slot(slot), "endpoint", "status", "--write-out", "fields")
        told.add(next(line for line in output.splitlines() if line.startswith('"ClusterID"')))
    check(len(told) == 1, f"the slots are in different clusters: {told}")
