"""`bench_validate.py KCLUST SCRATCH`: measures `validate` of a large cluster, and prints a table.

AWS is the emulator that AWS_ENDPOINT_URL names, with the cluster of examples/ha-private.yaml and as many workers as make the size. Its
Kubernetes API is served here, over TLS and behind a proxy as HTTPS_PROXY names one. A tenth of the pods of one critical daemon set is in
trouble: `validate` says so, and exits 3.
"""

import asyncio
import datetime
import ipaddress
import json
import multiprocessing
import os
import ssl
import sys
import urllib.request
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bench import Run, control
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CLUSTER = "prod.example.com"
SIZES = ((10, 100), (500, 5_000), (5_000, 50_000))
SLOTS = 3
WEAK = "log-collector"


def spec(workers: int) -> str:
    """ha-private with that many workers, small enough for the quota of vCPUs, and room for the pods of 8,000."""
    text = Path("examples/ha-private.yaml").read_text()
    text = text.replace("100.64.0.0/13", "100.64.0.0/11").replace("[m6i.xlarge]", "[m6i.large]")
    return text.replace("minSize: 3\n      maxSize: 12", f"minSize: {workers}\n      maxSize: {workers}")


def cluster_instances() -> list[tuple[str, str, str]]:
    """Group, id and zone of each, control planes first."""
    regions = control("GET", "world")["regions"].values()
    found = [(one["tags"].get("kclust.dev/group"), name, one["zone"]) for region in regions for name, one in region["instances"].items()]
    return sorted(one for one in found if one[0])


def managed(manager: str, fields: int) -> dict:
    """What the API server keeps of who set which field: as long as in a real object."""
    leaves = {f'k:{{"type":"field-{number}"}}': {".": {}, "f:lastHeartbeatTime": {}} for number in range(fields)}
    return {"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:status": leaves}}


def node(name: str, zone: str) -> dict:
    images = [
        {"names": [f"registry.example.com/team-{n}/app@sha256:{n:064x}", f"registry.example.com/team-{n}/app:v1.{n}"], "sizeBytes": n}
        for n in range(50)
    ]
    conditions = [
        {"type": kind, "status": str(kind == "Ready"), "reason": f"Kubelet{kind}", "message": f"kubelet reports {kind}"}
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
    ]
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone} | {f"example.com/l{n}": "v" for n in range(10)}
    return {
        "metadata": {"name": name, "labels": labels, "managedFields": [managed("kubelet", 20)]},
        "spec": {"providerID": f"aws:///{zone}/{name}", "podCIDR": "10.0.0.0/24"},
        "status": {"conditions": conditions, "images": images, "nodeInfo": {"kubeletVersion": "v1.36.2"}},
    }


def pod(number: int, name: str, pending: bool) -> dict:
    conditions = [{"type": "PodScheduled", "status": str(not pending)}, {"type": "Ready", "status": str(not pending)}]
    containers = [{"name": "main", "ready": not pending, "restartCount": 0, "state": {}}]
    metadata = {"name": f"pod-{number}", "namespace": "default", "managedFields": [managed("kubelet", 20)]}
    return {
        "metadata": metadata | {"creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"containers": [{"name": "main", "env": [{"name": f"E{n}", "value": "v"} for n in range(20)]}]}
        | ({} if pending else {"nodeName": name}),
        "status": {"phase": "Pending" if pending else "Running", "conditions": conditions, "containerStatuses": containers},
    }


def troubled(number: int, name: str) -> dict:
    """A pod of the weak daemon set; nine of ten are well."""
    well = number % 10 > 0
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}
    found = pod(number, name, False)
    found["metadata"] |= {"name": f"{WEAK}-{number}", "namespace": "kube-system"}
    found["status"]["conditions"] = [{"type": "Ready", "status": str(well)}]
    found["status"]["containerStatuses"] = [{"name": "main", "ready": well, "state": {} if well else {"waiting": waiting}}]
    return found


def static_pods(name: str) -> list[dict]:
    components = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    images = {component: f"registry.k8s.io/{component}:{'3.6.14-0' if component == 'etcd' else 'v1.36.2'}" for component in components}
    pods = [pod(0, name, False) for _ in components]
    for found, (component, image) in zip(pods, images.items(), strict=True):
        found["metadata"] |= {"name": f"{component}-{name}", "namespace": "kube-system", "labels": {"component": component}}
        found["spec"]["containers"][0]["image"] = image
    return pods


def workload(name: str, pods: int, available: int) -> dict:
    status = {"desiredNumberScheduled": pods, "numberAvailable": available, "availableReplicas": available}
    containers = [{"image": f"registry.k8s.io/{name}:v1.36.2"}]
    template = {"spec": {"containers": containers, "priorityClassName": "system-node-critical"}}
    spec = {"replicas": pods, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"metadata": {"name": name}, "spec": spec, "status": status}


