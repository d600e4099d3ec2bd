"""Worlds that compare equal whenever they were made, and accounts that are put aside and brought back."""

import base64
import hashlib
import json
from datetime import UTC, datetime

from .support import AwsTest, tags

CLUSTER = "demo.example.com"
OWNED = {f"kubernetes.io/cluster/{CLUSTER}": "owned"}


class CanonicalTest(AwsTest):
    def canonical(self) -> dict:
        return self.control("GET", "canonical-world")

    def owned(self, kind: str, name: str, **more: str) -> list[dict]:
        return tags(kind, **{"kclust.dev/id": name, "Name": name, **OWNED, **more})

    def network(self, backwards: bool = False) -> str:
        """A VPC with two subnets, made in one order or the other, and a group that names itself."""
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=self.owned("vpc", "Vpc/main"))["Vpc"]["VpcId"]
        for zone in ("b", "a") if backwards else ("a", "b"):
            self.ec2.create_subnet(
                VpcId=vpc,
                CidrBlock=f"10.0.{'ab'.index(zone)}.0/24",
                AvailabilityZone=f"us-east-1{zone}",
                TagSpecifications=self.owned("subnet", f"Subnet/{zone}"),
            )
        group = self.group(vpc)
        self.ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}]
        )
        return vpc

    def subnets(self) -> list[str]:
        ours = [{"Name": "tag-key", "Values": list(OWNED)}]
        return [subnet["SubnetId"] for subnet in self.ec2.describe_subnets(Filters=ours)["Subnets"]]

    def in_another_account(self) -> None:
        """From here on the test works in a second account."""
        self.setUp()


class Canonical(CanonicalTest):
    def test_ids_order_and_account_do_not_matter(self):
        self.network()
        first = self.canonical()
        self.in_another_account()
        self.network(backwards=True)
        self.assertEqual(self.canonical(), first)
        self.assertIn(f"Vpc/main of {CLUSTER}", first["regions"]["us-east-1"]["vpcs"])

    def test_a_thing_that_is_there_twice_shows(self):
        vpc = self.network()
        whole = self.canonical()
        again = self.ec2.create_subnet(
            VpcId=vpc, CidrBlock="10.0.9.0/24", TagSpecifications=self.owned("subnet", "Subnet/a")
        )
        subnets = self.canonical()["regions"]["us-east-1"]["subnets"]
        self.assertEqual(len(subnets[f"Subnet/a of {CLUSTER}"]), 2)
        self.ec2.delete_subnet(SubnetId=again["Subnet"]["SubnetId"])
        self.assertEqual(self.canonical(), whole)

    def test_a_missing_or_different_thing_shows(self):
        self.network()
        whole = self.canonical()
        subnet = self.subnets()[0]
        self.ec2.create_tags(Resources=[subnet], Tags=[{"Key": "team", "Value": "ml"}])
        self.assertNotEqual(self.canonical(), whole)
        self.ec2.delete_tags(Resources=[subnet], Tags=[{"Key": "team"}])
        self.assertEqual(self.canonical(), whole)
        self.ec2.delete_subnet(SubnetId=subnet)
        self.assertNotEqual(self.canonical(), whole)

    def test_what_refers_to_another_thing_shows(self):
        vpc = self.network()
        interfaces = []
        for subnet in sorted(self.subnets()):
            self.ec2.create_tags(Resources=[subnet], Tags=[{"Key": "asked", "Value": "yes"}])
            made = self.interface(subnet, TagSpecifications=tags("network-interface", Name="one"))
            interfaces.append(self.canonical()["regions"]["us-east-1"]["networkInterfaces"])
            self.ec2.delete_network_interface(NetworkInterfaceId=made)
        self.assertNotEqual(*interfaces)
        self.assertNotIn(vpc, json.dumps(interfaces))

    def test_user_data_is_compared_by_what_it_says(self):
        worlds = []
        for word in ("hello", "hello", "good bye"):
            vpc = self.network()
            self.template(UserData=base64.b64encode(f"{word} {vpc} {self.account}".encode()).decode())
            worlds.append(self.canonical()["regions"]["us-east-1"]["launchTemplates"])
            self.in_another_account()
        self.assertEqual(worlds[0], worlds[1])
        self.assertNotEqual(worlds[0], worlds[2])


