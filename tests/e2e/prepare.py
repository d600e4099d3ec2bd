"""What the scenarios need in the lab's mirror and registry beyond what the lab puts there itself."""

import gzip
import io
import os
import pathlib
import re
import tarfile
import tempfile

from .lab import BIN, COMMAND, WORK, run
from .waiting import Failure

HERE = pathlib.Path(__file__).parent
MIRROR = WORK / "mirror"


def everything():
    add_etcdutl()
    add_pod_network()
    add_helm()


def add_etcdutl():
    """The release of etcd has it; the lab's archive may not."""
    (archive,) = (MIRROR / "github.com/etcd-io/etcd/releases/download").glob("*/etcd-*-linux-amd64.tar.gz")
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    directory = names[0].split("/")[0]
    if f"{directory}/etcdutl" not in names:
        programs = [(f"{directory}/{name}", BIN / name) for name in ("etcd", "etcdctl", "etcdutl")]
        replace(archive, archive_of(programs))


def add_pod_network():
    """The image of the pod network: kubectl, and the shell and tools of busybox."""
    with tempfile.TemporaryDirectory() as scratch:
        run("apt-get", "download", "busybox-static", cwd=scratch, timeout=300)
        (package,) = pathlib.Path(scratch).glob("busybox-static_*.deb")
        run("dpkg", "--extract", package, scratch)
        busybox = next(path for path in (pathlib.Path(scratch, "usr/bin/busybox"), pathlib.Path(scratch, "bin/busybox")) if path.exists())
        tools = [f"bin/{name}={busybox}" for name in ("sh", "cat", "chmod", "ip", "mv", "sleep")]
        add_image("registry.k8s.io/e2e/bridge-cni:1", f"agent={HERE}/bridge-cni/agent.sh", f"bin/kubectl={BIN}/kubectl", *tools,
                  entrypoint="/agent")  # fmt: skip


def add_image(reference, *files, entrypoint):
    run(os.environ["KCLUST_LAB_PYTHON"], COMMAND.parent / "mirror.py", "add", reference, *files, "--", entrypoint, timeout=300)


def add_helm():
    """The release of helm, where there is a helm to make it of, and a repository with one chart."""
    if not has_helm():
        return
    version = helm_version()
    replace(MIRROR / f"get.helm.sh/helm-v{version}-linux-amd64.tar.gz", archive_of([("linux-amd64/helm", BIN / "helm")]))
    repository = MIRROR / "github.com/kclust/e2e/releases/download/charts"
    repository.mkdir(parents=True, exist_ok=True)
    run(BIN / "helm", "package", HERE / "chart", "--destination", repository)
    run(BIN / "helm", "repo", "index", repository)


def has_helm():
    return (BIN / "helm").exists()


def helm_version():
    """The version that kclust asks for."""
    text = (HERE.parents[1] / "src/bootstrap/versions.yaml").read_text()
    found = re.search(r"^helm:\n(?: .*\n)*? +version: [\"']?([0-9.]+)", text, re.MULTILINE)
    if not found:
        raise Failure("src/bootstrap/versions.yaml names no version of helm")
    return found[1]


def archive_of(programs):
    """A tar archive, compressed with gzip: name in the archive and file for each program."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for name, path in programs:
            entry = tarfile.TarInfo(name)
            content = path.read_bytes()
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def replace(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.rename(path)
