"""A big account: so many things of other people that listings have pages."""

from ..corrections.images import current_ubuntu
from ..inside import Client
from .parts import TRUST_EC2, hosted_zone, tagged

_KINDS = (
    "roles",
    "vpcs",
    "load_balancers",
    "classic_load_balancers",
    "target_groups",
    "zones",
    "templates",
    "groups",
    "volumes",
    "key_pairs",
)


def many_foreign(aws: Client, document: dict) -> dict:
    """As many of each kind as the document says.

    Load balancers and target groups lie in `vpc` and its `subnets`, or in a network of their own.
    """
    counts = {kind: document.get(kind, 0) for kind in _KINDS}
    for number in range(counts["roles"]):
        aws.iam.create_role(
            RoleName=f"foreign-{number:05}",
            AssumeRolePolicyDocument=TRUST_EC2,
            Tags=[{"Key": "team", "Value": f"team-{number % 7}"}],
        )
    for number in range(counts["vpcs"]):
        aws.ec2.create_vpc(CidrBlock=f"172.{16 + number % 16}.0.0/16", **tagged("vpc", _tags(number)))
    if counts["load_balancers"] or counts["classic_load_balancers"] or counts["target_groups"]:
        _load_balancers(aws, document, counts)
    for number in range(counts["zones"]):
        hosted_zone(aws, f"foreign-{number:05}.example.net")
    for number in range(counts["templates"]):
        aws.ec2.create_launch_template(
            LaunchTemplateName=f"foreign-{number:05}",
            LaunchTemplateData={"InstanceType": "t3.large"},
            **tagged("launch-template", _tags(number)),
        )
    for number in range(counts["volumes"]):
        aws.ec2.create_volume(
            AvailabilityZone=f"{aws.region}a", Size=1, VolumeType="gp3", **tagged("volume", _tags(number))
        )
    for number in range(counts["key_pairs"]):
        aws.ec2.create_key_pair(KeyName=f"foreign-{number:05}", KeyType="ed25519", **tagged("key-pair", _tags(number)))
    if counts["groups"]:
        _groups(aws, counts["groups"])
    return counts


def _tags(number: int) -> dict[str, str]:
    """Every one is of a cluster of its own."""
    return {"Name": f"foreign-{number:05}", f"kubernetes.io/cluster/foreign-{number:05}": "owned"}


def _network(aws: Client) -> tuple[str, list[str]]:
    vpc = aws.ec2.create_vpc(CidrBlock="10.240.0.0/16", **tagged("vpc", {"Name": "foreign"}))["Vpc"]["VpcId"]
    subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.240.0.0/20", AvailabilityZone=f"{aws.region}a")
    return vpc, [subnet["Subnet"]["SubnetId"]]


def _load_balancers(aws: Client, document: dict, counts: dict) -> None:
    """Half of them made by the controllers of other clusters, with the names that such have."""
    vpc, subnets = (document["vpc"], document["subnets"]) if "vpc" in document else _network(aws)
    group = aws.ec2.create_security_group(
        GroupName="k8s-elb-foreign", Description="foreign", VpcId=vpc, **tagged("security-group", _tags(0))
    )["GroupId"]
    for number in range(counts["load_balancers"]):
        tags = [{"Key": key, "Value": value} for key, value in _tags(number).items()]
        of_kubernetes = number % 2 == 0
        aws.elbv2.create_load_balancer(
            Name=f"k8s-default-web{number:05}-0123456789"[:32] if of_kubernetes else f"foreign-{number:05}",
            Type="network",
            Scheme="internal",
            Subnets=subnets[:1],
            Tags=tags,
            **({"SecurityGroups": [group]} if of_kubernetes else {}),
        )
    for number in range(counts["classic_load_balancers"]):
        tags = [{"Key": key, "Value": value} for key, value in _tags(number).items()]
        aws.elb.create_load_balancer(
            LoadBalancerName=f"a{number:031x}",
            Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 30080}],
            Scheme="internal",
            Subnets=subnets[:1],
            SecurityGroups=[group],
            Tags=tags,
        )
    for number in range(counts["target_groups"]):
        aws.elbv2.create_target_group(
            Name=f"foreign-{number:05}",
            Protocol="TCP",
            Port=443,
            VpcId=vpc,
            TargetType="ip",
            Tags=[{"Key": key, "Value": value} for key, value in _tags(number).items()],
        )


def _groups(aws: Client, count: int) -> None:
    """Empty autoscaling groups."""
    _, subnets = _network(aws)
    template = aws.ec2.create_launch_template(
        LaunchTemplateName="foreign-groups",
        LaunchTemplateData={"ImageId": current_ubuntu(aws.region, "24.04", "amd64"), "InstanceType": "t3.large"},
    )["LaunchTemplate"]["LaunchTemplateId"]
    for number in range(count):
        aws.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=f"foreign-{number:05}",
            MinSize=0,
            MaxSize=1,
            DesiredCapacity=0,
            VPCZoneIdentifier=subnets[0],
            LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
            Tags=[{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in _tags(number).items()],
        )
