"""Quotas of an account, as Service Quotas and the services themselves tell them.

Corrects moto/servicequotas/models.py, which knows the defaults of VPC only, and adds what Auto Scaling tells of its own.
Accounts have quotas far above AWS's defaults until a test sets lower ones. Nothing is refused for them here.
"""

from moto.autoscaling.models import autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import ServiceQuotasBackend

from .patching import adds, corrects

RAISED = 10_000

# Name -> service, code and name in Service Quotas. `auto-scaling-groups` is told by Auto Scaling.
NAMES = {
    "addresses": ("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs"),
    "nat-gateways": ("vpc", "L-FE5A380F", "NAT gateways per Availability Zone"),
    "network-load-balancers": ("elasticloadbalancing", "L-69A177A2", "Network Load Balancers per Region"),
    "vcpus-f": ("ec2", "L-74FC7D96", "Running On-Demand F instances"),
    "vcpus-g": ("ec2", "L-DB2E81BA", "Running On-Demand G and VT instances"),
    "vcpus-inf": ("ec2", "L-1945791B", "Running On-Demand Inf instances"),
    "vcpus-p": ("ec2", "L-417A185B", "Running On-Demand P instances"),
    "vcpus-spot-g": ("ec2", "L-3819A6DF", "All G and VT Spot Instance Requests"),
    "vcpus-spot-standard": ("ec2", "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
    "vcpus-standard": ("ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
    "vpcs": ("vpc", "L-F678F1CE", "VPCs per Region"),
}
_GROUPS = "auto-scaling-groups"

_accounts: dict[str, dict[str, int]] = {}


def put(account: str, quotas: dict[str, int] | None) -> None:
    unknown = set(quotas or {}) - set(NAMES) - {_GROUPS}
    if unknown:
        raise ValueError(f"quotas are {', '.join([_GROUPS, *NAMES])}, not {', '.join(unknown)}")
    _accounts[account] = quotas or {}


def forget(account: str) -> None:
    _accounts.pop(account, None)


def of(account: str, name: str) -> int:
    return _accounts.get(account, {}).get(name, RAISED)


@corrects(ServiceQuotasBackend, "get_service_quota")
def get_service_quota(original, self, service_code, quota_code):
    for name, (service, code, title) in NAMES.items():
        if (service, code) == (service_code, quota_code):
            return {
                "ServiceCode": service,
                "QuotaCode": code,
                "QuotaName": title,
                "Value": float(of(self.account_id, name)),
                "Adjustable": True,
                "GlobalQuota": False,
                "Unit": "None",
            }
    raise NoSuchResource


@adds(AutoScalingResponse, "describe_account_limits")
def describe_account_limits(self):
    groups = autoscaling_backends[self.current_account][self.region].autoscaling_groups
    return ActionResult(
        {
            "MaxNumberOfAutoScalingGroups": of(self.current_account, _GROUPS),
            "MaxNumberOfLaunchConfigurations": 200,
            "NumberOfAutoScalingGroups": len(groups),
            "NumberOfLaunchConfigurations": 0,
        }
    )
