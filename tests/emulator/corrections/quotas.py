"""Quotas of an account, as Service Quotas and the services themselves tell them. quota_checks.py refuses what exceeds them.

Corrects moto/servicequotas/models.py, which knows the defaults of VPC only, and adds what Auto Scaling tells of its own.
Accounts have quotas far above AWS's defaults until a test sets lower ones.
"""

import json

from moto.autoscaling.models import autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult
from moto.iam.models import AccountSummary
from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import ServiceQuotasBackend
from moto.servicequotas.responses import ServiceQuotasResponse

from .. import conditions
from ..quotas import QUOTAS
from .patching import adds, corrects


@corrects(ServiceQuotasBackend, "get_service_quota")
def get_service_quota(original, self, service_code, quota_code):
    return _told(self.account_id, service_code, quota_code, {False})


@adds(ServiceQuotasResponse, "get_aws_default_service_quota")
def get_aws_default_service_quota(self):
    asked = json.loads(self.body)
    quota = _told(self.current_account, asked["ServiceCode"], asked["QuotaCode"], {False, True})
    return json.dumps({"Quota": quota})


def _told(account: str, service_code: str, quota_code: str, is_default: set[bool]) -> dict:
    for name, quota in QUOTAS.items():
        if (quota.service, quota.code) == (service_code, quota_code) and quota.is_default in is_default:
            return {
                "ServiceCode": quota.service,
                "QuotaCode": quota.code,
                "QuotaName": quota.title,
                "Value": float(conditions.of(account).quota(name)),
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
