"""The process, its HTTP, its accounts and its control API."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import unittest
from contextlib import suppress
from pathlib import Path

from botocore.exceptions import HTTPClientError

from .support import TESTS, AwsTest, eventually, shared_port, start


class Process(unittest.TestCase):
    def ends(self, process: subprocess.Popen) -> bool:
        return eventually(lambda: process.poll() is not None)

    def test_ends_when_standard_input_closes(self):
        process, _ = start("--cold")
        process.stdin.close()
        self.assertTrue(self.ends(process))

    def test_ends_at_once_on_sigterm(self):
        process, _ = start("--cold")
        process.send_signal(signal.SIGTERM)
        self.assertTrue(self.ends(process))
        process.stdin.close()

    def test_ends_on_sigint_while_it_starts(self):
        process = subprocess.Popen(
            [sys.executable, "-m", "emulator"],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Whoever runs the tests in the background of a shell has it ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        process.send_signal(signal.SIGINT)
        self.assertTrue(self.ends(process))

    def test_ends_when_its_parent_is_killed(self):
        """The parent is a process between: it starts the emulator and sleeps until it is killed."""
        between = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import subprocess, sys, time\n"
                "child = subprocess.Popen([sys.executable, '-m', 'emulator', '--cold', '--watch-parent'],"
                " stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)\n"
                "child.stderr.readline()\n"
                "print(child.pid, flush=True)\n"
                "time.sleep(600)\n",
            ],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            stdout=subprocess.PIPE,
            text=True,
        )
        emulator = int(between.stdout.readline())
        self.assertTrue(_alive(emulator))
        between.kill()
        between.communicate()
        self.assertTrue(eventually(lambda: not _alive(emulator)))

    def test_listens_on_loopback_only(self):
        inode_rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
        listening = [row.split()[1] for row in inode_rows if row.split()[3] == "0A"]
        ours = [address for address in listening if int(address.split(":")[1], 16) == shared_port()]
        self.assertEqual([address.split(":")[0] for address in ours], ["0100007F"])


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Http(AwsTest):
    def scope(self, service: str, account: str | None = None) -> dict:
        scope = f"AKIA{account or self.account}TEST/20260101/us-east-1/{service}/aws4_request"
        return {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, Signature=0",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def test_keeps_connections_alive(self):
        connection = http.client.HTTPConnection("127.0.0.1", shared_port())
        sockets = set()
        for _ in range(3):
            connection.request("POST", "/", "Version=2011-06-15&Action=GetCallerIdentity", self.scope("sts"))
            answer = connection.getresponse()
            self.assertIn(self.account.encode(), answer.read())
            sockets.add(id(connection.sock))
        self.assertNotIn(id(None), sockets)
        self.assertEqual(len(sockets), 1)
        connection.close()

    def test_reads_chunked_bodies_and_waits_for_nobody_who_expects_100(self):
        connection = http.client.HTTPConnection("127.0.0.1", shared_port())
        self.s3.create_bucket(Bucket=f"chunks-{self.account}")
        connection.request(
            "PUT",
            f"/chunks-{self.account}/key",
            iter([b"one ", b"two"]),
            {**self.scope("s3"), "Content-Type": "text/plain", "Expect": "100-continue"},
            encode_chunked=True,
        )
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        self.assertEqual(self.s3.get_object(Bucket=f"chunks-{self.account}", Key="key")["Body"].read(), b"one two")

    def test_unsigned_requests_are_refused(self):
        connection = http.client.HTTPConnection("127.0.0.1", shared_port())
        connection.request("POST", "/", "Action=DescribeVpcs&Version=2016-11-15")
        answer = connection.getresponse()
        self.assertEqual((answer.status, b"MissingAuthenticationToken" in answer.read()), (403, True))
        connection.close()

    def test_request_id_is_the_same_in_header_body_and_log(self):
        connection = http.client.HTTPConnection("127.0.0.1", shared_port())
        connection.request("POST", "/", "Version=2016-11-15&Action=DescribeVpcs", self.scope("ec2"))
        answer = connection.getresponse()
        request_id, body = answer.getheader("x-amzn-RequestId"), answer.read().decode()
        self.assertIn(f"<requestId>{request_id}</requestId>", body)
        self.assertEqual(self.control("GET", "calls")[0]["request_id"], request_id)
        connection.close()

    def never_answered(self):
        """A call that the emulator takes ten minutes for: it ends with the emulator."""
        with suppress(HTTPClientError):
            self.ec2.describe_vpcs()

    def test_concurrent_requests(self):
        """A slow call of one account does not hold up another account's, nor fast ones of its own."""
        self.control("PUT", "faults", [{"service": "ec2", "action": "DescribeVpcs", "latency_ms": 600_000}])
        threading.Thread(target=self.never_answered, daemon=True).start()
        self.assertTrue(eventually(lambda: len(self.control("GET", "calls")) == 1))
        self.ec2.describe_subnets()
        self.client("ec2", account="999999999901").describe_vpcs()
        self.assertIsNone(self.control("GET", "calls")[0]["end"])


