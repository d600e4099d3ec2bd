"""Pods on every node, and proof that the network between them works."""

from .cluster import PATIENCE
from .waiting import check, until

IMAGE = "registry.k8s.io/lab/testapp:1"


def web(name="web"):
    """A pod on every node, tolerating everything, behind a Service."""
    labels = {"app": name}
    container = {
        "name": "web",
        "image": IMAGE,
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 2},
    }
    pods = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 5, "containers": [container]},
            },
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    return [pods, service]


def check_workload(cluster):
    """Pods reach each other over nodes, a Service by name, and can be looked into. Returns what was checked."""
    cluster.apply(*web())
    wanted = len(cluster.instances())

    def pods():
        found = cluster.get("pods", "--selector", "app=web")["items"]
        ready = [pod for pod in found if pod["status"].get("containerStatuses", [{}])[0].get("ready")]
        return ready if len(ready) == wanted else None

    found = until("a pod on every node", pods, PATIENCE)
    check(len({pod["spec"]["nodeName"] for pod in found}) == wanted, "the pods are not on different nodes")

    def ask(pod, url):
        return cluster.kubectl("exec", pod["metadata"]["name"], "--", "/testapp", "get", url)

    for source in found:
        for target in found:
            address = target["status"]["podIP"]
            until(f"{source['spec']['nodeName']} reaches a pod of {target['spec']['nodeName']}",
                  lambda: ask(source, f"http://{address}:8080/healthz") is not None, 60)  # fmt: skip
    until("a Service by its name", lambda: ask(found[0], "http://web.default.svc.cluster.local/"), 60)
    environment = ask(found[0], "http://127.0.0.1:8080/env")
    check(found[0]["spec"]["nodeName"] in environment, f"exec shows another environment: {environment[:200]}")
    network = cluster.get("--namespace", "kube-system", "pods", "--selector", "app=bridge-cni")["items"][0]
    logs = cluster.kubectl("--namespace", "kube-system", "logs", network["metadata"]["name"])
    check(f"pods of {network['spec']['nodeName']} have addresses" in logs, f"the logs of the pod network say: {logs[:200]}")
    return f"{wanted * wanted} ways between pods, a Service by name, exec, logs"
