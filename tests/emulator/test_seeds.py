"""What tests can ask to be in an account beforehand."""

from .support import AwsTest, tags


class Seeds(AwsTest):
    def seed(self, what: str, **arguments) -> dict:
        return self.control("POST", "seed", {"what": what, **arguments})

    def test_existing_vpc(self):
        self.seed("existing-vpc")
        ec2 = self.client("ec2", region="eu-west-1")
        vpc = ec2.describe_vpcs(VpcIds=["vpc-0123456789abcdef0"])["Vpcs"][0]
        self.assertEqual(vpc["CidrBlock"], "10.0.0.0/16")
        for attribute in ("enableDnsSupport", "enableDnsHostnames"):
            shown = ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=attribute)
            self.assertTrue(shown[attribute[0].upper() + attribute[1:]]["Value"])
        ids = ["subnet-0aaaaaaaaaaaaaaa1", "subnet-0aaaaaaaaaaaaaaa2", "subnet-0aaaaaaaaaaaaaaa3"]
        subnets = ec2.describe_subnets(SubnetIds=ids)["Subnets"]
        self.assertEqual([subnet["AvailabilityZone"] for subnet in subnets], ["eu-west-1a", "eu-west-1b", "eu-west-1c"])
        self.assertTrue(all(subnet["CidrBlock"].endswith("/20") for subnet in subnets))
        tables = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": ids}])["RouteTables"]
        gateways = {route["NatGatewayId"] for table in tables for route in table["Routes"] if "NatGatewayId" in route}
        self.assertEqual((len(tables), len(gateways)), (3, 3))
        for profile in ("k8s-control-plane", "k8s-node"):
            found = self.iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]
            self.assertEqual(len(found["Roles"]), 1)
        zones = self.route53.list_hosted_zones_by_vpc(VPCId=vpc["VpcId"], VPCRegion="eu-west-1")["HostedZoneSummaries"]
        self.assertEqual([zone["Name"] for zone in zones], ["internal.example.com."])

    def test_zone(self):
        public = self.seed("zone", name="example.com")["zone"]
        self.assertFalse(self.route53.get_hosted_zone(Id=public)["HostedZone"]["Config"]["PrivateZone"])
        private = self.seed("zone", name="example.com", private=True, region="us-east-1", vpc=self.vpc())["zone"]
        self.assertTrue(self.route53.get_hosted_zone(Id=private)["HostedZone"]["Config"]["PrivateZone"])

    def test_decoys_look_like_the_cluster_and_are_not(self):
        self.seed("zone", name="example.com")
        made = self.seed("decoys", region="us-east-1", cluster="prod.example.com")
        vpcs = self.ec2.describe_vpcs(
            Filters=[{"Name": "tag-key", "Values": ["kubernetes.io/cluster/*prod.example.com*"]}]
        )
        self.assertEqual(len(vpcs["Vpcs"]), 2)
        own = self.ec2.describe_vpcs(Filters=[{"Name": "tag:kubernetes.io/cluster/prod.example.com", "Values": ["*"]}])
        self.assertEqual(own["Vpcs"], [])
        self.assertEqual(made["record"], "api.xprod.example.com")
        world = self.world()["regions"]["us-east-1"]
        for kind in ("autoScalingGroups", "loadBalancers", "volumes", "launchTemplates", "instances", "natGateways"):
            self.assertGreaterEqual(len(world[kind]), 2, kind)
        self.assertEqual(len(self.route53.list_hosted_zones()["HostedZones"]), 1)
        self.assertEqual(self.control("GET", "calls")[0]["action"], "DescribeVpcs", "seeds are not in the log")

    def test_decoys_for_a_long_name_without_a_zone(self):
        self.seed("decoys", region="eu-west-1", cluster=f"{'long-' * 12}name.k8s.local")
        self.assertEqual(len(self.route53.list_hosted_zones()["HostedZones"]), 1)

    def test_many_foreign(self):
        self.seed("many-foreign", roles=120, vpcs=30)
        pages = list(self.iam.get_paginator("list_roles").paginate())
        self.assertEqual([len(page["Roles"]) for page in pages], [100, 20])
        self.assertEqual(len(self.ec2.describe_vpcs()["Vpcs"]), 31)

    def test_many_foreign_of_every_kind(self):
        counts = {
            kind: 2
            for kind in (
                "load_balancers",
                "classic_load_balancers",
                "target_groups",
                "zones",
                "templates",
                "groups",
                "volumes",
                "key_pairs",
            )
        }
        self.seed("many-foreign", **counts)
        world = self.world()
        here = world["regions"]["us-east-1"]
        for kind in ("loadBalancers", "classicLoadBalancers", "targetGroups", "autoScalingGroups", "volumes"):
            self.assertEqual(len(here[kind]), 2, kind)
        self.assertEqual((len(world["route53"]), len(here["launchTemplates"])), (2, 3))

    def cluster(self, name: str = "prod.example.com") -> tuple[str, str]:
        """The least that the seeds below need of a cluster."""
        owned = {f"kubernetes.io/cluster/{name}": "owned"}
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tags("vpc", **owned))["Vpc"]["VpcId"]
        for number, zone in enumerate(("us-east-1a", "us-east-1b")):
            self.ec2.create_subnet(
                VpcId=vpc,
                CidrBlock=f"10.0.{number}.0/24",
                AvailabilityZone=zone,
                TagSpecifications=tags("subnet", **owned),
            )
        nodes = self.ec2.create_security_group(
            GroupName="nodes-x", Description="nodes", VpcId=vpc, TagSpecifications=tags("security-group", **owned)
        )["GroupId"]
        return vpc, nodes

    def test_what_controllers_make(self):
        _, nodes = self.cluster()
        made = self.seed("controllers", region="us-east-1", cluster="prod.example.com")
        group = made["classic-load-balancer"]["group"]
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=group)
        (rules,) = self.ec2.describe_security_groups(GroupIds=[nodes])["SecurityGroups"]
        self.assertEqual(len(rules["IpPermissions"]), 2)
        world = self.world()["regions"]["us-east-1"]
        kinds = ("loadBalancers", "classicLoadBalancers", "targetGroups", "volumes")
        counts = {kind: len(world[kind]) for kind in kinds}
        # The snapshot is of the same volume's twin; the instance has a root volume.
        self.assertEqual(counts, {"loadBalancers": 2, "classicLoadBalancers": 1, "targetGroups": 2, "volumes": 3})
        arguments = {"region": "us-east-1", "cluster": "prod.example.com", "service": "api"}
        again = self.seed("controllers", make=["ingress"], **arguments)
        self.assertEqual(list(again), ["ingress"])

    def test_what_is_in_the_way(self):
        vpc, _ = self.cluster()
        kinds = ["interface", "interface-with-group", "instance", "security-group", "rule", "network-acl"]
        kinds += ["route-table", "subnet", "vpc-endpoint", "peering", "vpn-gateway", "load-balancer"]
        arguments = {"region": "us-east-1", "cluster": "prod.example.com", "cidr": "10.0.200.0/24"}
        made = self.seed("in-the-way", make=kinds, **arguments)
        self.assertEqual(list(made), kinds)
        self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=vpc)
        self.seed("out-of-the-way", region="us-east-1", made=made)
        world = self.world()["regions"]["us-east-1"]
        for kind in ("networkInterfaces", "instances", "networkAcls", "vpcEndpoints", "peerings", "vpnGateways"):
            self.assertNotIn(kind, world)
