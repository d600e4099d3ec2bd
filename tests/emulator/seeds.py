"""Things that were in an account before kclust came: made through the API, like everything else in it."""

import json
import uuid

from .corrections.chosen_ids import next_id
from .corrections.images import current_ubuntu
from .inside import Client

_TRUST_EC2 = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
_SOME_POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeRegions", "Resource": "*"}]}
)

# The network of someone else that specs/existing-vpc.yaml is made for.
EXISTING_REGION = "eu-west-1"
EXISTING_VPC = "vpc-0123456789abcdef0"
EXISTING_SUBNETS = ("subnet-0aaaaaaaaaaaaaaa1", "subnet-0aaaaaaaaaaaaaaa2", "subnet-0aaaaaaaaaaaaaaa3")
EXISTING_ZONE = "internal.example.com"
EXISTING_PROFILES = ("k8s-control-plane", "k8s-node")


def plant(emulator, account: str, document: dict) -> dict:
    """What `POST /_emulator/seed` asks for; the answer names what was made."""
    seeds = {"decoys": decoys, "existing-vpc": existing_vpc, "zone": zone, "many-foreign": many_foreign, "role": role}
    if document["what"] not in seeds:
        raise ValueError(f"what must be one of {', '.join(seeds)}, not {document['what']!r}")
    region = EXISTING_REGION if document["what"] == "existing-vpc" else document.get("region", "us-east-1")
    return seeds[document["what"]](Client(emulator, account, region), document)


def _tagged(kind: str, tags: dict[str, str]) -> dict:
    """The TagSpecifications argument of a create call; none at all without tags."""
    if not tags:
        return {}
    return {
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ]
    }


# zone


def zone(aws: Client, document: dict) -> dict:
    """A hosted zone; a private one needs the network it is for."""
    network = {"VPCRegion": aws.region, "VPCId": document["vpc"]} if document.get("private") else None
    return {"zone": _hosted_zone(aws, document["name"], network)}


def _hosted_zone(aws: Client, name: str, network: dict | None = None) -> str:
    private = {"VPC": network, "HostedZoneConfig": {"PrivateZone": True}} if network else {}
    created = aws.route53.create_hosted_zone(Name=name, CallerReference=str(uuid.uuid4()), **private)
    return created["HostedZone"]["Id"].removeprefix("/hostedzone/")


# existing-vpc


def existing_vpc(aws: Client, document: dict) -> dict:
    """A network with public and private subnets in three zones, a NAT gateway in each, a private zone, two profiles."""
    ec2 = aws.ec2
    # The first call in a region makes its default VPC, which would take the chosen id.
    ec2.describe_vpcs()
    with next_id(EXISTING_VPC):
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", **_tagged("vpc", {"Name": "shared-network"}))["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway(**_tagged("internet-gateway", {"Name": "shared-network"}))
    gateway = gateway["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    public_table = _route_table(ec2, vpc, "public", GatewayId=gateway)
    for number, subnet_id in enumerate(EXISTING_SUBNETS):
        _existing_zone(ec2, vpc, f"{aws.region}{'abc'[number]}", number, subnet_id, public_table)
    for name in EXISTING_PROFILES:
        _instance_profile(aws.iam, name)
    hosted_zone = _hosted_zone(aws, EXISTING_ZONE, {"VPCRegion": aws.region, "VPCId": vpc})
    return {"vpc": vpc, "subnets": list(EXISTING_SUBNETS), "zone": hosted_zone, "profiles": list(EXISTING_PROFILES)}


def _existing_zone(ec2, vpc: str, zone_name: str, number: int, subnet_id: str, public_table: str) -> None:
    public = ec2.create_subnet(
        VpcId=vpc,
        CidrBlock=f"10.0.{240 + number}.0/24",
        AvailabilityZone=zone_name,
        **_tagged("subnet", {"Name": f"public-{zone_name}"}),
    )["Subnet"]["SubnetId"]
    ec2.associate_route_table(RouteTableId=public_table, SubnetId=public)
    address = ec2.allocate_address(Domain="vpc", **_tagged("elastic-ip", {"Name": f"nat-{zone_name}"}))["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=address, **_tagged("natgateway", {"Name": zone_name}))
    with next_id(subnet_id):
        private = ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.0.{16 * number}.0/20",
            AvailabilityZone=zone_name,
            **_tagged("subnet", {"Name": f"private-{zone_name}"}),
        )["Subnet"]["SubnetId"]
    table = _route_table(ec2, vpc, f"private-{zone_name}", NatGatewayId=nat["NatGateway"]["NatGatewayId"])
    ec2.associate_route_table(RouteTableId=table, SubnetId=private)


def _route_table(ec2, vpc: str, name: str, **default_route) -> str:
    table = ec2.create_route_table(VpcId=vpc, **_tagged("route-table", {"Name": name}))["RouteTable"]["RouteTableId"]
    if default_route:
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", **default_route)
    return table


def _instance_profile(iam, name: str, tags: dict[str, str] | None = None) -> None:
    tags = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=_TRUST_EC2, Tags=tags)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_SOME_POLICY)
    iam.create_instance_profile(InstanceProfileName=name, Tags=tags)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