class Accounts(AwsTest):
    def test_account_of_access_key(self):
        identity = self.sts.get_caller_identity()
        self.assertEqual(identity["Account"], self.account)
        self.assertEqual(identity["Arn"], f"arn:aws:iam::{self.account}:user/operator")
        other = self.client("sts", key="AKIAIOSFODNN7EXAMPLE").get_caller_identity()
        self.assertEqual(other["Account"], "123456789012")

    def test_accounts_do_not_see_each_other(self):
        vpc = self.vpc()
        other = self.client("ec2", account="999999999902")
        self.assertNotIn(vpc, [found["VpcId"] for found in other.describe_vpcs()["Vpcs"]])
        self.route53.create_hosted_zone(Name="example.com", CallerReference="a")
        self.assertEqual(self.client("route53", account="999999999902").list_hosted_zones()["HostedZones"], [])

    def test_expired_credentials(self):
        for service, method, code, status in (
            ("ec2", "describe_vpcs", "RequestExpired", 400),
            ("sts", "get_caller_identity", "ExpiredToken", 403),
            ("iam", "list_roles", "ExpiredToken", 403),
            ("s3", "list_buckets", "ExpiredToken", 400),
            ("autoscaling", "describe_auto_scaling_groups", "ExpiredToken", 403),
            ("elbv2", "describe_load_balancers", "ExpiredToken", 403),
        ):
            with self.subTest(service):
                self.refused(code, getattr(self.client(service, key="AKIAEXPIRED000000000"), method), status)

    def test_unknown_credentials(self):
        for service, method, code, status in (
            ("ec2", "describe_vpcs", "AuthFailure", 401),
            ("sts", "get_caller_identity", "InvalidClientTokenId", 403),
            ("iam", "list_roles", "InvalidClientTokenId", 403),
            ("s3", "list_buckets", "InvalidAccessKeyId", 403),
            ("autoscaling", "describe_auto_scaling_groups", "InvalidClientTokenId", 403),
            ("elbv2", "describe_load_balancers", "InvalidClientTokenId", 403),
        ):
            with self.subTest(service):
                self.refused(code, getattr(self.client(service, key="AKIAINVALID000000000"), method), status)


class ControlApi(AwsTest):
    def test_calls_in_order_with_their_times(self):
        self.ec2.describe_vpcs()
        self.refused("InvalidVpcID.NotFound", self.ec2.delete_vpc, VpcId="vpc-00000000000000000")
        self.s3.list_buckets()
        calls = self.control("GET", "calls")
        self.assertEqual(
            [(call["n"], call["service"], call["action"], call["status"], call["code"]) for call in calls],
            [
                (1, "ec2", "DescribeVpcs", 200, None),
                (2, "ec2", "DeleteVpc", 400, "InvalidVpcID.NotFound"),
                (3, "s3", "ListBuckets", 200, None),
            ],
        )
        self.assertTrue(all(call["start"] < call["end"] for call in calls))
        self.control("DELETE", "calls")
        self.assertEqual(self.control("GET", "calls"), [])

    def test_actions_of_rest_services_have_their_names(self):
        self.s3.create_bucket(Bucket=f"names-{self.account}")
        self.s3.put_bucket_versioning(Bucket=f"names-{self.account}", VersioningConfiguration={"Status": "Enabled"})
        self.s3.list_object_versions(Bucket=f"names-{self.account}")
        zone = self.route53.create_hosted_zone(Name="example.com", CallerReference="a")["HostedZone"]["Id"]
        self.route53.list_resource_record_sets(HostedZoneId=zone)
        self.ssm.get_parameters(Names=["/nothing"])
        self.assertEqual(
            [call["action"] for call in self.control("GET", "calls")],
            [
                "CreateBucket",
                "PutBucketVersioning",
                "ListObjectVersions",
                "CreateHostedZone",
                "ListResourceRecordSets",
                "GetParameters",
            ],
        )

    def test_faults_before_the_effect(self):
        rule = {
            "service": "ec2",
            "action": "CreateVpc",
            "status": 503,
            "code": "RequestLimitExceeded",
            "times": 1,
            "skip": 1,
        }
        self.control("PUT", "faults", [rule])
        self.vpc()
        self.refused("RequestLimitExceeded", self.vpc, 503)
        self.vpc()
        self.assertEqual(len(self.world()["regions"]["us-east-1"]["vpcs"]), 2)

    def test_fault_after_the_effect(self):
        rule = {
            "service": "ec2",
            "action": "CreateVpc",
            "status": 500,
            "code": "InternalError",
            "where": "after",
            "times": 1,
        }
        self.control("PUT", "faults", [rule])
        self.refused("InternalError", self.vpc, 500)
        self.assertEqual(len(self.world()["regions"]["us-east-1"]["vpcs"]), 1)

    def test_faults_speak_each_service_language(self):
        self.control("PUT", "faults", [{"status": 403, "code": "AccessDenied", "message": "not you"}])
        for service, method, arguments in (
            ("ec2", "describe_vpcs", {}),
            ("iam", "list_roles", {}),
            ("autoscaling", "describe_auto_scaling_groups", {}),
            ("elbv2", "describe_load_balancers", {}),
            ("s3", "list_buckets", {}),
            ("route53", "list_hosted_zones", {}),
            ("ssm", "get_parameters", {"Names": ["/a"]}),
        ):
            with self.subTest(service):
                error = self.refused("AccessDenied", getattr(self.client(service), method), 403, **arguments)
                self.assertEqual(error.response["Error"]["Message"], "not you")
                self.assertTrue(error.response["ResponseMetadata"]["RequestId"])

    def test_latency(self):
        self.control("PUT", "faults", [{"service": "sts", "latency_ms": 200}])
        self.sts.get_caller_identity()
        call = self.control("GET", "calls")[0]
        self.assertGreaterEqual(call["end"] - call["start"], 0.2)

    def test_unimplemented_actions_and_filters_are_501_and_noted(self):
        self.refused("NotImplemented", self.autoscaling.start_instance_refresh, 501, AutoScalingGroupName="a")
        self.refused(
            "NotImplemented",
            self.ec2.describe_vpcs,
            501,
            Filters=[{"Name": "ipv6-cidr-block-association.state", "Values": ["a"]}],
        )
        defects = self.control("GET", "defects")
        self.assertEqual([defect["action"] for defect in defects], ["StartInstanceRefresh", "DescribeVpcs"])
        self.assertIn("ipv6-cidr-block-association.state", defects[1]["message"])

    def test_small_pages(self):
        for number in range(5):
            self.vpc(f"10.{number}.0.0/16")
        self.control("PUT", "page-size", 2)
        pages = list(self.ec2.get_paginator("describe_vpcs").paginate())
        self.assertEqual([len(page["Vpcs"]) for page in pages], [2, 2, 2])  # with the default VPC

    def test_reset_forgets_the_account_and_no_other(self):
        self.vpc()
        self.s3.create_bucket(Bucket=f"reset-{self.account}")
        other = self.client("ec2", account="999999999903")
        kept = other.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.control("POST", "reset")
        self.assertEqual(self.world(), {"iam": {}, "regions": {}, "route53": {}, "s3": {}})
        self.assertIn(kept, [vpc["VpcId"] for vpc in other.describe_vpcs()["Vpcs"]])
        self.client("s3", account="999999999903").create_bucket(Bucket=f"reset-{self.account}")

    def test_malformed_requests_to_the_control_api(self):
        connection = http.client.HTTPConnection("127.0.0.1", shared_port())
        for method, path, body, status in (
            ("GET", "/_emulator/nothing", None, 404),
            ("PUT", "/_emulator/faults", '[{"colour": "red"}]', 400),
            ("PUT", "/_emulator/faults", '[{"where": "between"}]', 400),
            ("POST", "/_emulator/seed", '{"what": "trees"}', 400),
        ):
            connection.request(method, path, body)
            answer = connection.getresponse()
            self.assertEqual(answer.status, status, path)
            self.assertIn("error", json.loads(answer.read()))
        connection.close()


