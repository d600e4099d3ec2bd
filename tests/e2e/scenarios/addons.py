"""Addons: one that the API refuses stops nobody; one that changes is applied again, once; a chart is installed."""

import json

from .. import prepare
from ..cluster import PATIENCE, Cluster
from ..scenario import scenario
from ..waiting import Clock, Skipped, check, until


@scenario
def addons(lab, tell):
    cluster = Cluster(lab, control_planes=3, workers=1)
    cluster.spec["spec"]["addons"] += [manifest(cluster, "refused", "Not A Name"), manifest(cluster, "behind", "e2e-behind")]
    cluster.create_and_wait()
    until("both addons are reported", lambda: {"refused", "behind"} <= set(report(cluster)), PATIENCE)
    refused, behind = report(cluster)["refused"], report(cluster)["behind"]
    check(refused["state"] == "failed" and "Not A Name" in refused["error"], f"the refused addon is reported as {refused}")
    check(behind["state"] == "applied" and behind["error"] is None, f"the addon behind it is reported as {behind}")
    check(value(cluster) == "e2e-behind", "the addon behind the refused one is not there")
    check("the addon refused cannot be applied" in logs(cluster), "no log tells of the refused addon")
    tell(f"refused: {refused['error']}")

    # Tried again, which must not touch the one that is applied.
    version = resource_version(cluster)
    attempts = logs(cluster).count("the addon refused cannot be applied")
    until("another attempt", lambda: logs(cluster).count("the addon refused cannot be applied") > attempts, PATIENCE)
    check(logs(cluster).count("applied the addon behind") == 1, "the addon behind was applied more than once")

    manifest(cluster, "behind", "e2e-behind", value="changed")
    manifest(cluster, "refused", "e2e-accepted")
    clock = Clock()
    cluster.update()
    until("the changed addon", lambda: value(cluster) == "changed", PATIENCE)
    tell(f"kclust update: changed {clock} after the command")
    check(resource_version(cluster) != version, "the addon changed and did not")
    until("the mended addon", lambda: report(cluster)["refused"]["state"] == "applied", PATIENCE)
    # Every slot looks at the settings at least once more; only one has applied them.
    looked = {slot: settings_read(cluster, slot) for slot in cluster.slots()}
    for slot in cluster.slots():
        until(f"{slot} reads the settings", lambda: settings_read(cluster, slot) != looked[slot], 120)
    check(logs(cluster).count("applied the addon behind") == 2, "the changed addon was not applied exactly once")


@scenario
def chart(lab, tell):
    if not prepare.has_helm():
        raise Skipped("there is no helm in KCLUST_LAB_BIN")
    cluster = Cluster(lab, control_planes=1, workers=1)
    repository = "https://github.com/kclust/e2e/releases/download/charts"
    cluster.spec["spec"]["addons"].append(
        {"name": "greeting", "chart": "greeting", "repository": repository, "version": "1.0.0", "namespace": "greetings",
         "values": "greeting: from the values\n"}
    )  # fmt: skip
    cluster.create_and_wait()
    until("the chart is reported", lambda: "greeting" in report(cluster), PATIENCE)
    check(report(cluster)["greeting"]["state"] == "applied", f"reported: {report(cluster)['greeting']}")
    found = cluster.get("--namespace", "greetings", "configmap", "greeting")
    check(found["data"]["greeting"] == "from the values", f"the chart made {found['data']}")


def manifest(cluster, addon, name, value=None):
    """Writes the manifest of an addon, one ConfigMap, and returns the addon's entry in the spec."""
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        "data": {"value": value or name},
    }
    (cluster.directory / f"{addon}.yaml").write_text(json.dumps(document))
    return {"name": addon, "manifest": f"{addon}.yaml"}


def report(cluster):
    return {entry["name"]: entry for entry in json.loads(cluster.object("control-plane/addons.json") or "[]")}


def value(cluster):
    return cluster.get("configmap", "e2e-behind")["data"]["value"]


def resource_version(cluster):
    return cluster.get("configmap", "e2e-behind")["metadata"]["resourceVersion"]


def logs(cluster):
    """What all slots say of addons."""
    return "".join(cluster.lab.journal(cluster.slot(slot), "kclust-addons") for slot in cluster.slots())


def settings_read(cluster, slot):
    """When the slot last read the settings."""
    return cluster.lab.console(cluster.slot(slot), "stat", "--format", "%y", "/run/kclust/settings.addons").stdout