# decoys


def decoys(aws: Client, document: dict) -> dict:
    """What a careless search for a cluster's resources would find: neighbours whose names and tags look alike.

    Two other clusters with everything a cluster has, a network and roles that nobody tagged, and a record beside the
    cluster's own.
    """
    cluster = document["cluster"]
    made = {
        neighbour: _other_cluster(aws, neighbour, f"10.{200 + number}.0.0/16")
        for number, neighbour in enumerate((f"{cluster}.evil", f"x{cluster}"))
    }
    made["untagged"] = _untagged(aws, cluster)
    made["record"] = _neighbour_record(aws, cluster)
    return made


def _other_cluster(aws: Client, cluster: str, cidr: str) -> dict:
    ec2 = aws.ec2
    zone_name = f"{aws.region}a"
    tags = {f"kubernetes.io/cluster/{cluster}": "owned", "Name": cluster}
    network = cidr.removesuffix(".0.0/16")
    vpc = ec2.create_vpc(CidrBlock=cidr, **_tagged("vpc", tags))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(
        VpcId=vpc, CidrBlock=f"{network}.0.0/24", AvailabilityZone=zone_name, **_tagged("subnet", tags)
    )["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway(**_tagged("internet-gateway", tags))["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc, **_tagged("route-table", tags))["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    address = ec2.allocate_address(Domain="vpc", **_tagged("elastic-ip", tags))["AllocationId"]
    ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, **_tagged("natgateway", tags))
    ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=f"com.amazonaws.{aws.region}.s3", RouteTableIds=[table], **_tagged("vpc-endpoint", tags)
    )
    options = ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": "domain-name", "Values": [cluster]}], **_tagged("dhcp-options", tags)
    )["DhcpOptions"]["DhcpOptionsId"]
    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    group = ec2.create_security_group(
        GroupName=f"nodes.{cluster}", Description="nodes", VpcId=vpc, **_tagged("security-group", tags)
    )["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}],
        **_tagged("security-group-rule", tags),
    )
    ec2.create_network_interface(
        SubnetId=subnet, PrivateIpAddress=f"{network}.0.10", Groups=[group], **_tagged("network-interface", tags)
    )
    ec2.create_volume(AvailabilityZone=zone_name, Size=20, VolumeType="gp3", Encrypted=True, **_tagged("volume", tags))
    ec2.create_key_pair(KeyName=f"kubernetes.{cluster}", **_tagged("key-pair", tags))
    _instance_profile(aws.iam, f"nodes.{cluster}"[:64], tags)
    return {
        "vpc": vpc,
        "subnet": subnet,
        "group": _nodes(aws, cluster, subnet, group, tags),
        "api": _api(aws, cluster, vpc, subnet, tags),
    }


