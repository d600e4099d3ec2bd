"""New things that are not visible yet, and listings that are behind.

The times are so long that a new thing is as good as never visible; that it becomes visible in the end is asked of short
ones.
"""

import time

from .faults.visibility import Visibility
from .support import AwsTest, eventually
from .test_iam import TRUST

LONG = 100_000


class Consistency(AwsTest):
    def conditions(self, **conditions) -> None:
        self.control("PUT", "conditions", conditions)


class Invisible(Consistency):
    def test_by_id_in_use_and_in_listings(self):
        self.conditions(invisible_seconds=LONG)
        vpc = self.vpc()
        self.refused("InvalidVpcID.NotFound", self.ec2.describe_vpcs, VpcIds=[vpc])
        self.refused("InvalidVpcID.NotFound", lambda: self.subnet(vpc))
        self.refused("InvalidVpcID.NotFound", self.ec2.create_tags, Resources=[vpc], Tags=[{"Key": "a", "Value": "b"}])
        self.refused("InvalidVpcID.NotFound", self.ec2.delete_vpc, VpcId=vpc)
        self.assertNotIn(vpc, [found["VpcId"] for found in self.ec2.describe_vpcs()["Vpcs"]])
        faults = [call["fault"] for call in self.control("GET", "calls")]
        self.assertEqual(faults, [None, "invisible", "invisible", "invisible", "invisible", None])
        self.conditions()
        self.ec2.describe_vpcs(VpcIds=[vpc])

    def test_it_ends_by_itself(self):
        self.conditions(invisible_seconds=0.3)
        vpc = self.vpc()
        shown = lambda: vpc in [found["VpcId"] for found in self.ec2.describe_vpcs()["Vpcs"]]  # noqa: E731
        self.assertTrue(eventually(shown))

    def test_it_flickers(self):
        """Half-way, a thing is as often visible as not."""
        visibility = Visibility(LONG, seed=1)
        visibility._made["vpc", "vpc-1"] = time.monotonic() - LONG / 2
        self.assertEqual({len(visibility.hidden()) for _ in range(100)}, {0, 1})

    def test_what_was_there_before_is_there(self):
        vpc = self.vpc()
        self.conditions(invisible_seconds=LONG)
        subnet = self.subnet(vpc)
        self.ec2.describe_vpcs(VpcIds=[vpc])
        self.refused("InvalidSubnetID.NotFound", self.ec2.delete_subnet, SubnetId=subnet)

    def test_a_thing_that_an_answer_only_mentions_is_not_new(self):
        vpc = self.vpc()
        subnet = self.subnet(vpc)
        self.conditions(invisible_seconds=LONG)
        created = self.ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]
        self.assertEqual(created["VpcId"], vpc)
        self.ec2.describe_vpcs(VpcIds=[vpc])
        self.refused("NatGatewayNotFound", self.ec2.delete_nat_gateway, NatGatewayId=created["NatGatewayId"])

    def test_iam(self):
        self.conditions(invisible_seconds=LONG)
        self.iam.create_role(RoleName="a", AssumeRolePolicyDocument=TRUST)
        self.refused("NoSuchEntity", self.iam.get_role, 404, RoleName="a")
        self.refused("EntityAlreadyExists", self.iam.create_role, RoleName="a", AssumeRolePolicyDocument=TRUST)
        self.assertEqual(self.iam.list_roles()["Roles"], [])

    def test_load_balancers(self):
        subnet = self.subnet(self.vpc())
        self.conditions(invisible_seconds=LONG)
        arguments = {"Name": "api", "Type": "network", "Scheme": "internal", "Subnets": [subnet]}
        created = self.elbv2.create_load_balancer(**arguments)["LoadBalancers"][0]["LoadBalancerArn"]
        self.assertEqual(created, self.elbv2.create_load_balancer(**arguments)["LoadBalancers"][0]["LoadBalancerArn"])
        self.assertEqual(self.elbv2.describe_load_balancers()["LoadBalancers"], [])
        for arguments in ({"Names": ["api"]}, {"LoadBalancerArns": [created]}):
            self.refused("LoadBalancerNotFound", self.elbv2.describe_load_balancers, **arguments)

    def test_launch_templates(self):
        subnet = self.subnet(self.vpc())
        self.conditions(invisible_seconds=LONG)
        template = self.template()
        self.refused(
            "ValidationError",
            self.autoscaling.create_auto_scaling_group,
            AutoScalingGroupName="nodes",
            MinSize=0,
            MaxSize=0,
            VPCZoneIdentifier=subnet,
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        )
        self.assertEqual(self.ec2.describe_launch_templates()["LaunchTemplates"], [])
        self.refused(
            "InvalidLaunchTemplateName.NotFoundException",
            self.ec2.describe_launch_templates,
            LaunchTemplateNames=["nodes"],
        )

    def test_zones(self):
        self.conditions(invisible_seconds=LONG)
        zone = self.route53.create_hosted_zone(Name="example.com", CallerReference="a")["HostedZone"]["Id"]
        self.refused("NoSuchHostedZone", self.route53.get_hosted_zone, 404, Id=zone)
        self.assertEqual(self.route53.list_hosted_zones()["HostedZones"], [])
        self.assertEqual(self.route53.list_hosted_zones_by_name()["HostedZones"], [])


class Stale(Consistency):
    def listed(self) -> int:
        return len(self.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"])

    def test_a_listing_is_behind(self):
        self.conditions(stale_seconds=LONG)
        self.assertEqual(self.listed(), 0)
        self.vpc()
        self.assertEqual(self.listed(), 0)
        self.assertEqual(self.control("GET", "calls")[-1]["fault"], "stale")
        self.conditions()
        self.assertEqual(self.listed(), 1)

    def test_it_catches_up_by_itself(self):
        self.conditions(stale_seconds=0.3)
        self.assertEqual(self.listed(), 0)
        self.vpc()
        self.assertTrue(eventually(lambda: self.listed() == 1))

    def test_a_question_not_asked_before_has_no_old_answer(self):
        self.conditions(stale_seconds=LONG)
        self.vpc()
        self.assertEqual(self.listed(), 1)

    def test_s3_is_never_behind(self):
        self.conditions(stale_seconds=LONG)
        bucket = f"stale-{self.account}"
        self.s3.create_bucket(Bucket=bucket)
        self.assertEqual(self.s3.list_objects_v2(Bucket=bucket)["KeyCount"], 0)
        self.s3.put_object(Bucket=bucket, Key="a", Body=b"b")
        self.assertEqual(self.s3.list_objects_v2(Bucket=bucket)["KeyCount"], 1)
