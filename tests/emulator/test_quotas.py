"""Quotas: AWS's codes and default values, where a test has set any."""

from .support import AwsTest


class QuotaTest(AwsTest):
    def quotas(self, **quotas: int) -> None:
        """Names with `_` where the quotas have `-`."""
        named = {name.replace("_", "-"): value for name, value in quotas.items()}
        self.control("PUT", "conditions", {"quotas": named})

    def test_without_quotas_there_is_no_end(self):
        for number in range(7):
            self.vpc(f"10.{number}.0.0/16")

    def test_a_quota_that_is_not_set_is_raised(self):
        self.quotas(addresses=0)
        self.vpc()
        service_quotas = self.client("service-quotas")
        told = service_quotas.get_service_quota(ServiceCode="vpc", QuotaCode="L-F678F1CE")["Quota"]["Value"]
        self.assertGreater(told, 1000)

    def test_the_defaults_of_aws(self):
        self.control("PUT", "conditions", {"quotas": "default"})
        for number in range(4):  # beside the default VPC
            self.vpc(f"10.{number}.0.0/16")
        self.refused("VpcLimitExceeded", self.vpc)

    def test_some_have_no_value_but_the_default(self):
        service_quotas = self.client("service-quotas")
        addresses = {"ServiceCode": "ec2", "QuotaCode": "L-0263D0A3"}
        self.refused("NoSuchResourceException", service_quotas.get_service_quota, **addresses)
        told = service_quotas.get_aws_default_service_quota(**addresses)["Quota"]["Value"]
        self.assertEqual(told, 10_000)

    def test_an_unknown_quota_is_refused(self):
        with self.assertRaisesRegex(Exception, "400"):
            self.quotas(moons=1)

    def test_ec2(self):
        vpc = self.vpc()
        subnet = self.subnet(vpc)
        self.quotas(
            vpcs=2, addresses=0, internet_gateways=0, subnets=1, route_tables=1, security_groups=3
        )
        self.refused("VpcLimitExceeded", self.vpc)
        self.refused("AddressLimitExceeded", self.ec2.allocate_address, Domain="vpc")
        self.refused("InternetGatewayLimitExceeded", self.ec2.create_internet_gateway)
        self.refused("SubnetLimitExceeded", lambda: self.subnet(vpc, "10.0.1.0/24"))
        self.refused("RouteTableLimitExceeded", self.ec2.create_route_table, VpcId=vpc)
        self.group(vpc)
        self.refused("SecurityGroupLimitExceeded", lambda: self.group(vpc, "others"))
        self.ec2.delete_subnet(SubnetId=subnet)
        self.subnet(vpc)

    def test_nat_gateways_of_a_zone(self):
        vpc = self.vpc()
        here, there = self.subnet(vpc), self.subnet(vpc, "10.0.1.0/24", "us-east-1b")
        self.quotas(nat_gateways=1)

        def create(subnet: str) -> str:
            created = self.ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")
            return created["NatGateway"]["NatGatewayId"]

        first = create(here)
        create(there)
        self.refused("NatGatewayLimitExceeded", lambda: create(here))
        self.ec2.delete_nat_gateway(NatGatewayId=first)
        create(here)

    def run_instances(self, count: int, subnet: str, **arguments):
        return self.ec2.run_instances(
            ImageId=self.image(),
            InstanceType="m6i.large",
            MinCount=count,
            MaxCount=count,
            SubnetId=subnet,
            **arguments,
        )

    def test_vcpus(self):
        subnet = self.subnet(self.vpc())
        self.quotas(vcpus_standard=4, vcpus_spot_standard=2)
        error = self.refused("VcpuLimitExceeded", lambda: self.run_instances(3, subnet))
        self.assertIn("current vCPU limit of 4 allows", str(error))
        first = self.run_instances(2, subnet)["Instances"][0]["InstanceId"]
        self.refused("VcpuLimitExceeded", lambda: self.run_instances(1, subnet))
        spot = {"InstanceMarketOptions": {"MarketType": "spot"}}
        self.run_instances(1, subnet, **spot)
        self.refused("MaxSpotInstanceCountExceeded", lambda: self.run_instances(1, subnet, **spot))
        self.ec2.terminate_instances(InstanceIds=[first])
        self.run_instances(1, subnet)

    def test_vcpus_of_a_group(self):
        """The group is made; that it does not grow is told by its activities."""
        subnet = self.subnet(self.vpc())
        self.template()
        self.quotas(vcpus_standard=4)
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="nodes",
            MinSize=3,
            MaxSize=3,
            VPCZoneIdentifier=subnet,
            LaunchTemplate={"LaunchTemplateName": "nodes", "Version": "1"},
        )
        group = self.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
        self.assertEqual(len(group["Instances"]), 2)
        failed = self.autoscaling.describe_scaling_activities(AutoScalingGroupName="nodes")["Activities"][0]
        self.assertEqual(failed["StatusCode"], "Failed")
        self.assertIn("You have requested more vCPU capacity", failed["StatusMessage"])

    def test_load_balancers(self):
        subnet = self.subnet(self.vpc())
        self.quotas(network_load_balancers=1, target_groups=0)
        arguments = {"Type": "network", "Scheme": "internal", "Subnets": [subnet]}
        self.elbv2.create_load_balancer(Name="a", **arguments)
        self.elbv2.create_load_balancer(Name="a", **arguments)
        self.refused("TooManyLoadBalancers", self.elbv2.create_load_balancer, Name="b", **arguments)
        self.refused("TooManyTargetGroups", self.elbv2.create_target_group, Name="a")

    def test_other_services(self):
        self.template()
        subnet = self.subnet(self.vpc())
        self.quotas(auto_scaling_groups=0, roles=0, instance_profiles=0, hosted_zones=0)
        self.refused(
            "LimitExceeded",
            self.autoscaling.create_auto_scaling_group,
            AutoScalingGroupName="nodes",
            MinSize=0,
            MaxSize=0,
            VPCZoneIdentifier=subnet,
            LaunchTemplate={"LaunchTemplateName": "nodes", "Version": "1"},
        )
        self.refused("LimitExceeded", self.iam.create_role, 409, RoleName="a", AssumeRolePolicyDocument="{}")
        self.refused("LimitExceeded", self.iam.create_instance_profile, 409, InstanceProfileName="a")
        self.refused(
            "TooManyHostedZones", self.route53.create_hosted_zone, 400, Name="example.com", CallerReference="a"
        )
