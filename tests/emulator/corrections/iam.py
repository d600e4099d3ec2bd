"""Roles and instance profiles.

Corrects moto/iam/models.py and moto/iam/responses.py.
"""

import functools
import json
import re
import time

from moto.core.responses import ActionResult
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import (
    LimitExceededException,
    MalformedPolicyDocument,
    NotFoundException,
    ValidationError,
)
from moto.iam.models import AWSManagedPolicy, IAMBackend, InstanceProfile
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator
from moto.iam.responses import IamResponse

from .. import conditions
from . import listings
from .listings import Page
from .patching import after, before, corrects

_NAME = re.compile(r"[\w+=,.@-]+")
MAX_ROLE_NAME = 64
MAX_PROFILE_NAME = 128
MAX_INLINE_POLICY = 10_240
MAX_TRUST_POLICY = 2_048
DEFAULT_PAGE = 100


def _check_name(value: str, member: str, longest: int) -> None:
    if len(value) > longest:
        raise ValidationError(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
            f"Member must have length less than or equal to {longest}"
        )
    if not _NAME.fullmatch(value):
        raise ValidationError(
            f"The specified value for {member} is invalid. It must contain only alphanumeric characters and/or the "
            "following: +=,.@_-"
        )


@before(IamResponse, "create_role")
def check_new_role(self):
    """moto takes role names of any length and trust policies that are no policies."""
    _check_name(self._get_param("RoleName"), "roleName", MAX_ROLE_NAME)
    document = self._get_param("AssumeRolePolicyDocument") or ""
    if not document.strip():
        raise MalformedPolicyDocument("This policy contains invalid Json")
    IAMTrustPolicyDocumentValidator(document).validate()
    if _size(document) > MAX_TRUST_POLICY:
        raise LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {MAX_TRUST_POLICY}")


@before(IamResponse, "create_instance_profile")
def check_new_profile(self):
    _check_name(self._get_param("InstanceProfileName"), "instanceProfileName", MAX_PROFILE_NAME)


@before(IamResponse, "put_role_policy")
def inline_policies_fit(self):
    """All inline policies of a role together, white space not counted; moto has no limit."""
    role = self.backend.get_role(self._get_param("RoleName"))
    policies = {**role.policies, self._get_param("PolicyName"): self._get_param("PolicyDocument")}
    if sum(_size(document) for document in policies.values()) > MAX_INLINE_POLICY:
        raise LimitExceededException(f"Maximum policy size of {MAX_INLINE_POLICY} bytes exceeded for role {role.name}")


def _size(document: str) -> int:
    return len("".join(document.split()))


# Policies of AWS


@functools.cache
def _policies_of_aws() -> dict[str, dict]:
    return json.loads(aws_managed_policies_data)


def _policy_when_asked_for(method: str) -> None:
    @before(IamResponse, method)
    def load_policy(self):
        """An account gets a policy of AWS when it first names it: all 1,300 of them take moto 5 MB per account."""
        arn = self._get_param("PolicyArn") or ""
        name = arn.rsplit("/", 1)[-1]
        if ":iam::aws:policy/" not in arn or arn in self.backend.managed_policies or name not in _policies_of_aws():
            return
        policy = AWSManagedPolicy.from_data(name, self.current_account, self.region, _policies_of_aws()[name])
        if policy.arn == arn:
            self.backend.managed_policies[arn] = policy
            self.backend.aws_managed_policies.append(policy)


for _method in ("attach_role_policy", "get_policy", "get_policy_version", "list_policy_versions"):
    _policy_when_asked_for(_method)


@before(IAMBackend, "remove_role_from_instance_profile")
def role_must_be_in_profile(self, profile_name, role_name):
    profile = self.get_instance_profile(profile_name)
    if self.get_role(role_name) not in profile.roles:
        raise NotFoundException(f"Role {role_name} not found in instance profile {profile_name}")


# EC2 gets to know instance profiles some time after IAM does.


@after(IAMBackend, "create_instance_profile")
def new_profile(self, name, *args, **kwargs):
    _unknown_for_a_while(self.get_instance_profile(name), self.account_id)


@after(IAMBackend, "add_role_to_instance_profile")
def profile_with_new_role(self, profile_name, role_name):
    _unknown_for_a_while(self.get_instance_profile(profile_name), self.account_id)


def _unknown_for_a_while(profile: InstanceProfile, account: str) -> None:
    profile.unknown_until = time.monotonic() + conditions.of(account).profile_seconds


def is_unknown_yet(profile: InstanceProfile, account: str) -> bool:
    if not conditions.of(account).profile_seconds:
        return False
    return time.monotonic() < getattr(profile, "unknown_until", 0)


# Listings


def _page(response, items: list) -> tuple[list, str | None]:
    size = response._get_int_param("MaxItems") or DEFAULT_PAGE
    return Page.of(response, response._get_param("Marker"), size).cut(items)


def _under_path(response, items) -> list:
    prefix, left_out = response._get_param("PathPrefix") or "/", listings.hidden(response.current_account)
    return sorted(
        (item for item in items if item.path.startswith(prefix) and item.name not in left_out),
        key=lambda item: item.name,
    )


@corrects(IamResponse, "list_roles")
def list_roles(original, self):
    """In the order of their names. Without tags, as in AWS: ListRoleTags shows those."""
    shown, marker = _page(self, _under_path(self, self.backend.roles.values()))
    return ActionResult({"Roles": shown, "IsTruncated": bool(marker), "Marker": marker})


@corrects(IamResponse, "list_instance_profiles")
def list_instance_profiles(original, self):
    """Under a path, in pages, without tags; moto ignores the path and shows everything with tags."""
    shown, marker = _page(self, _under_path(self, self.backend.instance_profiles.values()))
    return ActionResult(
        {
            "InstanceProfiles": [_without_tags(profile) for profile in shown],
            "IsTruncated": bool(marker),
            "Marker": marker,
        }
    )


def _without_tags(profile: InstanceProfile) -> dict:
    return {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn,
        "CreateDate": profile.create_date,
        "Roles": profile.roles,
    }


@corrects(IamResponse, "list_instance_profiles_for_role")
def list_instance_profiles_for_role(original, self):
    answer = original(self)
    return ActionResult({"InstanceProfiles": [_without_tags(profile) for profile in answer.result["InstanceProfiles"]]})


_DETAILS = {"User": "UserDetailList", "Group": "GroupDetailList", "Role": "RoleDetailList"}


@corrects(IamResponse, "get_account_authorization_details")
def get_account_authorization_details(original, self):
    """In pages, over all kinds of entities together; moto shows everything at once."""
    answer = original(self).result
    members = [*_DETAILS.values(), "Policies"]
    items = [(member, item) for member in members for item in answer[member]]
    shown, marker = _page(self, items)
    details = {member: [item for kind, item in shown if kind == member] for member in members}
    return ActionResult({**details, "IsTruncated": bool(marker), "Marker": marker})
