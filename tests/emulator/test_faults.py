"""The rules of the fault layer: what happens to the calls that a rule names."""

import http.client
import signal
import subprocess
import sys
import threading
from contextlib import closing

from botocore.exceptions import ClientError, ConnectionClosedError

from .support import AwsTest, eventually, shared_port


class FaultTest(AwsTest):
    def rules(self, *rules: dict) -> None:
        self.control("PUT", "faults", list(rules))

    def calls(self) -> list[dict]:
        return self.control("GET", "calls")

    def vpcs(self) -> int:
        """How many networks there are, without a call that a rule could disturb."""
        return len(self.world()["regions"].get("us-east-1", {}).get("vpcs", {}))

    def headers(self) -> dict[str, str]:
        """Of a request to EC2 that is made without an SDK."""
        scope = f"AKIA{self.account}TEST/20260101/us-east-1/ec2/aws4_request"
        return {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, Signature=0",
            "Content-Type": "application/x-www-form-urlencoded",
        }


CREATE_VPC = "Version=2016-11-15&Action=CreateVpc&CidrBlock=10.0.0.0/16"


class WhichCalls(FaultTest):
    def test_calls_that_change_something(self):
        """The k-th change is named by skip and times, whatever is read between."""
        self.rules({"change": True, "code": "InternalError", "status": 500, "skip": 1, "times": 1})
        self.vpc()
        self.ec2.describe_vpcs()
        self.sts.get_caller_identity()
        self.refused("InternalError", self.s3.create_bucket, 500, Bucket=f"faults-{self.account}")
        self.vpc()
        self.assertEqual(
            [(call["action"], call["change"], call["fault"]) for call in self.calls()],
            [
                ("CreateVpc", True, None),
                ("DescribeVpcs", False, None),
                ("GetCallerIdentity", False, None),
                ("CreateBucket", True, "error before"),
                ("CreateVpc", True, None),
            ],
        )

    def test_each_distinct_request_is_counted_by_itself(self):
        first, second = self.vpc(), self.vpc()
        self.rules({"action": "DeleteVpc", "code": "DependencyViolation", "times": 1, "per": "request"})
        for vpc in (first, second):
            self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=vpc)
        for vpc in (first, second):
            self.ec2.delete_vpc(VpcId=vpc)
        rule = self.control("GET", "faults")[0]
        self.assertEqual((rule["seen"], rule["applied"]), (4, 2))

    def test_a_token_does_not_make_a_request_distinct(self):
        subnet = self.subnet(self.vpc())
        self.rules({"action": "CreateNatGateway", "code": "InternalError", "times": 1, "per": "request"})
        arguments = {"SubnetId": subnet, "ConnectivityType": "private"}
        self.refused("InternalError", self.ec2.create_nat_gateway, ClientToken="a", **arguments)
        self.ec2.create_nat_gateway(ClientToken="b", **arguments)

    def outcomes(self, seed: int) -> list[str | None]:
        self.control("PUT", "conditions", {"seed": seed})
        self.rules({"code": "InternalError", "probability": 0.5})
        self.control("DELETE", "calls")
        for _ in range(16):
            try:
                self.sts.get_caller_identity()
            except ClientError:
                pass
        return [call["code"] for call in self.calls()]

    def test_chance_follows_the_seed(self):
        first = self.outcomes(1)
        self.assertEqual(set(first), {None, "InternalError"})
        self.assertEqual(first, self.outcomes(1))
        self.assertNotEqual(first, self.outcomes(2))

    def test_what_a_rule_cannot_mean_is_refused(self):
        for rule in (
            {"do": "explode"},
            {"do": "error"},
            {"do": "kill"},
            {"do": "reset", "where": "answered"},
            {"do": "truncate", "where": "before"},
            {"code": "InternalError", "per": "moon"},
        ):
            with self.subTest(rule), self.assertRaisesRegex(Exception, "400"):
                self.rules(rule)


