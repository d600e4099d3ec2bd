"""Things of somebody else in a cluster's network, or that refer to it: AWS keeps the network while they are there."""

from ..corrections.images import current_ubuntu
from ..inside import Client
from .parts import tagged

_OWNER = {"Name": "somebody-elses", "team": "data"}


def in_the_way(aws: Client, document: dict) -> dict:
    """`make` names which, and `tags` whose: a data team's without. `cluster` is the cluster whose network it is."""
    owner = document.get("tags", _OWNER)
    own = [{"Name": f"tag:kubernetes.io/cluster/{document['cluster']}", "Values": ["owned"]}]
    vpc = document.get("vpc") or aws.ec2.describe_vpcs(Filters=own)["Vpcs"][0]["VpcId"]
    place = {"Name": "vpc-id", "Values": [vpc]}
    groups = aws.ec2.describe_security_groups(Filters=[*own, place])["SecurityGroups"]
    nodes = next(group["GroupId"] for group in groups if group["GroupName"].startswith("nodes"))
    subnets = aws.ec2.describe_subnets(Filters=[place])["Subnets"]
    subnet = min(subnets, key=lambda found: found["CidrBlock"])["SubnetId"]
    ec2 = aws.ec2
    makers = {
        "interface": lambda: ec2.create_network_interface(
            SubnetId=subnet, Description="a function of the data team", **tagged("network-interface", owner)
        )["NetworkInterface"]["NetworkInterfaceId"],
        "interface-with-group": lambda: ec2.create_network_interface(
            SubnetId=subnet, Groups=[nodes], Description="in the nodes' group", **tagged("network-interface", owner)
        )["NetworkInterface"]["NetworkInterfaceId"],
        "instance": lambda: ec2.run_instances(
            ImageId=current_ubuntu(aws.region, "24.04", "amd64"),
            InstanceType="m6i.large",
            MinCount=1,
            MaxCount=1,
            SubnetId=subnet,
            **tagged("instance", owner),
        )["Instances"][0]["InstanceId"],
        "volume": lambda: ec2.create_volume(
            AvailabilityZone=f"{aws.region}a", Size=8, VolumeType="gp3", Encrypted=True, **tagged("volume", owner)
        )["VolumeId"],
        "auto-scaling-group": lambda: _auto_scaling_group(aws, subnet, {**owner, **_owned(document)}),
        "holder": lambda: _holder(aws, own),
        "security-group": lambda: _group(ec2, vpc, "somebody-elses", owner),
        "rule": lambda: _rule(ec2, document.get("rule_vpc", vpc), nodes, owner),
        "network-acl": lambda: ec2.create_network_acl(VpcId=vpc, **tagged("network-acl", owner))["NetworkAcl"][
            "NetworkAclId"
        ],
        "route-table": lambda: ec2.create_route_table(VpcId=vpc, **tagged("route-table", owner))["RouteTable"][
            "RouteTableId"
        ],
        "subnet": lambda: ec2.create_subnet(
            VpcId=vpc, CidrBlock=document["cidr"], AvailabilityZone=f"{aws.region}a", **tagged("subnet", owner)
        )["Subnet"]["SubnetId"],
        "vpc-endpoint": lambda: ec2.create_vpc_endpoint(
            VpcId=vpc,
            ServiceName=f"com.amazonaws.{aws.region}.ec2",
            VpcEndpointType="Interface",
            SubnetIds=[subnet],
            **tagged("vpc-endpoint", owner),
        )["VpcEndpoint"]["VpcEndpointId"],
        "peering": lambda: _peering(ec2, vpc, owner),
        "vpn-gateway": lambda: _vpn_gateway(ec2, vpc, owner),
        "load-balancer": lambda: aws.elbv2.create_load_balancer(
            Name="somebody-elses",
            Type="network",
            Scheme="internal",
            Subnets=[subnet],
            Tags=[{"Key": key, "Value": value} for key, value in owner.items()],
        )["LoadBalancers"][0]["LoadBalancerArn"],
    }
    return {what: makers[what]() for what in document["make"]}


def _group(ec2, vpc: str, name: str, owner: dict) -> str:
    made = ec2.create_security_group(
        GroupName=name, Description="of the data team", VpcId=vpc, **tagged("security-group", owner)
    )
    return made["GroupId"]


def _rule(ec2, vpc: str, nodes: str, owner: dict) -> str:
    """A rule in a group of somebody else that lets the nodes in."""
    group = _group(ec2, vpc, "database", owner)
    permission = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": nodes}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    return group


