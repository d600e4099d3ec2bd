"""A cluster boots without a hand on any machine."""

import collections
import datetime

from ..cluster import PATIENCE, Cluster, is_ready, tag
from ..scenario import scenario
from ..secrets import check_journal
from ..waiting import check, until
from ..workload import check_workload


@scenario
def first_boot_one(lab, tell):
    first_boot(Cluster(lab, control_planes=1), tell)


@scenario
def first_boot_three(lab, tell):
    first_boot(Cluster(lab, control_planes=3), tell)


def first_boot(cluster, tell):
    cluster.create()
    until("the API answers through the load balancer", lambda: cluster.kubectl("get", "--raw", "/readyz") == "ok", PATIENCE)
    ready = cluster.born.seconds()
    cluster.wait_ready()
    tell(f"instances → API ready {ready:.0f} s → all {len(cluster.instances())} nodes Ready {cluster.born}")
    for instance in cluster.instances():
        tell_steps(cluster, instance, tell)
    for instance in cluster.instances():
        name = instance["InstanceId"]
        # The taint of a node that is not Ready goes a moment after it is.
        until(f"{name} as it should be", lambda: check_node(cluster.nodes()[name], instance) is None, 60)
        check_journal(cluster, instance["InstanceId"])
        check_api_name(cluster, instance["InstanceId"])
    check_downloads(cluster)
    tell(check_workload(cluster))
    tell(check_report(cluster))


def tell_steps(cluster, instance, tell):
    status = cluster.status(instance["InstanceId"])
    begin = datetime.datetime.fromisoformat(status["steps"][0]["since"]).timestamp() - cluster.born_at
    steps = ", ".join(f"{step['step'].split(':')[0]} {step['seconds']:.1f}" for step in status["steps"][:-1])
    tell(f"{status['group']}: boot program from {begin:.0f} s on: {steps}")


def check_node(node, instance):
    name, zone = instance["InstanceId"], instance["Placement"]["AvailabilityZone"]
    group = tag(instance, "kclust.dev/group")
    labels = node["metadata"]["labels"]
    taints = {(taint["key"], taint.get("value"), taint["effect"]) for taint in node["spec"].get("taints", [])}
    check(node["spec"]["providerID"] == f"aws:///{zone}/{name}", f"{name} has the provider id {node['spec']['providerID']}")
    check(labels["topology.kubernetes.io/zone"] == zone, f"{name} has the zone {labels['topology.kubernetes.io/zone']}")
    check(labels["kclust.dev/group"] == group, f"{name} has the group {labels['kclust.dev/group']}")
    is_control_plane = group.startswith("cp-")
    check(("node-role.kubernetes.io/control-plane" in labels) == is_control_plane, f"{name} has the labels {labels}")
    if is_control_plane:
        check(taints == {("node-role.kubernetes.io/control-plane", None, "NoSchedule")}, f"{name} has the taints {taints}")
    else:
        check(taints == {("e2e", "yes", "PreferNoSchedule")}, f"{name} has the taints {taints}")
        check(labels["pool"] == "general", f"{name} has the labels {labels}")
    check(is_ready(node), f"{name} is not Ready")


def check_api_name(cluster, instance):
    """Nodes find the API without the load balancer: its name leads to the slots."""
    name, _ = cluster.balancer()
    found = set(cluster.lab.console(instance, "getent", "ahostsv4", name).stdout.split())
    addresses = {entry["PrivateIpAddress"] for slot in cluster.slots() for entry in cluster.instances(slot)}
    led = {word for word in found if word.count(".") == 3 and word[0].isdigit()}
    check(led and led <= addresses, f"on {instance} the API's name leads to {led}, not to slots ({addresses})")


def check_downloads(cluster):
    """Every machine downloads each file once."""
    counts = collections.Counter(cluster.lab.mirror_log())
    files = {file for file in counts if not file[1].endswith((".sha256", ".sha256sum", "SHA256SUMS"))}
    machines = {instance["PrivateIpAddress"] for instance in cluster.instances()}
    check({machine for machine, _ in files} == machines, f"the mirror was asked by {files}")
    again = [file for file in files if counts[file] > 1]
    check(not again, f"downloaded more than once: {again}")


def check_report(cluster):
    """`validate` finds nothing: of itself, of the machines, of etcd, of what runs."""

    def content():
        unwell = {name: check for name, check in cluster.report().items() if check["status"] not in ("ok", "skipped")}
        # The lab's Auto Scaling takes a grace period of 0 for none, and sets its own.
        drift = unwell.pop("resources", {"cause": ""})["cause"]
        others = [line for line in drift.splitlines() if "healthCheckGraceSeconds" not in line]
        check(not unwell and not others, f"validate says {unwell or others}")
        return True

    # Slots tell once a minute what etcd is like.
    until("validate finds nothing", content, 120, pause=5)
    return f"validate: {cluster.report()['etcd']['message']}"