class World(AwsTest):
    def test_looking_leaves_no_trace(self):
        empty = self.world()
        self.ec2.describe_vpcs()
        self.client("ec2", region="eu-west-1").describe_subnets()
        self.iam.list_roles()
        self.assertEqual(self.world(), empty)

    def test_a_changed_default_network_is_seen(self):
        empty = self.world()
        subnets = self.ec2.describe_subnets()["Subnets"]
        self.ec2.create_tags(Resources=[subnets[0]["SubnetId"]], Tags=[{"Key": "a", "Value": "b"}])
        changed = self.world()
        self.assertNotEqual(changed, empty)
        self.ec2.delete_tags(Resources=[subnets[0]["SubnetId"]], Tags=[{"Key": "a"}])
        self.assertEqual(self.world(), empty)
        self.ec2.delete_subnet(SubnetId=subnets[0]["SubnetId"])
        self.assertNotEqual(self.world(), empty)

    def test_what_is_made_is_seen_and_what_is_deleted_is_not(self):
        empty = self.world()
        vpc = self.vpc()
        full = self.world()
        self.assertEqual(list(full["regions"]["us-east-1"]["vpcs"]), [vpc])
        self.ec2.delete_vpc(VpcId=vpc)
        self.assertEqual(self.world(), empty)

    def test_buckets_and_their_content_are_part_of_it(self):
        bucket = f"world-{self.account}"
        self.s3.create_bucket(Bucket=bucket)
        self.s3.put_object(Bucket=bucket, Key="a", Body=b"b")
        shown = self.world()["s3"][bucket]
        self.assertEqual(list(shown["keys"]), ["a"])
        self.assertEqual(shown["encryption"], {"SSEAlgorithm": "AES256", "BucketKeyEnabled": False})
        self.s3.delete_object(Bucket=bucket, Key="a")
        self.s3.delete_bucket(Bucket=bucket)
        self.assertEqual(self.world()["s3"], {})

    def test_tags_are_part_of_it(self):
        vpc = self.vpc()
        before = self.world()
        self.ec2.create_tags(Resources=[vpc], Tags=[{"Key": "owner", "Value": "me"}])
        self.assertNotEqual(self.world(), before)
