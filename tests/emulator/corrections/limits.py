"""What AWS refuses before it looks at anything else: names, sizes, tags.

Corrects moto/ec2/responses/*.py and moto/elbv2/responses.py, which check little of it.
"""

import base64
import binascii
import ipaddress
import re

from moto.autoscaling.exceptions import ValidationError as AutoScalingValidationError
from moto.autoscaling.responses import AutoScalingResponse
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response
from moto.elbv2.exceptions import ELBClientError, ValidationError
from moto.elbv2.responses import ELBV2Response

from .patching import before

MAX_USER_DATA = 16_384
MAX_TAGS = 50
MAX_TAG_KEY = 128
MAX_TAG_VALUE = 256

_TEMPLATE_NAME = re.compile(r"[a-zA-Z0-9().\-/_]{3,128}")
_GROUP_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")
_BALANCER_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?")

# The types of resources whose tags a call takes in TagSpecifications.
_TAGGED_BY = {
    "allocate_address": {"elastic-ip"},
    "authorize_security_group_egress": {"security-group-rule"},
    "authorize_security_group_ingress": {"security-group-rule"},
    "create_dhcp_options": {"dhcp-options"},
    "create_egress_only_internet_gateway": {"egress-only-internet-gateway"},
    "create_internet_gateway": {"internet-gateway"},
    "create_key_pair": {"key-pair"},
    "create_launch_template": {"launch-template"},
    "create_nat_gateway": {"natgateway"},
    "create_network_interface": {"network-interface"},
    "create_route_table": {"route-table"},
    "create_security_group": {"security-group"},
    "create_snapshot": {"snapshot"},
    "create_subnet": {"subnet"},
    "create_volume": {"volume"},
    "create_vpc": {"vpc"},
    "create_vpc_endpoint": {"vpc-endpoint"},
    "import_key_pair": {"key-pair"},
    "run_instances": {"instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"},
}
_TAGGED_BY_TEMPLATE = _TAGGED_BY["run_instances"]


# Tags of EC2


def _check_tags(tags: list[dict]) -> None:
    keys = [tag.get("Key", "") for tag in tags]
    if len(keys) > MAX_TAGS:
        raise EC2ClientError("TagLimitExceeded", f"More than {MAX_TAGS} tags specified")
    if len(set(keys)) < len(keys):
        raise EC2ClientError("InvalidParameterValue", "Duplicate tag keys specified")
    for tag in tags:
        _check_tag(tag)


def _check_tag(tag: dict) -> None:
    key, value = tag.get("Key", ""), tag.get("Value") or ""
    if key.lower().startswith("aws:"):
        raise EC2ClientError(
            "InvalidParameterValue", f"Tag keys starting with 'aws:' are reserved for internal use: {key}"
        )
    if not 1 <= len(key) <= MAX_TAG_KEY:
        raise EC2ClientError("InvalidParameterValue", f"Tag key exceeds the maximum length of {MAX_TAG_KEY} characters")
    if len(value) > MAX_TAG_VALUE:
        raise EC2ClientError(
            "InvalidParameterValue", f"Tag value exceeds the maximum length of {MAX_TAG_VALUE} characters"
        )


def _check_tag_specifications(specifications: list[dict], taken: set[str]) -> None:
    for specification in specifications:
        kind = specification.get("ResourceType")
        if kind not in taken:
            raise EC2ClientError(
                "InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation."
            )
        _check_tags(specification.get("Tags") or [])


def _takes_tags(method: str, taken: set[str]) -> None:
    @before(EC2Response, method)
    def tags_of_right_type(self):
        _check_tag_specifications(self._get_param("TagSpecifications", []) or [], taken)


for _method, _taken in _TAGGED_BY.items():
    _takes_tags(_method, _taken)


@before(EC2Response, "create_tags")
def check_added_tags(self):
    _check_tags(self._get_param("Tags", []))


# Launch templates and user data


@before(EC2Response, "create_launch_template")
def check_template_name(self):
    name = self._get_param("LaunchTemplateName") or ""
    if not _TEMPLATE_NAME.fullmatch(name):
        raise EC2ClientError(
            "InvalidLaunchTemplateName.MalformedException",
            "The launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the "
            f"characters ( ) . - / _: '{name}'",
        )


