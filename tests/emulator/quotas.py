"""AWS's quotas: how much of everything an account may have, in a region or for itself.

The values are those of an account that has not asked for more; the codes and names are those of Service Quotas.
https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html has a page for each service.
"""

from dataclasses import dataclass

# What an account has of the quotas that a test does not set: it has asked for more.
RAISED = 10_000

DEFAULT = "default"


@dataclass(frozen=True)
class Quota:
    value: int
    service: str
    code: str
    title: str
    # The account has a value of its own only if it asked for one; until then there is AWS's.
    is_default: bool = False


QUOTAS: dict[str, Quota] = {
    "addresses": Quota(5, "ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", is_default=True),
    "application-load-balancers": Quota(
        50, "elasticloadbalancing", "L-53DA6B97", "Application Load Balancers per Region"
    ),
    "auto-scaling-groups": Quota(500, "autoscaling", "L-CDE20ADC", "Auto Scaling groups per region"),
    "hosted-zones": Quota(500, "route53", "L-4EA4796A", "Hosted zones"),
    "instance-profiles": Quota(1000, "iam", "L-6E65F664", "Instance profiles per account"),
    "internet-gateways": Quota(5, "vpc", "L-A4707A72", "Internet gateways per Region"),
    "nat-gateways": Quota(5, "vpc", "L-FE5A380F", "NAT gateways per Availability Zone"),
    "network-load-balancers": Quota(50, "elasticloadbalancing", "L-69A177A2", "Network Load Balancers per Region"),
    "roles": Quota(1000, "iam", "L-FE177D64", "Roles per account"),
    "route-tables": Quota(200, "vpc", "L-589F43AA", "Route tables per VPC"),
    "security-groups": Quota(2500, "vpc", "L-E79EC296", "VPC security groups per Region"),
    "subnets": Quota(200, "vpc", "L-407747CB", "Subnets per VPC"),
    "target-groups": Quota(3000, "elasticloadbalancing", "L-B22855CB", "Target Groups per Region"),
    "vcpus-f": Quota(0, "ec2", "L-74FC7D96", "Running On-Demand F instances"),
    "vcpus-g": Quota(0, "ec2", "L-DB2E81BA", "Running On-Demand G and VT instances"),
    "vcpus-inf": Quota(0, "ec2", "L-1945791B", "Running On-Demand Inf instances"),
    "vcpus-p": Quota(0, "ec2", "L-417A185B", "Running On-Demand P instances"),
    "vcpus-spot-g": Quota(0, "ec2", "L-3819A6DF", "All G and VT Spot Instance Requests"),
    "vcpus-spot-standard": Quota(
        5, "ec2", "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"
    ),
    "vcpus-standard": Quota(
        5, "ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"
    ),
    "vpcs": Quota(5, "vpc", "L-F678F1CE", "VPCs per Region"),
}


def checked(given: dict[str, int] | str) -> dict[str, int]:
    """The quotas that a test asks for, by name; `default` are all of AWS's."""
    if given == DEFAULT:
        return {name: quota.value for name, quota in QUOTAS.items()}
    unknown = set(given) - set(QUOTAS)
    if unknown:
        raise ValueError(f"there is no quota {', '.join(sorted(unknown))}, but {', '.join(QUOTAS)}")
    return dict(given)
