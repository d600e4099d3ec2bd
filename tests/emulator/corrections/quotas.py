"""Quotas of an account, as Service Quotas and the services themselves tell them. quota_checks.py refuses what exceeds them.

Corrects moto/servicequotas/models.py, which knows the defaults of VPC only, and adds what Auto Scaling tells of its own.
Accounts have quotas far above AWS's defaults until a test sets lower ones.
"""

from moto.autoscaling.models import autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.iam.models import AccountSummary
from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import ServiceQuotasBackend

from .. import conditions
from ..quotas import QUOTAS
from .patching import adds, corrects


@corrects(ServiceQuotasBackend, "get_service_quota")
def get_service_quota(original, self, service_code, quota_code):
    for name, quota in QUOTAS.items():
        if (quota.service, quota.code) == (service_code, quota_code):
            return {
                "ServiceCode": quota.service,
                "QuotaCode": quota.code,
                "QuotaName": quota.title,
                "Value": float(conditions.of(self.account_id).quota(name)),
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
            "MaxNumberOfAutoScalingGroups": conditions.of(self.current_account).quota("auto-scaling-groups"),
            "MaxNumberOfLaunchConfigurations": 200,
            "NumberOfAutoScalingGroups": len(groups),
            "NumberOfLaunchConfigurations": 0,
        }
    )


@corrects(AccountSummary, "summary_map")
def summary_map(original, self):
    return original(self) | {"RolesQuota": conditions.of(self._iam_backend.account_id).quota("roles")}
