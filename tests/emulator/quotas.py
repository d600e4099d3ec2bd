"""AWS's quotas: how much of everything an account may have, in a region or for itself.

The values are those of an account that has not asked for more, and the codes those of Service Quotas:
https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html, each service's page.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quota:
    value: int
    service: str
    code: str


QUOTAS: dict[str, Quota] = {
    "addresses": Quota(5, "ec2", "L-0263D0A3"),
    "application_load_balancers": Quota(50, "elasticloadbalancing", "L-53DA6B97"),
    "auto_scaling_groups": Quota(500, "autoscaling", "L-CDE20ADC"),
    "hosted_zones": Quota(500, "route53", "L-4EA4796A"),
    "instance_profiles": Quota(1000, "iam", "L-6E65F664"),
    "internet_gateways": Quota(5, "vpc", "L-A4707A72"),
    "nat_gateways_per_zone": Quota(5, "vpc", "L-FE5A380F"),
    "network_load_balancers": Quota(50, "elasticloadbalancing", "L-69A177A2"),
    "roles": Quota(1000, "iam", "L-FE177D64"),
    "route_tables_per_vpc": Quota(200, "vpc", "L-589F43AA"),
    "security_groups": Quota(2500, "vpc", "L-E79EC296"),
    "spot_vcpus": Quota(5, "ec2", "L-34B43A08"),
    "subnets_per_vpc": Quota(200, "vpc", "L-407747CB"),
    "target_groups": Quota(3000, "elasticloadbalancing", "L-B22855CB"),
    "vcpus": Quota(5, "ec2", "L-1216C47A"),
    "vpcs": Quota(5, "vpc", "L-F678F1CE"),
}


def with_defaults(given: dict[str, int]) -> dict[str, int]:
    unknown = set(given) - set(QUOTAS)
    if unknown:
        raise ValueError(f"there is no quota {', '.join(sorted(unknown))}, but {', '.join(QUOTAS)}")
    return {**{name: quota.value for name, quota in QUOTAS.items()}, **given}