class LostAnswers(FaultTest):
    def test_reset_before_the_effect(self):
        self.rules({"action": "CreateVpc", "do": "reset"})
        with self.assertRaises(ConnectionClosedError):
            self.vpc()
        self.assertEqual(self.vpcs(), 0)

    def test_reset_after_the_effect(self):
        self.rules({"action": "CreateVpc", "do": "reset", "where": "after"})
        with self.assertRaises(ConnectionClosedError):
            self.vpc()
        self.assertEqual(self.vpcs(), 1)
        call = self.calls()[0]
        self.assertEqual((call["status"], call["code"], call["fault"]), (None, None, "reset after"))
        self.assertIsNotNone(call["end"])

    def test_a_reset_is_one(self):
        """Not an orderly end of the connection, which clients treat otherwise."""
        self.rules({"do": "reset"})
        with closing(http.client.HTTPConnection("127.0.0.1", shared_port())) as connection:
            connection.request("POST", "/", CREATE_VPC, self.headers())
            with self.assertRaises(ConnectionResetError):
                connection.sock.recv(1)

    def test_an_answer_that_breaks_off(self):
        self.rules({"action": "CreateVpc", "do": "truncate"})
        with closing(http.client.HTTPConnection("127.0.0.1", shared_port())) as connection:
            connection.request("POST", "/", CREATE_VPC, self.headers())
            with self.assertRaises(http.client.IncompleteRead):
                connection.getresponse().read()
        self.assertEqual((self.vpcs(), self.calls()[0]["fault"]), (1, "truncate after"))

    def hanging_call(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", shared_port())
        connection.request("POST", "/", CREATE_VPC, self.headers())
        self.assertTrue(eventually(lambda: self.calls() and self.calls()[0]["fault"]))
        self.assertIsNone(self.calls()[0]["end"])
        return connection

    def test_a_hanging_call_ends_when_its_client_goes_away(self):
        self.rules({"do": "hang"})
        self.hanging_call().close()
        self.assertTrue(eventually(lambda: self.calls()[0]["end"]))
        self.assertEqual(self.vpcs(), 0)

    def test_a_hanging_call_may_have_taken_effect(self):
        self.rules({"do": "hang", "where": "after"})
        with closing(self.hanging_call()):
            self.assertTrue(eventually(lambda: self.vpcs() == 1))

    def test_a_hanging_call_ends_when_its_account_is_reset(self):
        self.rules({"do": "hang"})
        with closing(self.hanging_call()) as connection:
            self.control("POST", "reset")
            self.assertEqual(connection.sock.recv(1), b"")

    def test_a_call_that_is_held_is_carried_out_when_the_rules_are_replaced(self):
        self.rules({"do": "hold", "times": 1})
        with closing(self.hanging_call()) as connection:
            self.vpc()
            self.assertEqual(self.vpcs(), 1)
            self.rules()
            self.assertEqual(connection.getresponse().status, 200)
        self.assertEqual((self.vpcs(), self.calls()[0]["fault"]), (2, "hold before"))


class OwnWords(FaultTest):
    """A rule for all services need not know their codes."""

    CALLS = (
        ("ec2", "describe_vpcs", {}),
        ("iam", "list_roles", {}),
        ("elbv2", "describe_load_balancers", {}),
        ("s3", "list_objects_v2", {"Bucket": "nobodys"}),
    )

    def codes(self, do: str) -> list[tuple[str, int]]:
        self.rules({"do": do})
        codes = []
        for service, method, arguments in self.CALLS:
            with self.assertRaises(ClientError) as caught:
                getattr(self.client(service), method)(**arguments)
            answer = caught.exception.response
            codes.append((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]))
        return codes

    def test_too_many_calls(self):
        self.assertEqual(
            self.codes("throttle"),
            [("RequestLimitExceeded", 503), ("Throttling", 400), ("ThrottlingException", 400), ("SlowDown", 503)],
        )

    def test_no_permission(self):
        denied = ("AccessDenied", 403)
        self.assertEqual(self.codes("deny"), [("UnauthorizedOperation", 403), denied, denied, denied])

    def test_expired_credentials(self):
        expired = ("ExpiredToken", 403)
        self.assertEqual(self.codes("expire"), [("RequestExpired", 400), expired, expired, ("ExpiredToken", 400)])


class Killed(FaultTest):
    """The client is a process that makes one network, tells whether it was answered, and then sleeps."""

    def client_process(self) -> subprocess.Popen:
        return subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import http.client, sys, time\n"
                "sys.stdin.readline()\n"
                f"connection = http.client.HTTPConnection('127.0.0.1', {shared_port()})\n"
                f"connection.request('POST', '/', '{CREATE_VPC}', {self.headers()})\n"
                "connection.getresponse()\n"
                "print('answered', flush=True)\n"
                "time.sleep(600)\n",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def killed(self, where: str) -> str:
        """What a client says that is killed there."""
        process = self.client_process()
        self.rules({"change": True, "do": "kill", "where": where, "pid": process.pid})
        said, _ = process.communicate("\n", timeout=60)
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.assertTrue(eventually(lambda: self.calls()[0]["end"]))
        self.assertEqual(self.calls()[0]["fault"], f"kill {where}")
        return said

    def test_before_the_effect(self):
        self.assertEqual(self.killed("before"), "")
        self.assertEqual((self.vpcs(), self.calls()[0]["status"]), (0, None))

    def test_after_the_effect(self):
        self.assertEqual(self.killed("after"), "")
        self.assertEqual((self.vpcs(), self.calls()[0]["status"]), (1, None))

    def test_once_it_is_answered(self):
        self.killed("answered")
        self.assertEqual((self.vpcs(), self.calls()[0]["status"]), (1, 200))


class Delays(FaultTest):
    def test_latency_between_bounds(self):
        self.rules({"latency_ms": [20, 40]})
        threads = [threading.Thread(target=self.sts.get_caller_identity) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = [call["end"] - call["start"] for call in self.calls()]
        self.assertEqual(len(took), 4)
        self.assertGreaterEqual(min(took), 0.02)
