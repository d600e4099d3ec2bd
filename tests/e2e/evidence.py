"""What is kept of a scenario that failed, before its region is taken away."""

import contextlib
import os
import pathlib
import shutil

from .lab import RUN, STATE_BUCKET, run


def keep_evidence(lab, name):
    """Journals of the machines, those that are gone too, and the objects that nodes write, as far as they can be had.

    Returns the directory, which is below the build directory.
    """
    directory = pathlib.Path(os.environ["KCLUST_E2E_EVIDENCE"]) / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    with contextlib.suppress(Exception):
        keep_objects(lab, directory)
    for machine in sorted((RUN / "instances").glob("*")):
        with contextlib.suppress(Exception):
            journal = lab.console(machine.name, "journalctl", "--no-pager", "--output", "short-precise", timeout=60).stdout
            (directory / f"{machine.name}.journal").write_text(journal)
    for machine in sorted((RUN / "logs").glob("*")):
        with contextlib.suppress(Exception):
            journal = run("journalctl", "--no-pager", "--output", "short-precise", "--directory", machine / "var-log/journal").stdout
            (directory / f"{machine.name}.gone.journal").write_text(journal)
    for log in RUN.glob("*.log"):
        with contextlib.suppress(OSError):
            shutil.copy(log, directory)
    return directory


def keep_objects(lab, directory):
    s3 = lab.aws("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=STATE_BUCKET):
        for entry in page.get("Contents", []):
            # Keys and credentials stay where they are.
            if "/pki/" in entry["Key"] or entry["Key"].endswith(".kubeconfig") or "/backups/" in entry["Key"]:
                continue
            path = directory / "state" / entry["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(s3.get_object(Bucket=STATE_BUCKET, Key=entry["Key"])["Body"].read())
