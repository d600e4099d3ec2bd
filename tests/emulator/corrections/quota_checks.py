"""What AWS refuses because an account has enough: only where a test has set quotas.

Corrects moto/ec2/responses/*.py, moto/elbv2/responses.py, moto/autoscaling/responses.py, moto/iam/responses.py and
moto/route53/responses.py, which have no such limits.
"""

import re
from collections.abc import Callable

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.responses import AutoScalingResponse
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses import EC2Response
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.responses import ELBV2Response
from moto.iam.exceptions import LimitExceededException
from moto.iam.responses import IamResponse
from moto.route53.exceptions import Route53ClientError
from moto.route53.responses import Route53

from .. import conditions
from .launching import Launch
from .patching import before, corrects


def _limits(owner, method: str, quota: str, used: Callable[..., int], refuse: Callable[[int], Exception]) -> None:
    """`method` makes one more of what `used` counts."""

    @before(owner, method)
    def within_quota(self, *args, **kwargs):
        largest = conditions.of(self.current_account).quotas.get(quota)
        if largest is not None and used(self) >= largest:
            raise refuse(largest)


def _ec2(method: str, quota: str, used: Callable[..., int], code: str, things: str) -> None:
    _limits(
        EC2Response,
        method,
        quota,
        used,
        lambda largest: EC2ClientError(code, f"The maximum number of {things} has been reached."),
    )


def _in_vpc(response, things) -> int:
    return sum(thing.vpc_id == response._get_param("VpcId") for thing in things)


def _nat_gateways_in_zone(response) -> int:
    backend = response.ec2_backend
    zone = backend.get_subnet(response._get_param("SubnetId")).availability_zone
    return sum(
        backend.get_subnet(gateway.subnet_id).availability_zone == zone
        for gateway in backend.nat_gateways.values()
        if gateway.state not in ("deleted", "failed")
    )


_ec2("create_vpc", "vpcs", lambda self: len(self.ec2_backend.vpcs), "VpcLimitExceeded", "VPCs")
_ec2("allocate_address", "addresses", lambda self: len(self.ec2_backend.addresses), "AddressLimitExceeded", "addresses")
_ec2(
    "create_internet_gateway",
    "internet-gateways",
    lambda self: len(self.ec2_backend.internet_gateways),
    "InternetGatewayLimitExceeded",
    "internet gateways",
)
_ec2(
    "create_subnet",
    "subnets",
    lambda self: _in_vpc(self, self.ec2_backend.describe_subnets()),
    "SubnetLimitExceeded",
    "subnets",
)
_ec2(
    "create_route_table",
    "route-tables",
    lambda self: _in_vpc(self, self.ec2_backend.route_tables.values()),
    "RouteTableLimitExceeded",
    "route tables",
)
_ec2(
    "create_security_group",
    "security-groups",
    lambda self: sum(len(groups) for groups in self.ec2_backend.groups.values()),
    "SecurityGroupLimitExceeded",
    "security groups",
)
_limits(
    EC2Response,
    "create_nat_gateway",
    "nat-gateways",
    _nat_gateways_in_zone,
    lambda largest: EC2ClientError(
        "NatGatewayLimitExceeded", f"Performing this operation would exceed the limit of {largest} NAT gateways"
    ),
)


# vCPUs

# Families of instance types that share a quota; those of others are not looked at.
_FAMILIES = {
    "standard": re.compile(r"(?!hpc|inf|dl)[acdhimrtz][a-z]*\d"),
    "f": re.compile(r"f\d"),
    "g": re.compile(r"(g|vt)\d"),
    "inf": re.compile(r"inf\d"),
    "p": re.compile(r"p\d"),
}


def _vcpu_quota(instance_type: str, spot: bool) -> str | None:
    for family, pattern in _FAMILIES.items():
        if pattern.match(instance_type):
            return f"vcpus-spot-{family}" if spot else f"vcpus-{family}"
    return None


def _vcpus(instance_type: str) -> int:
    return INSTANCE_TYPES[instance_type]["VCpuInfo"]["DefaultVCpus"]


def _used_vcpus(backend, quota: str) -> int:
    return sum(
        _vcpus(instance.instance_type)
        for reservation in backend.reservations.values()
        for instance in reservation.instances
        if instance.state in ("pending", "running")
        and _vcpu_quota(instance.instance_type, instance.lifecycle == "spot") == quota
    )


@corrects(Launch, "run")
def run_within_quota(original, self, count):
    """Of RunInstances and of groups alike."""
    spot = (self.spec.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"
    quota = _vcpu_quota(self.instance_type, spot)
    largest = conditions.of(self.backend.account_id).quotas.get(quota)
    if (
        largest is not None
        and self.instance_type in INSTANCE_TYPES
        and _used_vcpus(self.backend, quota) + count * _vcpus(self.instance_type) > largest
    ):
        raise _too_many_vcpus(spot, largest)
    return original(self, count)


def _too_many_vcpus(spot: bool, largest: int) -> EC2ClientError:
    if spot:
        return EC2ClientError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    return EC2ClientError(
        "VcpuLimitExceeded",
        f"You have requested more vCPU capacity than your current vCPU limit of {largest} allows for the instance "
        "bucket that the specified instance type belongs to. Please visit "
        "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
    )


# Other services. A repeated request that answers with what is there already makes nothing.


def _load_balancers(kind: str) -> None:
    quota = f"{kind}-load-balancers"

    def used(response) -> int:
        if response._get_param("Type", "application") != kind:
            return -1
        existing = response.elbv2_backend.load_balancers.values()
        if any(balancer.name == response._get_param("Name") for balancer in existing):
            return -1
        return sum(balancer.type == kind for balancer in existing)

    _limits(
        ELBV2Response,
        "create_load_balancer",
        quota,
        used,
        lambda largest: ELBClientError(
            "TooManyLoadBalancers", "The maximum number of load balancers has been reached"
        ),
    )


_load_balancers("network")
_load_balancers("application")
_limits(
    ELBV2Response,
    "create_target_group",
    "target-groups",
    lambda self: len(self.elbv2_backend.target_groups),
    lambda largest: ELBClientError("TooManyTargetGroups", "The maximum number of target groups has been reached"),
)
_limits(
    AutoScalingResponse,
    "create_auto_scaling_group",
    "auto-scaling-groups",
    lambda self: len(self.autoscaling_backend.autoscaling_groups),
    lambda largest: AutoscalingClientError("LimitExceeded", f"You have reached your limit of {largest} groups"),
)
_limits(
    IamResponse,
    "create_role",
    "roles",
    lambda self: len(self.backend.roles),
    lambda largest: LimitExceededException(f"Cannot exceed quota for RolesPerAccount: {largest}"),
)
_limits(
    IamResponse,
    "create_instance_profile",
    "instance-profiles",
    lambda self: len(self.backend.instance_profiles),
    lambda largest: LimitExceededException(f"Cannot exceed quota for InstanceProfilesPerAccount: {largest}"),
)


class TooManyHostedZones(Route53ClientError):
    code = 400

    def __init__(self):
        super().__init__(
            "TooManyHostedZones", "Limits Exceeded: MAX_HOSTED_ZONES_BY_OWNER - Cannot create more hosted zones."
        )


_limits(
    Route53,
    "create_hosted_zone",
    "hosted-zones",
    lambda self: len(self.backend.zones),
    lambda largest: TooManyHostedZones(),
)