def _peering(ec2, vpc: str, owner: dict) -> str:
    other = ec2.create_vpc(CidrBlock="172.31.240.0/24", **tagged("vpc", owner))["Vpc"]["VpcId"]
    peering = ec2.create_vpc_peering_connection(
        VpcId=other, PeerVpcId=vpc, **tagged("vpc-peering-connection", owner)
    )["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    return peering


def _vpn_gateway(ec2, vpc: str, owner: dict) -> str:
    gateway = ec2.create_vpn_gateway(Type="ipsec.1", **tagged("vpn-gateway", owner))["VpnGateway"]["VpnGatewayId"]
    ec2.attach_vpn_gateway(VpcId=vpc, VpnGatewayId=gateway)
    return gateway


def _owned(document: dict) -> dict:
    return {f"kubernetes.io/cluster/{document['cluster']}": "owned"}


def _auto_scaling_group(aws: Client, subnet: str, tags: dict) -> str:
    """One whose machines join the cluster, tagged as they must be for that: an own node group of somebody."""
    name = "somebody-elses"
    image = current_ubuntu(aws.region, "24.04", "amd64")
    aws.ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": image, "InstanceType": "m6i.large"}
    )
    aws.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Default"},
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=subnet,
        Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()],
    )
    return name


def _delete_auto_scaling_group(aws: Client, name: str) -> None:
    aws.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    aws.ec2.delete_launch_template(LaunchTemplateName=name)


def _holder(aws: Client, own: list[dict]) -> dict:
    """A machine in another network that somebody gave a slot's volume: to look into it."""
    ec2 = aws.ec2
    of_slots = [*own, {"Name": "tag-key", "Values": ["kclust.dev/id"]}]
    volume = ec2.describe_volumes(Filters=of_slots)["Volumes"][0]
    zone = {"Name": "availability-zone", "Values": [volume["AvailabilityZone"]]}
    subnet = ec2.describe_subnets(Filters=[zone, {"Name": "default-for-az", "Values": ["true"]}])["Subnets"][0]
    instance = ec2.run_instances(
        ImageId=current_ubuntu(aws.region, "24.04", "amd64"),
        InstanceType="m6i.large",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet["SubnetId"],
        **tagged("instance", _OWNER),
    )["Instances"][0]["InstanceId"]
    ec2.attach_volume(VolumeId=volume["VolumeId"], InstanceId=instance, Device="/dev/sdf")
    return {"instance": instance, "volume": volume["VolumeId"]}


def _let_go(ec2, made: dict) -> None:
    ec2.detach_volume(VolumeId=made["volume"], InstanceId=made["instance"])
    ec2.terminate_instances(InstanceIds=[made["instance"]])


def out_of_the_way(aws: Client, document: dict) -> dict:
    """Their owner has removed what `in-the-way` has `made`."""
    ec2 = aws.ec2
    removers = {
        "interface": lambda made: ec2.delete_network_interface(NetworkInterfaceId=made),
        "interface-with-group": lambda made: ec2.delete_network_interface(NetworkInterfaceId=made),
        "instance": lambda made: ec2.terminate_instances(InstanceIds=[made]),
        "auto-scaling-group": lambda made: _delete_auto_scaling_group(aws, made),
        "holder": lambda made: _let_go(ec2, made),
        "volume": lambda made: ec2.delete_volume(VolumeId=made),
        "security-group": lambda made: ec2.delete_security_group(GroupId=made),
        "rule": lambda made: ec2.delete_security_group(GroupId=made),
        "network-acl": lambda made: ec2.delete_network_acl(NetworkAclId=made),
        "route-table": lambda made: ec2.delete_route_table(RouteTableId=made),
        "subnet": lambda made: ec2.delete_subnet(SubnetId=made),
        "vpc-endpoint": lambda made: ec2.delete_vpc_endpoints(VpcEndpointIds=[made]),
        "peering": lambda made: ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=made),
        "vpn-gateway": lambda made: _detach(ec2, made),
        "load-balancer": lambda made: aws.elbv2.delete_load_balancer(LoadBalancerArn=made),
    }
    for what, made in document["made"].items():
        removers[what](made)
    return {}


def _detach(ec2, gateway: str) -> None:
    (found,) = ec2.describe_vpn_gateways(VpnGatewayIds=[gateway])["VpnGateways"]
    for attachment in found["VpcAttachments"]:
        ec2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=attachment["VpcId"])
    ec2.delete_vpn_gateway(VpnGatewayId=gateway)
