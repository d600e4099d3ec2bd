"""What controllers inside a cluster make in AWS, with the names and tags that they give it.

    cloud-provider-aws              kubernetes/cloud-provider-aws, pkg/providers/v1/aws.go, aws_loadbalancer.go
    aws-load-balancer-controller    pkg/deploy/tracking/provider.go, pkg/networking/backend_sg_provider.go
    aws-ebs-csi-driver              pkg/driver/controller.go, pkg/cloud/cloud.go
    amazon-vpc-cni-k8s              pkg/awsutils/awsutils.go
    karpenter-provider-aws          pkg/providers/launchtemplate, pkg/utils/utils.go
"""

import hashlib
import uuid

from ..corrections.images import current_ubuntu
from ..inside import Client
from .parts import tagged

EVERYTHING = (
    "classic-load-balancer",
    "network-load-balancer",
    "ingress",
    "interface",
    "volume",
    "snapshot",
    "karpenter",
)


def controllers(aws: Client, document: dict) -> dict:
    """`make` names which of them; all without it. In the cluster's own network, or in `vpc` and its `subnets`."""
    place = _Place(aws, document)
    makers = {
        "classic-load-balancer": _classic_load_balancer,
        "network-load-balancer": _network_load_balancer,
        "ingress": _ingress,
        "interface": _interface,
        "volume": _volume,
        "snapshot": _snapshot,
        "karpenter": _karpenter,
    }
    return {what: makers[what](aws, place) for what in document.get("make", EVERYTHING)}


class _Place:
    def __init__(self, aws: Client, document: dict):
        self.cluster = document["cluster"]
        self.service = document.get("service", "web")
        self.owned = {f"kubernetes.io/cluster/{self.cluster}": "owned"}
        own = [{"Name": f"tag:kubernetes.io/cluster/{self.cluster}", "Values": ["owned"]}]
        self.vpc = document.get("vpc") or aws.ec2.describe_vpcs(Filters=own)["Vpcs"][0]["VpcId"]
        where = [{"Name": "vpc-id", "Values": [self.vpc]}]
        subnets = document.get("subnets") and [{"Name": "subnet-id", "Values": document["subnets"]}]
        found = aws.ec2.describe_subnets(Filters=subnets or own + where)["Subnets"]
        by_zone = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in found}
        self.zone, self.subnet = min(by_zone.items())
        self.subnets = sorted(by_zone.values())
        groups = aws.ec2.describe_security_groups(Filters=own + where)["SecurityGroups"]
        self.nodes = next(group["GroupId"] for group in groups if group["GroupName"].startswith("nodes"))

    def uid(self, what: str) -> str:
        """The same for the same service, as that of a Kubernetes object."""
        return hashlib.sha256(f"{self.cluster}/{self.service}/{what}".encode()).hexdigest()


def _list(tags: dict[str, str]) -> list[dict]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _group(aws: Client, place: _Place, name: str, description: str, tags: dict[str, str]) -> str:
    """A group that is there already is taken."""
    named = [{"Name": "vpc-id", "Values": [place.vpc]}, {"Name": "group-name", "Values": [name]}]
    for found in aws.ec2.describe_security_groups(Filters=named)["SecurityGroups"]:
        return found["GroupId"]
    made = aws.ec2.create_security_group(
        GroupName=name, Description=description, VpcId=place.vpc, **tagged("security-group", tags)
    )
    return made["GroupId"]


def _let_in(aws: Client, group: str, source: str, description: str = "") -> None:
    """A rule in `group` that names `source`: neither can be deleted before the other has lost it."""
    named = [{"Name": "group-id", "Values": [group]}, {"Name": "ip-permission.group-id", "Values": [source]}]
    if aws.ec2.describe_security_groups(Filters=named)["SecurityGroups"]:
        return
    pair = {"GroupId": source, **({"Description": description} if description else {})}
    aws.ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [pair]}]
    )


def _classic_load_balancer(aws: Client, place: _Place) -> dict:
    """For a Service of type LoadBalancer, without annotations: the cloud controller's default."""
    name = "a" + place.uid("classic")[:31]
    service = f"default/{place.service}"
    group = _group(aws, place, f"k8s-elb-{name}", f"Security group for Kubernetes ELB {name} ({service})", place.owned)
    _let_in(aws, place.nodes, group)
    aws.elb.create_load_balancer(
        LoadBalancerName=name,
        Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 80, "InstanceProtocol": "TCP", "InstancePort": 30080}],
        Scheme="internal",
        Subnets=place.subnets,
        SecurityGroups=[group],
        Tags=_list({"kubernetes.io/service-name": service, **place.owned}),
    )
    return {"name": name, "group": group}


def _network_load_balancer(aws: Client, place: _Place) -> dict:
    """With `aws-load-balancer-type: nlb`: no group of its own; what it may reach is opened in that of the nodes."""
    name = "a" + place.uid("network")[:31]
    tags = _list({"kubernetes.io/service-name": f"default/{place.service}", **place.owned})
    made = _balance(aws, place, name, "network", f"k8s-default-{place.service[:8]}-{place.uid('nlb')[:10]}", tags)
    aws.ec2.authorize_security_group_ingress(
        GroupId=place.nodes,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 30081,
                "ToPort": 30081,
                "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": f"kubernetes.io/rule/nlb/client={name}"}],
            }
        ],
    )
    return made


