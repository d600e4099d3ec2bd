"""The network of someone else that examples/existing-vpc.yaml is made for."""

from ..corrections.chosen_ids import next_id
from ..inside import Client
from .parts import hosted_zone, instance_profile, tagged

EXISTING_REGION = "eu-west-1"
EXISTING_VPC = "vpc-0123456789abcdef0"
EXISTING_SUBNETS = ("subnet-0aaaaaaaaaaaaaaa1", "subnet-0aaaaaaaaaaaaaaa2", "subnet-0aaaaaaaaaaaaaaa3")
EXISTING_ZONE = "internal.example.com"
EXISTING_PROFILES = ("k8s-control-plane", "k8s-node")


def existing_vpc(aws: Client, document: dict) -> dict:
    """A network with public and private subnets in three zones, a NAT gateway in each, a private zone, two profiles."""
    ec2 = aws.ec2
    # The first call in a region makes its default VPC, which would take the chosen id.
    ec2.describe_vpcs()
    with next_id(EXISTING_VPC):
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", **tagged("vpc", {"Name": "shared-network"}))["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway(**tagged("internet-gateway", {"Name": "shared-network"}))
    gateway = gateway["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    public_table = _route_table(ec2, vpc, "public", GatewayId=gateway)
    for number, subnet_id in enumerate(EXISTING_SUBNETS):
        _existing_zone(ec2, vpc, f"{aws.region}{'abc'[number]}", number, subnet_id, public_table)
    for name in EXISTING_PROFILES:
        instance_profile(aws.iam, name)
    zone = hosted_zone(aws, EXISTING_ZONE, {"VPCRegion": aws.region, "VPCId": vpc})
    return {"vpc": vpc, "subnets": list(EXISTING_SUBNETS), "zone": zone, "profiles": list(EXISTING_PROFILES)}


def _existing_zone(ec2, vpc: str, zone_name: str, number: int, subnet_id: str, public_table: str) -> None:
    public = ec2.create_subnet(
        VpcId=vpc,
        CidrBlock=f"10.0.{240 + number}.0/24",
        AvailabilityZone=zone_name,
        **tagged("subnet", {"Name": f"public-{zone_name}"}),
    )["Subnet"]["SubnetId"]
    ec2.associate_route_table(RouteTableId=public_table, SubnetId=public)
    address = ec2.allocate_address(Domain="vpc", **tagged("elastic-ip", {"Name": f"nat-{zone_name}"}))["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=address, **tagged("natgateway", {"Name": zone_name}))
    with next_id(subnet_id):
        private = ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.0.{16 * number}.0/20",
            AvailabilityZone=zone_name,
            **tagged("subnet", {"Name": f"private-{zone_name}"}),
        )["Subnet"]["SubnetId"]
    table = _route_table(ec2, vpc, f"private-{zone_name}", NatGatewayId=nat["NatGateway"]["NatGatewayId"])
    ec2.associate_route_table(RouteTableId=table, SubnetId=private)


def _route_table(ec2, vpc: str, name: str, **default_route) -> str:
    table = ec2.create_route_table(VpcId=vpc, **tagged("route-table", {"Name": name}))["RouteTable"]["RouteTableId"]
    if default_route:
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **default_route)
    return table