class State(CanonicalTest):
    def state(self, **changes: bytes) -> dict:
        """The state of a cluster as kclust lays it out, in an account of its own; answers how the world shows it."""
        bucket = f"state-{self.account}"
        self.s3.create_bucket(Bucket=bucket)
        now = datetime.now(UTC).isoformat()
        secret = base64.b64encode(self.account.encode()).decode()
        bundle = json.dumps({"formatVersion": 1, "files": {"ca.key": secret}}).encode()
        boot = f"boot {bucket}".encode()
        header = {"formatVersion": 1, "sequence": 1, "at": now, "by": f"arn:aws:iam::{self.account}:user/x"}
        spec = b"# kclust.dev/state " + json.dumps(header).encode() + b"\nspec: {}\n"
        documents = {
            "cluster.yaml": spec,
            "history/000001-20260101T000000Z.yaml": spec,
            "facts.json": json.dumps({"facts": {"clusterUid": f"uid-{self.account}", "account": self.account}}).encode(),
            "ledger.json": json.dumps({"operation": "create", "startedAt": now, "finishedAt": now, "resources": []}).encode(),
            "pki/bundle.json": bundle,
            "pki/complete": hashlib.sha256(bundle).hexdigest().encode() + b"\n",
            "pki/ca.key": self.account.encode(),
            f"bootstrap/boot-{hashlib.sha256(boot).hexdigest()}.sh": boot,
            "control-plane/settings": f"boot {hashlib.sha256(boot).hexdigest()}".encode(),
            **changes,
        }
        for path, content in documents.items():
            if content is not None:
                self.s3.put_object(Bucket=bucket, Key=f"{CLUSTER}/{path}", Body=content)
        shown = self.canonical()["s3"]["state-ACCOUNT"]
        self.in_another_account()
        return shown

    def test_times_keys_and_account_do_not_matter(self):
        self.assertEqual(self.state(), self.state())

    def test_what_matters_shows(self):
        whole = self.state()
        changes = {
            "lock": b'{"operation": "create"}',
            "ledger.json": b'{"operation": "create", "finishedAt": null, "resources": []}',
            "pki/ca.key": b"of another set",
            "pki/complete": b"of another set",
            "facts.json": b'{"facts": {"clusterUid": "1", "account": "2"}}',
            "control-plane/settings": b"others",
            "cluster.yaml": b'# kclust.dev/state {"sequence": 2}\nspec: {}\n',
        }
        for path, content in changes.items():
            self.assertNotEqual(self.state(**{path: content}), whole, path)
        for path in ("pki/ca.key", "facts.json", "cluster.yaml", "ledger.json"):
            self.assertNotEqual(self.state(**{path: None}), whole, path)

    def test_the_history_holds_the_spec_in_force(self):
        self.assertEqual(self.state(**{"history/000001-20260101T000000Z.yaml": None}), self.state())

    def test_objects_that_are_gone_show(self):
        self.s3.create_bucket(Bucket=f"state-{self.account}")
        self.s3.put_bucket_versioning(Bucket=f"state-{self.account}", VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_object(Bucket=f"state-{self.account}", Key=f"{CLUSTER}/lock", Body=b"{}")
        self.s3.delete_object(Bucket=f"state-{self.account}", Key=f"{CLUSTER}/lock")
        shown = self.canonical()["s3"]["state-ACCOUNT"]
        self.assertEqual((shown["keys"], shown["gone"]), ({}, [f"{CLUSTER}/lock"]))


class Snapshots(CanonicalTest):
    def test_an_account_is_brought_back_as_often_as_one_likes(self):
        self.network()
        bucket = f"state-{self.account}"
        self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for text in (b"first", b"second"):
            self.s3.put_object(Bucket=bucket, Key="a", Body=text)
        self.zone = self.route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
        self.profile()
        before = self.world()
        self.control("POST", "snapshot", {"name": "whole"})
        for _ in range(2):
            for subnet in self.subnets():
                self.ec2.delete_subnet(SubnetId=subnet)
            self.s3.put_object(Bucket=bucket, Key="a", Body=b"third")
            self.s3.create_bucket(Bucket=f"later-{self.account}")
            self.route53.delete_hosted_zone(Id=self.zone)
            self.assertNotEqual(self.world(), before)
            self.control("POST", "restore", {"name": "whole"})
            self.assertEqual(self.world(), before)
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="a")["Body"].read(), b"second")
        versions = self.s3.list_object_versions(Bucket=bucket)["Versions"]
        self.assertEqual(len(versions), 2)
        self.s3.create_bucket(Bucket=f"later-{self.account}")

    def test_tokens_are_those_of_the_time(self):
        vpc = self.vpc()
        made = self.ec2.create_route_table(VpcId=vpc, ClientToken="early")
        self.control("POST", "snapshot", {"name": "early"})
        self.ec2.create_route_table(VpcId=vpc, ClientToken="late")
        self.control("POST", "restore", {"name": "early"})
        again = self.ec2.create_route_table(VpcId=vpc, ClientToken="early")
        self.assertEqual(again["RouteTable"]["RouteTableId"], made["RouteTable"]["RouteTableId"])
        tables = {table["RouteTableId"] for table in self.ec2.describe_route_tables()["RouteTables"]}
        late = self.ec2.create_route_table(VpcId=vpc, ClientToken="late")["RouteTable"]["RouteTableId"]
        self.assertNotIn(late, tables)
