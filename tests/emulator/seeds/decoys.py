"""What a careless search for a cluster's resources would find."""

import uuid

from ..corrections.images import current_ubuntu
from ..inside import Client
from .parts import hosted_zone, instance_profile, tagged


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
    vpc = ec2.create_vpc(CidrBlock=cidr, **tagged("vpc", tags))["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(
        VpcId=vpc, CidrBlock=f"{network}.0.0/24", AvailabilityZone=zone_name, **tagged("subnet", tags)
    )["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway(**tagged("internet-gateway", tags))["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc, **tagged("route-table", tags))["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    address = ec2.allocate_address(Domain="vpc", **tagged("elastic-ip", tags))["AllocationId"]
    ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, **tagged("natgateway", tags))
    ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=f"com.amazonaws.{aws.region}.s3", RouteTableIds=[table], **tagged("vpc-endpoint", tags)
    )
    options = ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": "domain-name", "Values": [cluster]}], **tagged("dhcp-options", tags)
    )["DhcpOptions"]["DhcpOptionsId"]
    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    group = ec2.create_security_group(
        GroupName=f"nodes.{cluster}", Description="nodes", VpcId=vpc, **tagged("security-group", tags)
    )["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}],
        **tagged("security-group-rule", tags),
    )
    ec2.create_network_interface(
        SubnetId=subnet, PrivateIpAddress=f"{network}.0.10", Groups=[group], **tagged("network-interface", tags)
    )
    ec2.create_volume(AvailabilityZone=zone_name, Size=20, VolumeType="gp3", Encrypted=True, **tagged("volume", tags))
    ec2.create_key_pair(KeyName=f"kubernetes.{cluster}", **tagged("key-pair", tags))
    instance_profile(aws.iam, f"nodes.{cluster}"[:64], tags)
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
        **tagged("launch-template", tags),
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
        instance_profile(aws.iam, role)
    return {"vpc": vpc, "subnet": subnet, "roles": roles}


def _neighbour_record(aws: Client, cluster: str) -> str:
    """`api.x<cluster>`, in the zone that the cluster's own name would be in; the zone is made when there is none."""
    names = {found["Name"].rstrip("."): found["Id"] for found in aws.route53.list_hosted_zones()["HostedZones"]}
    parent = cluster.split(".", 1)[-1]
    zone = next((names[name] for name in names if cluster.endswith("." + name)), None) or hosted_zone(
        aws, parent
    )
    record = {"Name": f"api.x{cluster}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    aws.route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )
    return record["Name"]