def _decoded_size(encoded: str) -> int:
    try:
        return len(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        raise EC2ClientError("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from None


def _checks_template_data(method: str) -> None:
    @before(EC2Response, method)
    def check_template_data(self):
        data = self._get_param("LaunchTemplateData", {}) or {}
        if data.get("UserData") and _decoded_size(data["UserData"]) > MAX_USER_DATA:
            raise EC2ClientError("InvalidUserData.Malformed", f"User data is limited to {MAX_USER_DATA} bytes")
        _check_tag_specifications(data.get("TagSpecifications") or [], _TAGGED_BY_TEMPLATE)
        if data.get("NetworkInterfaces") and data.get("SecurityGroupIds"):
            raise EC2ClientError(
                "InvalidParameterCombination",
                "Network interfaces and an instance-level security groups may not be specified on the same request",
            )


_checks_template_data("create_launch_template")
_checks_template_data("create_launch_template_version")


@before(EC2Response, "run_instances")
def check_user_data(self):
    encoded = self._get_param("UserData")
    if encoded and _decoded_size(encoded) > MAX_USER_DATA:
        raise EC2ClientError("InvalidParameterValue", f"User data is limited to {MAX_USER_DATA} bytes")


# Networks and groups


@before(EC2Response, "create_subnet")
def check_subnet_size(self):
    """A subnet has a /16 to /28; moto goes down to /32."""
    cidr = self._get_param("CidrBlock")
    if not cidr:
        return
    try:
        network = ipaddress.IPv4Network(cidr, strict=False)
    except ValueError:
        return
    if not 16 <= network.prefixlen <= 28:
        raise EC2ClientError("InvalidSubnet.Range", f"The CIDR '{cidr}' is invalid.")


@before(EC2Response, "create_security_group")
def check_group_name(self):
    name, description = self._get_param("GroupName") or "", self._get_param("Description") or ""
    if not description:
        raise EC2ClientError("MissingParameter", "The request must contain the parameter GroupDescription")
    if name.lower().startswith("sg-"):
        raise EC2ClientError("InvalidParameterValue", f"Group names may not be in the format sg-*: {name}")
    if name.lower() == "default":
        raise EC2ClientError("InvalidParameterValue", "Cannot use reserved security group name: default")
    for member, text in (("groupName", name), ("groupDescription", description)):
        if not _GROUP_TEXT.fullmatch(text):
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Value ({text}) for parameter {member} is invalid. Character sets beyond ASCII are not supported, and "
                "the value must have 1 to 255 characters.",
            )


# Load balancers


def _check_balancer_name(name: str, what: str) -> str | None:
    if len(name) > 32:
        return f"{what} name '{name}' cannot be longer than '32' characters"
    if not _BALANCER_NAME.fullmatch(name):
        return (
            f"{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-), and "
            "cannot begin or end with '-'"
        )
    return None


@before(ELBV2Response, "create_load_balancer")
def check_load_balancer_name(self):
    name = self._get_param("Name")
    problem = _check_balancer_name(name, "The load balancer")
    if name.startswith("internal-"):
        problem = "The load balancer name cannot begin with 'internal-'"
    if problem:
        raise ValidationError(problem)
    _check_balancer_tags(self)


@before(ELBV2Response, "create_target_group")
def check_target_group_name(self):
    problem = _check_balancer_name(self._get_param("Name"), "Target group")
    if problem:
        raise ValidationError(problem)
    _check_balancer_tags(self)


@before(ELBV2Response, "create_listener")
def check_listener_tags(self):
    _check_balancer_tags(self)


@before(ELBV2Response, "add_tags")
def check_balancer_tags(self):
    _check_balancer_tags(self)


def _check_balancer_tags(response) -> None:
    tags = response._get_param("Tags", [])
    keys = [tag["Key"] for tag in tags]
    if len(set(keys)) < len(keys):
        raise ELBClientError("DuplicateTagKeys", "Tag keys must be unique")
    if len(keys) > MAX_TAGS:
        raise ELBClientError("TooManyTags", f"A resource can have at most {MAX_TAGS} tags")
    for tag in tags:
        if tag["Key"].lower().startswith("aws:"):
            raise ValidationError(f"Tag keys starting with 'aws:' are reserved for system use: {tag['Key']}")
        if not 1 <= len(tag["Key"]) <= MAX_TAG_KEY or len(tag.get("Value") or "") > MAX_TAG_VALUE:
            raise ValidationError(f"The tag '{tag['Key']}' is too long")


# Auto Scaling groups


@before(AutoScalingResponse, "create_auto_scaling_group")
def check_group(self):
    name = self._get_param("AutoScalingGroupName")
    if not 1 <= len(name) <= 255:
        raise AutoScalingValidationError(
            f"1 validation error detected: Value '{name}' at 'autoScalingGroupName' failed to satisfy constraint: "
            "Member must have length less than or equal to 255"
        )
    _check_group_tags(self)


@before(AutoScalingResponse, "create_or_update_tags")
def check_updated_tags(self):
    _check_group_tags(self)


def _check_group_tags(response) -> None:
    tags = response._get_param("Tags", [])
    if len(tags) > MAX_TAGS:
        raise AutoScalingValidationError(f"Tag count of {len(tags)} exceeds limit of {MAX_TAGS}")
    for tag in tags:
        if tag["Key"].lower().startswith("aws:"):
            raise AutoScalingValidationError(f"Tag keys starting with 'aws:' are reserved: {tag['Key']}")
        if len(tag["Key"]) > MAX_TAG_KEY or len(tag.get("Value") or "") > MAX_TAG_VALUE:
            raise AutoScalingValidationError(f"The tag '{tag['Key']}' is too long")