class Api:
    """The Kubernetes API, with objects as text."""

    def __init__(self, nodes: int, pods: int):
        instances = cluster_instances()
        if len(instances) != nodes:
            sys.exit(f"the cluster has {len(instances)} instances, not {nodes}")
        slots = [name for group, name, _ in instances if group.startswith("cp-")]
        names = [name for _, name, _ in instances]
        pending = {number for number in range(0, pods, 1000)}
        daemons = ("kube-proxy", "cilium", "aws-cloud-controller-manager", "node-exporter")
        apps = "/apis/apps/v1/namespaces/kube-system"
        self.lists = {
            "/api/v1/nodes": [json.dumps(node(name, zone)) for _, name, zone in instances],
            "/api/v1/pods": [json.dumps(pod(number, names[number % nodes], number in pending)) for number in range(pods)],
            f"{apps}/daemonsets": [json.dumps(workload(name, nodes, nodes)) for name in daemons]
            + [json.dumps(workload(WEAK, nodes, nodes - len(range(0, nodes, 10))))],
            f"{apps}/deployments": [json.dumps(workload(name, 2, 2)) for name in ("coredns", "metrics-server", "cilium-operator")],
        }
        self.chosen = {
            "status.phase=Pending": [json.dumps(pod(number, "", True)) for number in sorted(pending)],
            f"app={WEAK}": [json.dumps(troubled(number, name)) for number, name in enumerate(names)],
            "tier=control-plane": [json.dumps(found) for name in slots for found in static_pods(name)],
        }
        self.requests = Counter()
        self.bytes = 0

    def answer(self, target: str) -> bytes:
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.requests[url.path] += 1
        if url.path == "/readyz":
            return b"ok"
        if url.path == "/version":
            words = ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
            return json.dumps({"major": "1", "minor": "36", "gitVersion": "v1.36.2"} | {word: "" for word in words}).encode()
        # The API server chooses by field and label itself, from its cache.
        selector = query.get("fieldSelector") or query.get("labelSelector")
        items = self.chosen.get(selector, []) if selector else self.lists.get(url.path, [])
        begin, limit = int(query.get("continue", 0)), int(query.get("limit", len(items)))
        page = items[begin : begin + limit]
        following = str(begin + limit) if begin + limit < len(items) else ""
        head = json.dumps({"resourceVersion": "1", "continue": following})
        return f'{{"kind": "List", "apiVersion": "v1", "metadata": {head}, "items": [{",".join(page)}]}}'.encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            await writer.start_tls(context)
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                body = self.answer(request.split(b" ", 2)[1].decode())
                self.bytes += len(body)
                writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            writer.close()


def state_object(key: str) -> bytes:
    bucket = os.environ["KCLUST_STATE"].removeprefix("s3://")
    request = urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/{bucket}/{key}")
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/s3/aws4_request"
    request.add_header("Authorization", f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")
    return urllib.request.urlopen(request).read()


def server_context(scratch: Path) -> ssl.SSLContext:
    """A certificate of the cluster's own CA, for the name of its API."""
    ca = x509.load_pem_x509_certificate(state_object(f"{CLUSTER}/pki/ca.crt"))
    ca_key = serialization.load_pem_private_key(state_object(f"{CLUSTER}/pki/ca.key"), None)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(f"api.{CLUSTER}"), x509.IPAddress(ipaddress.ip_address("10.20.0.10"))])
    builder = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")]))
    builder = builder.issuer_name(ca.subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=365))
    certificate = builder.add_extension(names, critical=False).sign(ca_key, hashes.SHA256())
    file = scratch / "api-server.pem"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form) + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=ca.public_bytes(serialization.Encoding.PEM).decode())
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(file)
    return context


def serve(pipe, nodes: int, pods: int, scratch: Path) -> None:
    """In a process of its own: what the parent of a process uses counts as that process's own memory."""

    async def run() -> None:
        api, context = Api(nodes, pods), server_context(scratch)
        server = await asyncio.start_server(lambda reader, writer: api.serve(reader, writer, context), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.recv)
        pipe.send((api.requests, api.bytes))
        server.close()

    asyncio.run(run())


def main() -> None:
    kclust, scratch = sys.argv[1], Path(sys.argv[2])
    file = scratch / "workers.yaml"
    processes = multiprocessing.get_context("spawn")
    print(f"{'nodes':>6} {'pods':>6}  {'wall s':>7} {'cpu s':>6} {'MiB':>5} {'API':>4} {'MB':>5} {'AWS':>4}   kclust validate")
    for nodes, pods in SIZES:
        file.write_text(spec(nodes - SLOTS))
        Run(kclust, "create" if nodes == SIZES[0][0] else "update", "-f", str(file), "--yes", "-q")
        pipe, theirs = processes.Pipe()
        server = processes.Process(target=serve, args=(theirs, nodes, pods, scratch))
        server.start()
        proxy = f"http://127.0.0.1:{pipe.recv()}"
        run = Run(kclust, "validate", CLUSTER, "-q", "-o", "json", code=3, HTTPS_PROXY=proxy)
        pipe.send("done")
        requests, sent = pipe.recv()
        server.join()
        if requests["/api/v1/nodes"] != -(-nodes // 500):
            sys.exit(f"the nodes were asked for {requests['/api/v1/nodes']} times")
        calls, asked = sum(run.calls.values()), sum(requests.values())
        print(f"{nodes:>6} {pods:>6}  {run.wall:>7.2f} {run.cpu:>6.2f} {run.memory:>5.0f} {asked:>4} {sent / 1e6:>5.1f} {calls:>4}")


if __name__ == "__main__":
    main()
