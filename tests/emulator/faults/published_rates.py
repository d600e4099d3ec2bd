"""How many calls AWS takes: the token buckets of each service, as (size, tokens a second).

    EC2       https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
    ELB       https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
    Route 53  https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/throttling-api-requests.html
    SSM       https://docs.aws.amazon.com/general/latest/gr/ssm.html (GetParameters and its kind, standard throughput)

Auto Scaling and IAM have limits that are not published: those here are assumed, on the tight side. S3 has none that a
tool like this reaches.
"""

from dataclasses import dataclass, field

Rate = tuple[float, float]


@dataclass(frozen=True)
class Rates:
    code: str
    message: str
    status: int
    read: Rate
    write: Rate
    # One bucket for all the calls of an account, beside the others.
    account: Rate | None = None
    # Actions with a bucket of their own.
    actions: dict[str, Rate] = field(default_factory=dict)
    # EC2: every action has a bucket of its own, of its category's size. Elsewhere the actions of a category share one.
    each_action: bool = False
    # One endpoint for all regions.
    is_global: bool = False


_EC2_UNFILTERED: Rate = (50, 10)

# Listings that cost more when the request has neither a filter, nor ids, nor a page size.
UNFILTERED = {
    action: _EC2_UNFILTERED
    for action in (
        "DescribeInstances",
        "DescribeInstanceStatus",
        "DescribeNetworkInterfaces",
        "DescribeSecurityGroups",
        "DescribeSnapshots",
        "DescribeSpotInstanceRequests",
        "DescribeVolumes",
    )
}

# Tokens taken for each instance, beside one for the request.
PER_INSTANCE: dict[str, Rate] = {
    "RunInstances": (1000, 2),
    "StartInstances": (1000, 2),
    "StopInstances": (1000, 20),
    "TerminateInstances": (1000, 20),
}

_EC2_ACTIONS: dict[str, Rate] = {
    "AssociateIamInstanceProfile": (100, 5),
    "AssociateNatGatewayAddress": (10, 1),
    "CreateLaunchTemplateVersion": (100, 5),
    "CreateNatGateway": (10, 1),
    "CreateNetworkInterface": (100, 5),
    "CreateSnapshot": (100, 5),
    "CreateTags": (100, 10),
    "CreateVolume": (100, 5),
    "CreateVpcEndpoint": (4, 0.3),
    "DeleteNatGateway": (10, 1),
    "DeleteNetworkInterface": (100, 5),
    "DeleteSnapshot": (100, 5),
    "DeleteTags": (100, 10),
    "DeleteVolume": (100, 5),
    "DeleteVpcEndpoints": (4, 0.3),
    "DescribeSecurityGroupReferences": (20, 5),
    "DescribeStaleSecurityGroups": (20, 5),
    "ModifyInstanceMetadataOptions": (100, 5),
    "ModifyLaunchTemplate": (100, 5),
    "ModifyNetworkInterfaceAttribute": (100, 5),
    "ModifyVpcEndpoint": (4, 0.3),
    "RunInstances": (5, 2),
    "StartInstances": (5, 2),
    "TerminateInstances": (100, 5),
}

_ELB_ACTIONS: dict[str, Rate] = {
    "CreateLoadBalancer": (10, 0.2),
    "DeregisterTargets": (20, 4),
    "RegisterTargets": (20, 4),
    "SetSubnets": (10, 0.2),
}

_ROUTE53_ACTIONS: dict[str, Rate] = {
    "AssociateVPCWithHostedZone": (20, 5),
    "CreateHostedZone": (40, 2),
    "DeleteHostedZone": (40, 5),
    "DisassociateVPCFromHostedZone": (10, 5),
}

_ELB = Rates(
    "ThrottlingException", "Rate exceeded", 400, read=(40, 10), write=(20, 3), account=(40, 10), actions=_ELB_ACTIONS
)

RATES: dict[str, Rates] = {
    "ec2": Rates(
        "RequestLimitExceeded",
        "Request limit exceeded.",
        503,
        read=(100, 20),
        write=(50, 5),
        actions=_EC2_ACTIONS,
        each_action=True,
    ),
    # Each version of the API has its buckets.
    "elb": _ELB,
    "elbv2": _ELB,
    "route53": Rates(
        "Throttling",
        "Rate exceeded",
        400,
        read=(50, 10),
        write=(50, 10),
        account=(50, 10),
        actions=_ROUTE53_ACTIONS,
        each_action=True,
        is_global=True,
    ),
    "autoscaling": Rates("Throttling", "Rate exceeded", 400, read=(100, 20), write=(50, 5), account=(100, 20)),
    "iam": Rates("Throttling", "Rate exceeded", 400, read=(50, 15), write=(20, 5), account=(50, 15), is_global=True),
    "ssm": Rates("ThrottlingException", "Rate exceeded", 400, read=(40, 40), write=(10, 10)),
}