def _nodes(aws: Client, cluster: str, subnet: str, group: str, tags: dict[str, str]) -> str:
    """A group of one running node."""
    template = aws.ec2.create_launch_template(
        LaunchTemplateName=f"nodes.{cluster}",
        LaunchTemplateData={
            "ImageId": current_ubuntu(aws.region, "24.04", "amd64"),
            "InstanceType": "t3.large",
            "NetworkInterfaces": [{"DeviceIndex": 0, "Groups": [group], "DeleteOnTermination": True}],
        },
        **_tagged("launch-template", tags),
    )["LaunchTemplate"]["LaunchTemplateId"]
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=f"nodes.{cluster}",
        MinSize=1,
        MaxSize=1,
        DesiredCapacity=1,
        VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()],
    )
    return f"nodes.{cluster}"


def _api(aws: Client, cluster: str, vpc: str, subnet: str, tags: dict[str, str]) -> str:
    """A load balancer with a listener. Its name is short, as names of load balancers must be."""
    name = "api-" + uuid.uuid5(uuid.NAMESPACE_DNS, cluster).hex[:20]
    tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    balancer = aws.elbv2.create_load_balancer(Name=name, Type="network", Scheme="internal", Subnets=[subnet], Tags=tags)
    target_group = aws.elbv2.create_target_group(
        Name=name, Protocol="TCP", Port=6443, VpcId=vpc, TargetType="ip", Tags=tags
    )["TargetGroups"][0]["TargetGroupArn"]
    arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    aws.elbv2.create_listener(
        LoadBalancerArn=arn,
        Protocol="TCP",
        Port=443,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
        Tags=tags,
    )
    return arn


def _untagged(aws: Client, cluster: str) -> dict:
    """The same names as the cluster's, with nothing that says whose."""
    ec2 = aws.ec2
    vpc = ec2.create_vpc(CidrBlock="10.210.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.210.0.0/24", AvailabilityZone=f"{aws.region}a")["Subnet"][
        "SubnetId"
    ]
    ec2.create_security_group(GroupName=f"nodes.{cluster}", Description="nodes", VpcId=vpc)
    ec2.create_volume(AvailabilityZone=f"{aws.region}a", Size=20, VolumeType="gp3")
    ec2.create_launch_template(LaunchTemplateName=f"{cluster}-old", LaunchTemplateData={"InstanceType": "t3.large"})
    roles = [f"{cluster}-nodes-old"[:64], f"{cluster}-control-plane-old"[:64]]
    for role in dict.fromkeys(roles):
        _instance_profile(aws.iam, role)
    return {"vpc": vpc, "subnet": subnet, "roles": roles}


def _neighbour_record(aws: Client, cluster: str) -> str:
    """`api.x<cluster>`, in the zone that the cluster's own name would be in; the zone is made when there is none."""
    names = {found["Name"].rstrip("."): found["Id"] for found in aws.route53.list_hosted_zones()["HostedZones"]}
    parent = cluster.split(".", 1)[-1]
    hosted_zone = next((names[name] for name in names if cluster.endswith("." + name)), None) or _hosted_zone(
        aws, parent
    )
    record = {"Name": f"api.x{cluster}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    aws.route53.change_resource_record_sets(
        HostedZoneId=hosted_zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )
    return record["Name"]


# role


def role(aws: Client, document: dict) -> dict:
    """A role that somebody may work with."""
    aws.iam.create_role(RoleName=document["name"], Path=document["path"], AssumeRolePolicyDocument=_TRUST_EC2)
    return {"role": document["name"]}


# many-foreign


def many_foreign(aws: Client, document: dict) -> dict:
    """A big account: roles and networks of other people, so many that listings have pages."""
    for number in range(document.get("roles", 0)):
        aws.iam.create_role(
            RoleName=f"foreign-{number:05}",
            AssumeRolePolicyDocument=_TRUST_EC2,
            Tags=[{"Key": "team", "Value": f"team-{number % 7}"}],
        )
    for number in range(document.get("vpcs", 0)):
        tags = {"Name": f"foreign-{number:05}", f"kubernetes.io/cluster/foreign-{number:05}": "owned"}
        aws.ec2.create_vpc(CidrBlock=f"172.{16 + number % 16}.0.0/16", **_tagged("vpc", tags))
    return {"roles": document.get("roles", 0), "vpcs": document.get("vpcs", 0)}