def _ingress(aws: Client, place: _Place) -> dict:
    """A load balancer of the AWS Load Balancer Controller, with the group that all of them share.

    An application load balancer, which needs two zones; in a single one that of a Service.
    """
    kind, what = ("application", "ingress") if len(place.subnets) > 1 else ("network", "service")
    marks = {"elbv2.k8s.aws/cluster": place.cluster, f"{what}.k8s.aws/stack": f"default/{place.service}"}
    of_cluster = hashlib.sha256(place.cluster.encode()).hexdigest()[:10]
    shared = _group(
        aws,
        place,
        f"k8s-traffic-{''.join(filter(str.isalnum, place.cluster))}-{of_cluster}",
        "[k8s] Shared Backend SecurityGroup for LoadBalancer",
        {"elbv2.k8s.aws/cluster": place.cluster, "elbv2.k8s.aws/resource": "backend-sg"},
    )
    name = f"k8s-default-{place.service[:8]}-{place.uid('ingress')[:10]}"
    front = _group(
        aws,
        place,
        name,
        "[k8s] Managed SecurityGroup for LoadBalancer",
        {**marks, f"{what}.k8s.aws/resource": "ManagedLBSecurityGroup"},
    )
    _let_in(aws, place.nodes, shared, "elbv2.k8s.aws/targetGroupBinding=shared")
    # Groups that name each other: neither goes before a rule does.
    _let_in(aws, shared, front)
    _let_in(aws, front, shared)
    tags = _list({**marks, f"{what}.k8s.aws/resource": "LoadBalancer"})
    target_group = f"k8s-default-{place.service[:8]}-{place.uid('alb')[:10]}"
    made = _balance(aws, place, name, kind, target_group, tags, [front, shared])
    return {**made, "groups": [front, shared]}


def _balance(aws: Client, place: _Place, name: str, kind: str, group: str, tags: list, groups: list = ()) -> dict:
    protocol = "TCP" if kind == "network" else "HTTP"
    balancer = aws.elbv2.create_load_balancer(
        Name=name,
        Type=kind,
        Scheme="internal",
        Subnets=place.subnets,
        Tags=tags,
        **({"SecurityGroups": list(groups)} if groups else {}),
    )["LoadBalancers"][0]["LoadBalancerArn"]
    target_group = aws.elbv2.create_target_group(
        Name=group, Protocol=protocol, Port=30081, VpcId=place.vpc, TargetType="instance", Tags=tags
    )["TargetGroups"][0]["TargetGroupArn"]
    aws.elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol=protocol,
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
        Tags=tags,
    )
    return {"arn": balancer, "name": name, "targetGroup": target_group}


def _interface(aws: Client, place: _Place) -> str:
    """One that the Amazon VPC CNI had on an instance which is gone."""
    tags = {
        "cluster.k8s.amazonaws.com/name": place.cluster,
        "node.k8s.amazonaws.com/instance_id": "i-0123456789abcdef0",
    }
    made = aws.ec2.create_network_interface(
        SubnetId=place.subnet,
        Groups=[place.nodes],
        Description="aws-K8S-i-0123456789abcdef0",
        **tagged("network-interface", tags),
    )
    return made["NetworkInterface"]["NetworkInterfaceId"]


def _volume(aws: Client, place: _Place) -> str:
    name = f"pvc-{uuid.uuid5(uuid.NAMESPACE_DNS, place.uid('claim'))}"
    tags = {
        **place.owned,
        "KubernetesCluster": place.cluster,
        "CSIVolumeName": name,
        "Name": f"{place.cluster}-dynamic-{name}",
        "ebs.csi.aws.com/cluster": "true",
        "kubernetes.io/created-for/pv/name": name,
        "kubernetes.io/created-for/pvc/name": f"data-{place.service}-0",
        "kubernetes.io/created-for/pvc/namespace": "default",
    }
    made = aws.ec2.create_volume(
        AvailabilityZone=place.zone, Size=10, VolumeType="gp3", Encrypted=True, **tagged("volume", tags)
    )
    return made["VolumeId"]


def _snapshot(aws: Client, place: _Place) -> dict:
    volume = _volume(aws, place)
    tags = {
        **place.owned,
        "CSIVolumeSnapshotName": f"snapshot-{place.uid('snapshot')[:12]}",
        "ebs.csi.aws.com/cluster": "true",
    }
    snapshot = aws.ec2.create_snapshot(VolumeId=volume, **tagged("snapshot", tags))["SnapshotId"]
    return {"volume": volume, "snapshot": snapshot}


def _karpenter(aws: Client, place: _Place) -> dict:
    tags = {
        **place.owned,
        "eks:eks-cluster-name": place.cluster,
        "karpenter.sh/nodepool": "default",
        "karpenter.k8s.aws/ec2nodeclass": "default",
    }
    image = current_ubuntu(aws.region, "24.04", "amd64")
    template = aws.ec2.create_launch_template(
        LaunchTemplateName=f"karpenter.k8s.aws/{int(place.uid('template')[:15], 16)}",
        LaunchTemplateData={"ImageId": image, "InstanceType": "m6i.large"},
        **tagged("launch-template", tags),
    )["LaunchTemplate"]["LaunchTemplateId"]
    instance = aws.ec2.run_instances(
        ImageId=image,
        InstanceType="m6i.large",
        MinCount=1,
        MaxCount=1,
        SubnetId=place.subnet,
        SecurityGroupIds=[place.nodes],
        **tagged("instance", tags),
    )["Instances"][0]["InstanceId"]
    return {"template": template, "instance": instance}
