"""A group grows long after the cluster was made, when the credential of the first boot has run out."""

from ..cluster import PATIENCE, Cluster
from ..scenario import scenario
from ..waiting import Clock, check, until


@scenario
def scale_out_later(lab, tell):
    cluster = Cluster(lab, control_planes=1, workers=1).create_and_wait()
    old = cluster.workers()
    # What the cluster itself does after 48 hours.
    cluster.kubectl("--namespace", "kube-system", "delete", "secrets", "--field-selector", "type=bootstrap.kubernetes.io/token")
    grow(cluster, 2)
    (new,) = until("a second worker", lambda: sorted(set(cluster.workers()) - set(old)), 60)
    until("the worker says why it is not there", lambda: "kubeadm join" in cluster.error(new), PATIENCE)
    tell(f"it waits: {cluster.error(new)[:300]}")
    check(new not in cluster.nodes(), "the worker joined without a credential")
    clock = Clock()
    lab.console(cluster.slot("cp-1"), "systemctl", "start", "kclust-credential.service", timeout=120)
    cluster.wait_ready([new])
    tell(f"Ready {clock} after the credential was renewed")


def grow(cluster, size):
    autoscaling = cluster.lab.aws("autoscaling")
    names = [group["AutoScalingGroupName"] for group in autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]]
    (name,) = [name for name in names if name.startswith("workers-")]
    autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=size)
