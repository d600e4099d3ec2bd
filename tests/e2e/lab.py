"""The lab: a fake EC2 region whose instances boot. Where it is, the environment says; see README.md beside this file."""

import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

import boto3

from .waiting import Failure

COMMAND = pathlib.Path(os.environ["KCLUST_LAB"]) / "lab"
BIN = pathlib.Path(os.environ["KCLUST_LAB_BIN"])
WORK = pathlib.Path(os.environ["KCLUST_LAB_WORK"])
RUN = WORK / "run"
KCLUST = os.environ["KCLUST"]
STATE_BUCKET = "e2e-state"


def run(*command, timeout=120, check=True, **options):
    """Runs a command that must end in time, and, unless told otherwise, well."""
    result = subprocess.run(command, text=True, capture_output=True, timeout=timeout, **options)
    if check and result.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))[:200]}: exit status {result.returncode}: {(result.stderr or result.stdout)[-2000:]}")
    return result


class Lab:
    """A region, from `up` to `down`, and a directory for files that are needed that long."""

    def up(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="kclust-e2e-"))
        exports = run(COMMAND, "up", timeout=300).stdout
        self.environment = dict(line.removeprefix("export ").split("=", 1) for line in exports.splitlines() if line.startswith("export "))

    def down(self):
        shutil.rmtree(self.scratch, ignore_errors=True)
        run(COMMAND, "down", timeout=300)

    def is_up(self):
        return RUN.exists()

    @functools.lru_cache
    def aws(self, service):
        return boto3.client(
            service,
            region_name=self.environment["AWS_REGION"],
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def kclust(self, *arguments, timeout=300, check=True, more=None):
        environment = {**os.environ, **self.environment, "KCLUST_STATE": f"s3://{STATE_BUCKET}", **(more or {})}
        return run(KCLUST, *arguments, timeout=timeout, check=check, env=environment)

    def console(self, instance, *command, timeout=60, check=True, **options):
        """Runs a command in a machine."""
        return run(COMMAND, "console", instance, *command, timeout=timeout, check=check, **options)

    def shell(self, instance, script, **options):
        return self.console(instance, "bash", "-c", script, **options).stdout

    def journal(self, instance, unit="kclust-boot"):
        return self.console(instance, "journalctl", "--no-pager", "--output", "short-precise", "--unit", unit).stdout

    def kill(self, instance):
        """Power loss, and EC2 says that the instance is terminated."""
        run(COMMAND, "kill", instance)

    def reboot(self, instance):
        """Power loss, and a boot from the same disk."""
        run(COMMAND, "reboot", instance)

    def mirror_log(self):
        """What was asked of the download mirror so far: pairs of machine's address and path."""
        words = (line.split() for line in (RUN / "edge.log").read_text().splitlines())
        return [(word[1], word[4]) for word in words if len(word) > 4 and word[3] == '"GET' and word[2] == "mirror.lab"]
