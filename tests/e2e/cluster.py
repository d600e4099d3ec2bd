"""A cluster that kclust makes in the lab, and what is asked of it."""

import contextlib
import json
import os
import pathlib
import shutil
import time

from .authority import admin_certificate
from .lab import BIN, RUN, STATE_BUCKET, WORK, run
from .proxy import proxy
from .waiting import Clock, check, until

HERE = pathlib.Path(__file__).parent
IMAGE = "ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
# Two cores for all machines, and others use them: what takes a minute on EC2 may take several here.
PATIENCE = int(os.environ.get("KCLUST_E2E_PATIENCE", "420"))


class Cluster:
    def __init__(self, lab, control_planes=1, workers=2, addons=()):
        self.lab = lab
        self.name = "e2e.lab.example"
        self.control_planes = control_planes
        self.directory = lab.scratch
        shutil.copy(HERE / "bridge-cni/manifest.yaml", self.directory / "bridge-cni.yaml")
        zones = ["us-east-1a", "us-east-1b", "us-east-1c"][: min(control_planes, 3)]
        version = json.loads((WORK / "mirror/versions.json").read_text())["k8s"].removeprefix("v")
        self.spec = {
            "apiVersion": "kclust.dev/v1alpha1",
            "kind": "Cluster",
            "metadata": {"name": self.name},
            "spec": {
                "region": "us-east-1",
                "kubernetesVersion": version,
                "network": {"cidr": "10.20.0.0/16", "zones": zones, "cni": "none"},
                "controlPlane": {"replicas": control_planes, "image": IMAGE},
                "nodeGroups": [
                    {
                        "name": "workers",
                        "minSize": workers,
                        "maxSize": workers + 3,
                        "image": IMAGE,
                        "labels": {"pool": "general"},
                        "taints": [{"key": "e2e", "value": "yes", "effect": "PreferNoSchedule"}],
                    }
                ],
                "assets": {"files": "http://mirror.lab"},
                "addons": [{"name": "bridge-cni", "manifest": "bridge-cni.yaml"}, *addons],
            },
        }
        self.born = None

    # --- kclust

    def spec_file(self):
        """The spec as a file: JSON is YAML."""
        path = self.directory / "cluster.yaml"
        path.write_text(json.dumps(self.spec, indent=2))
        return str(path)

    def create(self):
        self.lab.kclust("create", "-f", self.spec_file(), "--yes", timeout=PATIENCE)
        self.born = Clock()
        self.born_at = time.time()
        self.write_kubeconfig()

    def create_and_wait(self):
        self.create()
        self.wait_ready()
        return self

    def report(self):
        """What `validate` says: its checks by name."""
        name, address = self.balancer()
        with proxy({name: address}) as url:
            output = self.lab.kclust("validate", self.name, "-q", "-o", "json", check=False, more={"HTTPS_PROXY": url}).stdout
        return {check["name"]: check for check in json.loads(output)["checks"]}

    def update(self):
        return self.lab.kclust("update", "-f", self.spec_file(), "--yes", timeout=PATIENCE)

    # --- the state bucket

    def object(self, key):
        """Content of an object below the cluster's prefix; None where there is none."""
        s3 = self.lab.aws("s3")
        try:
            return s3.get_object(Bucket=STATE_BUCKET, Key=f"{self.name}/{key}")["Body"].read().decode()
        except s3.exceptions.NoSuchKey:
            return None

    def put_object(self, key, text):
        self.lab.aws("s3").put_object(Bucket=STATE_BUCKET, Key=f"{self.name}/{key}", Body=text.encode())

    def keys(self, prefix):
        pages = self.lab.aws("s3").get_paginator("list_objects_v2").paginate(Bucket=STATE_BUCKET, Prefix=f"{self.name}/{prefix}")
        return sorted(entry["Key"].removeprefix(self.name + "/") for page in pages for entry in page.get("Contents", []))

    def status(self, instance):
        """A node's status object."""
        text = self.object(f"nodes/status/{instance}.json")
        return json.loads(text) if text else None

    def error(self, instance):
        status = self.status(instance)
        return (status and status["error"]) or ""

    # --- instances

    def instances(self, group=None):
        """Running instances, by group."""
        pages = self.lab.aws("ec2").get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        )
        found = [instance for page in pages for reservation in page["Reservations"] for instance in reservation["Instances"]]
        return [instance for instance in found if group is None or tag(instance, "kclust.dev/group") == group]

    def slots(self):
        return [f"cp-{number}" for number in range(1, self.control_planes + 1)]

    def slot(self, name):
        """Id of the slot's instance."""
        ids = [instance["InstanceId"] for instance in self.instances(name)]
        check(len(ids) == 1, f"{name} has the instances {ids}")
        return ids[0]

    def workers(self):
        return sorted(instance["InstanceId"] for instance in self.instances("workers"))

    def next_slot(self, name, previous):
        """Id of the instance that takes the place of another."""

        def successor():
            ids = [instance["InstanceId"] for instance in self.instances(name)]
            return ids[0] if len(ids) == 1 and ids[0] != previous else None

        return until(f"a new instance of {name}", successor, 60)

    def etcd_volume(self, slot):
        filters = [{"Name": "tag:kclust.dev/id", "Values": [f"Volume/{slot}"]}]
        (volume,) = self.lab.aws("ec2").describe_volumes(Filters=filters)["Volumes"]
        return volume

    def lose_volume(self, slot):
        """Nobody finds the slot's volume any more; in its place is an empty one with the same tags."""
        ec2 = self.lab.aws("ec2")
        volume = self.etcd_volume(slot)
        ec2.create_tags(Resources=[volume["VolumeId"]], Tags=[{"Key": "kclust.dev/id", "Value": f"Volume/{slot}-lost"}])
        ec2.create_volume(
            AvailabilityZone=volume["AvailabilityZone"],
            Size=volume["Size"],
            VolumeType="gp3",
            Encrypted=True,
            TagSpecifications=[{"ResourceType": "volume", "Tags": volume["Tags"]}],
        )

    # --- Kubernetes

    def balancer(self):
        """Name and address of the load balancer."""
        (balancer,) = json.loads((RUN / "lb.json").read_text()).values()
        return balancer["dns"], balancer["addr"]

    def write_kubeconfig(self):
        """An administrator's, with a certificate from the cluster's authority, through the load balancer."""
        certificate, key = admin_certificate(self.directory, self.object("pki/ca.crt"), self.object("pki/ca.key"))
        self.certificate = (str(certificate), str(key))
        name, address = until("the load balancer", self.balancer, 30)
        self.write_kubeconfig_to(address, name)

    def write_kubeconfig_to(self, address, name):
        cluster = {
            "server": f"https://{address}:6443",
            "tls-server-name": name,
            "certificate-authority": str(self.directory / "ca.crt"),
        }
        user = {"client-certificate": self.certificate[0], "client-key": self.certificate[1]}
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": cluster}],
            "users": [{"name": "e2e", "user": user}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
        }
        self.kubeconfig = self.directory / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(kubeconfig))

    def kubectl(self, *arguments, timeout=90, **options):
        command = (BIN / "kubectl", "--kubeconfig", self.kubeconfig, "--request-timeout", f"{timeout - 10}s", *arguments)
        return run(*command, timeout=timeout, **options).stdout

    def get(self, *arguments):
        return json.loads(self.kubectl("get", *arguments, "--output", "json"))

    def apply(self, *documents):
        self.kubectl("apply", "--filename", "-", input="\n---\n".join(json.dumps(document) for document in documents))

    def nodes(self):
        return {node["metadata"]["name"]: node for node in self.get("nodes")["items"]}

    def is_ready(self, instance):
        return is_ready(self.nodes()[instance])

    def wait_ready(self, instances=None, seconds=PATIENCE):
        """All instances, or those that are named, are Ready nodes whose boot program is done."""

        def all_ready():
            wanted = set(instances or (instance["InstanceId"] for instance in self.instances()))
            nodes = self.nodes()
            waiting = [name for name in wanted if name not in nodes or not is_ready(nodes[name])]
            check(not waiting, f"not Ready: {self.stories(waiting)}")
            booting = [name for name in wanted if (self.status(name) or {}).get("step") != "done"]
            check(not booting, f"not done: {self.stories(booting)}")
            return True

        until("all nodes Ready", all_ready, seconds)

    def stories(self, instances):
        """What nodes say of themselves, in short."""
        told = []
        for name in instances:
            status = self.status(name) or {"group": "?", "step": "nothing told", "error": None}
            told.append(f"{name} {status['group']}: {status['step']}: {status['error']}")
        return "; ".join(told)

    def etcd_members(self):
        """Names of etcd's members and their ids, as a slot that works tells them."""
        for slot in self.slots():
            with contextlib.suppress(Exception):
                output = self.etcdctl(self.slot(slot), "member", "list")
                lines = [line.split(", ") for line in output.splitlines()]
                return {line[2]: line[0] for line in lines}
        raise AssertionError("no slot lists the members of etcd")

    def etcdctl(self, instance, *arguments):
        pki = "/etc/kubernetes/pki/etcd"
        options = ["--cacert", f"{pki}/ca.crt", "--cert", f"{pki}/healthcheck-client.crt", "--key", f"{pki}/healthcheck-client.key"]
        return self.lab.console(instance, "etcdctl", "--endpoints", "https://127.0.0.1:2379", *options, *arguments).stdout

    def leader(self):
        """The slot that leads etcd."""
        for slot in self.slots():
            output = self.etcdctl(self.slot(slot), "endpoint", "status", "--write-out", "fields")
            fields = dict(line.split(" : ", 1) for line in output.splitlines() if " : " in line)
            if fields['"MemberID"'] == fields['"Leader"']:
                return slot
        return None


def tag(thing, key):
    return next((entry["Value"] for entry in thing.get("Tags", []) if entry["Key"] == key), None)


def is_ready(node):
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in node["status"].get("conditions", []))
