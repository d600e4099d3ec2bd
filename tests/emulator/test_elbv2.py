"""Network load balancers."""

from .support import AwsTest


class BalancerTest(AwsTest):
    def setUp(self):
        super().setUp()
        self.network = self.vpc()
        self.subnets = [
            self.subnet(self.network, f"10.0.{number}.0/24", f"us-east-1{zone}") for number, zone in enumerate("ab")
        ]

    def balancer(self, name: str = "api", **arguments) -> dict:
        arguments = {"Type": "network", "Scheme": "internal", "Subnets": self.subnets, **arguments}
        return self.elbv2.create_load_balancer(Name=name, **arguments)["LoadBalancers"][0]

    def targets(self, name: str = "api", **arguments) -> str:
        arguments = {"Protocol": "TCP", "Port": 6443, "VpcId": self.network, "TargetType": "ip", **arguments}
        return self.elbv2.create_target_group(Name=name, **arguments)["TargetGroups"][0]["TargetGroupArn"]

    def listener(self, balancer: str, group: str, port: int = 443) -> str:
        return self.elbv2.create_listener(
            LoadBalancerArn=balancer,
            Protocol="TCP",
            Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )["Listeners"][0]["ListenerArn"]


class LoadBalancers(BalancerTest):
    def test_names_of_its_type(self):
        balancer = self.balancer()
        self.assertIn(":loadbalancer/net/api/", balancer["LoadBalancerArn"])
        self.assertRegex(balancer["DNSName"], r"^api-[0-9a-f]{16}\.elb\.us-east-1\.amazonaws\.com$")
        self.assertEqual((balancer["CanonicalHostedZoneId"], balancer["State"]["Code"]), ("Z26RNL4JYFTOTI", "active"))

    def test_same_request_same_load_balancer(self):
        first = self.balancer(Tags=[{"Key": "a", "Value": "b"}])
        again = self.balancer(Tags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(again["LoadBalancerArn"], first["LoadBalancerArn"])
        self.refused(
            "DuplicateLoadBalancerName", self.balancer, Subnets=self.subnets[:1], Tags=[{"Key": "a", "Value": "b"}]
        )
        self.assertEqual(len(self.elbv2.describe_load_balancers()["LoadBalancers"]), 1)

    def test_it_holds_interfaces_subnets_and_groups(self):
        group = self.group(self.network)
        arn = self.balancer(SecurityGroups=[group])["LoadBalancerArn"]
        held = self.ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": ["ELB net/api/*"]}])
        self.assertEqual(sorted(found["SubnetId"] for found in held["NetworkInterfaces"]), sorted(self.subnets))
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=self.subnets[0])
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=group)
        self.elbv2.delete_load_balancer(LoadBalancerArn=arn)
        self.elbv2.delete_load_balancer(LoadBalancerArn=arn)
        self.assertEqual(self.ec2.describe_network_interfaces()["NetworkInterfaces"], [])
        self.ec2.delete_subnet(SubnetId=self.subnets[0])
        self.ec2.delete_security_group(GroupId=group)

    def test_subnets(self):
        beside = self.subnet(self.network, "10.0.9.0/24", "us-east-1a")
        self.refused("InvalidConfigurationRequest", self.balancer, Subnets=[*self.subnets, beside])
        self.refused("SubnetNotFound", self.balancer, Subnets=["subnet-00000000000000000"])
        self.refused("InvalidSubnet", self.balancer, Scheme="internet-facing")
        self.gateway(self.network)
        self.balancer(Scheme="internet-facing")

    def test_subnets_change(self):
        arn = self.balancer(Subnets=self.subnets[:1])["LoadBalancerArn"]
        self.elbv2.set_subnets(LoadBalancerArn=arn, Subnets=self.subnets[1:])
        self.ec2.delete_subnet(SubnetId=self.subnets[0])
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=self.subnets[1])

    def test_deletion_protection(self):
        arn = self.balancer()["LoadBalancerArn"]
        attribute = {"Key": "deletion_protection.enabled", "Value": "true"}
        self.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[attribute])
        self.refused("OperationNotPermitted", self.elbv2.delete_load_balancer, LoadBalancerArn=arn)

    def test_attributes(self):
        arn = self.balancer()["LoadBalancerArn"]
        shown = self.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        shown = {attribute["Key"]: attribute["Value"] for attribute in shown}
        self.assertEqual(shown["dns_record.client_routing_policy"], "any_availability_zone")
        self.assertNotIn("idle_timeout.timeout_seconds", shown)
        wrong = {"Key": "idle_timeout.timeout_seconds", "Value": "60"}
        self.refused(
            "ValidationError", self.elbv2.modify_load_balancer_attributes, LoadBalancerArn=arn, Attributes=[wrong]
        )


class TargetGroups(BalancerTest):
    def test_same_request_same_group(self):
        first = self.targets()
        self.assertEqual(self.targets(), first)
        self.refused("DuplicateTargetGroupName", self.targets, Port=443)

    def test_health_check_of_a_layer_4_group(self):
        arn = self.targets(HealthCheckProtocol="HTTPS", HealthCheckPath="/readyz")
        group = self.elbv2.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
        self.assertEqual((group["HealthCheckPath"], group["Matcher"]), ("/readyz", {"HttpCode": "200-399"}))

    def test_attributes(self):
        arn = self.targets()
        shown = self.elbv2.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        self.assertIn({"Key": "preserve_client_ip.enabled", "Value": "false"}, shown)
        wrong = {"Key": "no.such.attribute", "Value": "1"}
        self.refused(
            "ValidationError", self.elbv2.modify_target_group_attributes, TargetGroupArn=arn, Attributes=[wrong]
        )

    def test_deletion(self):
        group = self.targets()
        balancer = self.balancer()["LoadBalancerArn"]
        listener = self.listener(balancer, group)
        self.refused("ResourceInUse", self.elbv2.delete_target_group, TargetGroupArn=group)
        self.elbv2.delete_listener(ListenerArn=listener)
        shown = self.elbv2.describe_target_groups(TargetGroupArns=[group])["TargetGroups"][0]
        self.assertEqual(shown["LoadBalancerArns"], [])
        self.elbv2.delete_target_group(TargetGroupArn=group)
        self.elbv2.delete_target_group(TargetGroupArn=group)

    def test_health(self):
        group = self.targets()
        interface = self.interface(self.subnets[0], PrivateIpAddress="10.0.0.10")
        self.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.10"}, {"Id": "10.0.0.11"}])

        def health():
            found = self.elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
            return [(one["TargetHealth"]["State"], one["TargetHealth"].get("Reason")) for one in found]

        self.assertEqual(health(), [("unused", "Target.NotInUse")] * 2)
        self.listener(self.balancer()["LoadBalancerArn"], group)
        failed = ("unhealthy", "Target.FailedHealthChecks")
        self.assertEqual(health(), [failed, failed])
        instance = self.ec2.run_instances(
            ImageId=self.image(),
            InstanceType="m6i.large",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": interface}],
        )["Instances"][0]["InstanceId"]
        self.assertEqual(health(), [("healthy", None), failed])
        self.ec2.stop_instances(InstanceIds=[instance])
        self.assertEqual(health(), [failed, failed])
        self.elbv2.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.11"}, {"Id": "10.0.0.99"}])
        self.assertEqual(health(), [failed])

    def test_targets_outside_the_network(self):
        group = self.targets()
        self.refused("InvalidTarget", self.elbv2.register_targets, TargetGroupArn=group, Targets=[{"Id": "10.9.0.1"}])
        self.elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.9.0.1", "AvailabilityZone": "all"}])


class Listeners(BalancerTest):
    def test_one_listener_per_port(self):
        balancer, group = self.balancer()["LoadBalancerArn"], self.targets()
        first = self.listener(balancer, group)
        self.assertEqual(self.listener(balancer, group), first)
        self.refused("DuplicateListener", self.listener, balancer=balancer, group=self.targets("other"))

    def test_one_balancer_per_target_group(self):
        group = self.targets()
        self.listener(self.balancer()["LoadBalancerArn"], group)
        other = self.balancer("other")["LoadBalancerArn"]
        self.refused("TargetGroupAssociationLimit", self.listener, balancer=other, group=group)


class Tags(BalancerTest):
    def test_twenty_known_resources_at_most(self):
        arn = self.balancer(Tags=[{"Key": "a", "Value": "b"}])["LoadBalancerArn"]
        shown = self.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        self.assertEqual(shown[0]["Tags"], [{"Key": "a", "Value": "b"}])
        self.refused("ValidationError", self.elbv2.describe_tags, ResourceArns=[arn] * 21)
        self.refused("LoadBalancerNotFound", self.elbv2.describe_tags, ResourceArns=[arn + "0"])

    def test_more_than_ten_tags(self):
        arn = self.balancer()["LoadBalancerArn"]
        self.elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
        self.refused("TooManyTags", self.elbv2.add_tags, ResourceArns=[arn], Tags=[{"Key": "one more", "Value": ""}])

    def test_pages(self):
        for number in range(3):
            self.targets(f"tg-{number}")
        pages = self.elbv2.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 2})
        self.assertEqual([len(page["TargetGroups"]) for page in pages], [2, 1])
