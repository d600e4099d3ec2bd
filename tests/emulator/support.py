"""What the emulator's own tests share: one emulator process for all of them, and an account for each."""

import atexit
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from functools import cache
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from . import accounts

TESTS = Path(__file__).resolve().parent.parent
START_DEADLINE_S = 60

# The clients of this session are made once and sign with the key of the test that runs: making one takes longer than
# most tests.
_session = boto3.Session(aws_access_key_id="set-by-each-test", aws_secret_access_key="any")
_account_numbers = itertools.count(1)


def start(*arguments: str, stdin=subprocess.PIPE) -> tuple[subprocess.Popen, int]:
    """An emulator process and the port that it has announced."""
    port_file = Path(tempfile.mkdtemp(prefix="emulator-")) / "port"
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator", "--port-file", str(port_file), *arguments],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdin=stdin,
        stderr=subprocess.DEVNULL,
    )
    if (
        not eventually(lambda: port_file.exists() or process.poll() is not None, START_DEADLINE_S)
        or process.poll() is not None
    ):
        process.kill()
        raise RuntimeError("the emulator did not start")
    port = int(port_file.read_text())
    port_file.unlink()
    port_file.parent.rmdir()
    return process, port


def eventually(condition, deadline_s: float = 10) -> bool:
    """Waits for a condition, which is looked at often; says whether it came true."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


@cache
def shared_port() -> int:
    process, port = start()
    atexit.register(process.communicate)  # closes its standard input, at which it ends
    return port


@cache
def _client(service: str, region: str, key: str | None):
    own_key = {"aws_access_key_id": key, "aws_secret_access_key": "any"} if key else {}
    return _session.client(
        service,
        region_name=region,
        endpoint_url=f"http://127.0.0.1:{shared_port()}",
        config=Config(retries={"max_attempts": 0}),
        **own_key,
    )


def tags(kind: str, **given: str) -> list[dict]:
    """A TagSpecifications argument."""
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in given.items()]}]


class AwsTest(unittest.TestCase):
    """A test with an account of its own."""

    region = "us-east-1"

    def setUp(self):
        self.account = f"{next(_account_numbers):012}"
        _session.get_credentials().access_key = accounts.access_key_of(self.account)

    def client(self, service: str, region: str | None = None, account: str | None = None, key: str | None = None):
        if account:
            key = accounts.access_key_of(account)
        return _client(service, region or self.region, key)

    def __getattr__(self, name: str):
        """`self.ec2` is a client of EC2, and so on."""
        if name in ("ec2", "autoscaling", "elb", "elbv2", "iam", "route53", "s3", "service-quotas", "ssm", "sts"):
            setattr(self, name, self.client(name))
            return getattr(self, name)
        raise AttributeError(name)

    def control(self, method: str, path: str, document=None):
        separator = "&" if "?" in path else "?"
        request = urllib.request.Request(
            f"http://127.0.0.1:{shared_port()}/_emulator/{path}{separator}account={self.account}",
            method=method,
            data=None if document is None else json.dumps(document).encode(),
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def world(self) -> dict:
        return self.control("GET", "world")

    def refused(self, code: str, call, status: int | None = None, **arguments) -> ClientError:
        """Asserts that AWS refuses the call with this code."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        answer = caught.exception.response
        self.assertEqual(answer["Error"]["Code"], code, answer["Error"].get("Message"))
        if status:
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], status)
        return caught.exception

    # Building blocks

    def vpc(self, cidr: str = "10.0.0.0/16") -> str:
        return self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]

    def subnet(self, vpc: str, cidr: str = "10.0.0.0/24", zone: str = "us-east-1a") -> str:
        return self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]

    def gateway(self, vpc: str) -> str:
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        return gateway

    def group(self, vpc: str, name: str = "nodes") -> str:
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]

    def interface(self, subnet: str, **arguments) -> str:
        return self.ec2.create_network_interface(SubnetId=subnet, **arguments)["NetworkInterface"]["NetworkInterfaceId"]

    def image(self, architecture: str = "amd64", version: str = "24.04") -> str:
        name = f"/aws/service/canonical/ubuntu/server/{version}/stable/current/{architecture}/hvm/ebs-gp3/ami-id"
        return self.ssm.get_parameter(Name=name)["Parameter"]["Value"]

    def template(self, name: str = "nodes", **data) -> str:
        data = {"ImageId": self.image(), "InstanceType": "m6i.large", **data}
        created = self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
        return created["LaunchTemplate"]["LaunchTemplateId"]

    def profile(self, name: str = "nodes", **arguments) -> str:
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), **arguments)
        self.iam.create_instance_profile(InstanceProfileName=name, **arguments)
        self.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        return name
