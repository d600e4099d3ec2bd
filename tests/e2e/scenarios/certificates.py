"""A slot renews its certificates before they end: while it runs, and when it comes up again after it was off."""

import datetime
import json
import ssl

from ..cluster import PATIENCE, Cluster
from ..scenario import scenario
from ..waiting import Clock, check, until
from ..workload import check_workload

# Those whose authority is still on the disk: the others are good for a year, but the first to end decides.
SHORT = """
sed 's/^kind: ClusterConfiguration$/&\\ncertificateValidityPeriod: 240h0m0s/' /etc/kclust/kubeadm.yaml > /run/short.yaml
kubeadm certs renew all --config /run/short.yaml 2>&1
"""


@scenario
def certificates(lab, tell):
    cluster = Cluster(lab, control_planes=1, workers=1).create_and_wait()
    slot = cluster.slot("cp-1")
    until("the slot tells when they end", lambda: days_left(cluster) > 300, 60)

    def look_again(slot):
        lab.shell(slot, "systemctl restart kclust-tend.service")

    for how, begin in (("while it runs", look_again), ("after a reboot", lab.reboot)):
        before = served(cluster)
        said = lab.shell(slot, SHORT)
        check("renewed" in said, said)
        # The API server may have seen it: it looks at its own certificate again while it runs.
        short = on_disk(lab, slot)
        clock = Clock()
        begin(slot)
        until("the renewal is over", lambda: is_over(cluster, slot, {before, short}), PATIENCE)
        check(days_left(cluster) > 300, f"the first certificate ends in {days_left(cluster)} days")
        left = lab.shell(slot, "ls /etc/kubernetes/pki/etcd/ca.key /etc/kubernetes/pki/front-proxy-ca.key 2> /dev/null || true")
        check(not left, f"keys of authorities are left on the disk: {left}")
        cluster.wait_ready()
        tell(f"{how}: everything runs with renewed certificates {clock} later")
    # Those who run with them do their work: the scheduler, the controllers, and etcd below all.
    tell(check_workload(cluster))


def days_left(cluster):
    text = cluster.object("control-plane/certificates/cp-1.json")
    if text is None:
        return -1
    ends = datetime.datetime.fromisoformat(json.loads(text)["ends"])
    return (ends - datetime.datetime.now(datetime.UTC)).days


def served(cluster):
    """The certificate that the API presents; None while it does not."""
    _, address = cluster.balancer()
    try:
        return ssl.get_server_certificate((address, 6443), timeout=3).strip()
    except OSError:
        return None


def on_disk(lab, slot):
    return lab.shell(slot, "cat /etc/kubernetes/pki/apiserver.crt").strip()


def is_over(cluster, slot, old):
    """What is on the disk is another certificate, everything was started again, and the API presents it."""
    renewed = on_disk(cluster.lab, slot)
    started = cluster.lab.shell(slot, "[ -e /etc/kclust/renewal ] || echo started").strip()
    return renewed not in old and started and served(cluster) == renewed
