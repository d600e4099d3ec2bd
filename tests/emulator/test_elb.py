"""Classic load balancers, and what else keeps a network."""

from .support import AwsTest, tags

LISTENER = {"Protocol": "TCP", "LoadBalancerPort": 80, "InstanceProtocol": "TCP", "InstancePort": 30080}


class ClassicLoadBalancers(AwsTest):
    def setUp(self):
        super().setUp()
        self.net = self.vpc()
        self.sub = self.subnet(self.net)
        self.sg = self.group(self.net)

    def make(self, name: str = "a1", **arguments):
        arguments = {"Subnets": [self.sub], "SecurityGroups": [self.sg], "Scheme": "internal", **arguments}
        return self.elb.create_load_balancer(LoadBalancerName=name, Listeners=[LISTENER], **arguments)

    def interfaces(self) -> list[dict]:
        here = [{"Name": "subnet-id", "Values": [self.sub]}]
        return self.ec2.describe_network_interfaces(Filters=here)["NetworkInterfaces"]

    def test_it_holds_its_subnet_and_its_group(self):
        self.make()
        (interface,) = self.interfaces()
        self.assertEqual((interface["Description"], interface["RequesterId"]), ("ELB a1", "amazon-elb"))
        self.assertEqual([group["GroupId"] for group in interface["Groups"]], [self.sg])
        self.assertTrue(interface["RequesterManaged"])
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=self.sub)
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=self.sg)
        self.elb.delete_load_balancer(LoadBalancerName="a1")
        self.elb.delete_load_balancer(LoadBalancerName="a1")
        self.assertEqual(self.interfaces(), [])
        self.ec2.delete_security_group(GroupId=self.sg)
        self.ec2.delete_subnet(SubnetId=self.sub)

    def test_where_it_can_be(self):
        second = self.subnet(self.net, "10.0.1.0/24")
        self.refused("InvalidConfigurationRequest", self.make, Subnets=[self.sub, second])
        self.refused("SubnetNotFound", self.make, Subnets=["subnet-0123"])
        self.refused("InvalidSubnet", self.make, Scheme="internet-facing")
        self.gateway(self.net)
        self.make(Scheme="internet-facing")
        self.refused("DuplicateLoadBalancerName", self.make)

    def test_tags_and_pages(self):
        names = [f"a{number}" for number in range(60)]
        for name in names:
            self.make(name, Tags=[{"Key": "n", "Value": name}])
        found = self.elb.describe_load_balancers()
        self.assertEqual(len(found["LoadBalancerDescriptions"]), 60)
        self.assertNotIn("NextMarker", found)
        pages = list(self.elb.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 25}))
        self.assertEqual([len(page["LoadBalancerDescriptions"]) for page in pages], [25, 25, 10])
        described = self.elb.describe_tags(LoadBalancerNames=names[:20])["TagDescriptions"]
        self.assertEqual(described[3]["Tags"], [{"Key": "n", "Value": "a3"}])
        self.refused("ValidationError", self.elb.describe_tags, LoadBalancerNames=names[:21])
        self.refused("LoadBalancerNotFound", self.elb.describe_tags, LoadBalancerNames=["a1", "b"])

    def test_it_is_in_the_world(self):
        self.make(Tags=[{"Key": "n", "Value": "v"}])
        seen = self.world()["regions"]["us-east-1"]["classicLoadBalancers"]["a1"]
        self.assertEqual((seen["subnets"], seen["groups"], seen["tags"]), ([self.sub], [self.sg], {"n": "v"}))


class WhatKeepsAVpc(AwsTest):
    def kept(self, vpc: str) -> None:
        self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=vpc)

    def test_an_acl(self):
        vpc = self.vpc()
        acl = self.ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        of_vpc = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "default", "Values": ["false"]}]
        found = self.ec2.describe_network_acls(Filters=of_vpc)["NetworkAcls"]
        self.assertEqual([acl["NetworkAclId"] for acl in found], [acl])
        self.kept(vpc)
        self.ec2.delete_network_acl(NetworkAclId=acl)
        self.ec2.delete_vpc(VpcId=vpc)

    def test_a_peering(self):
        vpc, other = self.vpc(), self.vpc("10.1.0.0/16")
        specification = tags("vpc-peering-connection", Name="peer")
        peering = self.ec2.create_vpc_peering_connection(VpcId=other, PeerVpcId=vpc, TagSpecifications=specification)
        peering = peering["VpcPeeringConnection"]["VpcPeeringConnectionId"]

        def found(role: str) -> list[str]:
            by_vpc = [{"Name": f"{role}-vpc-info.vpc-id", "Values": [vpc]}]
            answer = self.ec2.describe_vpc_peering_connections(Filters=by_vpc)["VpcPeeringConnections"]
            return [found["VpcPeeringConnectionId"] for found in answer]

        self.assertEqual((found("accepter"), found("requester")), ([peering], []))
        self.kept(vpc)
        self.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
        self.ec2.delete_vpc(VpcId=vpc)

    def test_a_vpn_gateway(self):
        vpc = self.vpc()
        gateway = self.ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        self.ec2.attach_vpn_gateway(VpcId=vpc, VpnGatewayId=gateway)
        attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
        self.assertEqual(len(self.ec2.describe_vpn_gateways(Filters=attached)["VpnGateways"]), 1)
        self.kept(vpc)
        self.ec2.detach_vpn_gateway(VpcId=vpc, VpnGatewayId=gateway)
        self.assertEqual(self.ec2.describe_vpn_gateways(Filters=attached)["VpnGateways"], [])
        self.ec2.delete_vpc(VpcId=vpc)
