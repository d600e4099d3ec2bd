"""Security groups and their rules.

Corrects moto/ec2/models/security_groups.py and moto/ec2/responses/security_groups.py.
"""

from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    DependencyViolationError,
    EC2ClientError,
    InvalidSecurityGroupNotFoundError,
)
from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses import EC2Response

from .ec2_network import canonical
from .ec2_tags import forget_tags
from .patching import before, corrects


def _canonical_ranges(permissions: list[dict]) -> None:
    for permission in permissions:
        for ranges, member in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
            for entry in permission.get(ranges, []):
                entry[member] = canonical(entry.get(member, ""))
        for member in ("CidrIp", "CidrIpv6"):
            if member in permission:
                permission[member] = canonical(permission[member])


def _authorize(direction: str) -> None:
    @corrects(EC2Response, f"authorize_security_group_{direction}")
    def authorize(original, self):
        """All rules of a call, or none; and all of them in the answer. moto stops half-way and shows the last ones."""
        _canonical_ranges(self.params.get("IpPermissions", []))
        _canonical_ranges([self.params])
        group = self.ec2_backend.get_security_group_by_name_or_id(
            self._get_param("GroupId") or self._get_param("GroupName")
        )
        kept = (list(group.ingress_rules), list(group.egress_rules)) if group else ([], [])
        add = getattr(self.ec2_backend, f"authorize_security_group_{direction}")
        added = []
        try:
            for rule in self._process_rules_from_querystring():
                _check_protocol(rule)
                added += add(**rule)[0]
        except EC2ClientError:
            for rule in added:
                forget_tags(self.ec2_backend, rule.id)
            if group:
                group.ingress_rules, group.egress_rules = kept
            raise
        return ActionResult({"Return": True, "SecurityGroupRules": added})


def _check_protocol(rule: dict) -> None:
    if rule["ip_protocol"] is None:
        raise EC2ClientError(
            "InvalidParameterValue",
            "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.",
        )
    if str(rule["ip_protocol"]).lower() in ("tcp", "udp", "6", "17") and (
        rule["from_port"] is None or rule["to_port"] is None
    ):
        raise EC2ClientError(
            "InvalidParameterValue", "Invalid value for portRange. Must specify both from and to ports with TCP/UDP."
        )
    if not rule["ip_ranges"] and not rule["source_groups"] and not rule["prefix_list_ids"]:
        raise EC2ClientError("InvalidParameterValue", "The request must contain a source or destination for the rule")


def _revoke(direction: str) -> None:
    @corrects(EC2Response, f"revoke_security_group_{direction}")
    def revoke(original, self):
        """The tags of a rule go with the rule."""
        _canonical_ranges(self.params.get("IpPermissions", []))
        _canonical_ranges([self.params])
        group = self.ec2_backend.get_security_group_by_name_or_id(
            self._get_param("GroupId") or self._get_param("GroupName")
        )
        had = _rule_ids(group)
        for rule_id in self._get_param("SecurityGroupRuleIds", []):
            if group and rule_id not in had:
                raise _no_rule(rule_id)
        answer = original(self)
        for rule_id in had - _rule_ids(group):
            forget_tags(self.ec2_backend, rule_id)
        return answer


def _no_rule(rule_id: str) -> EC2ClientError:
    return EC2ClientError(
        "InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{rule_id}' does not exist"
    )


def _rule_ids(group) -> set[str]:
    return {rule.id for rule in [*group.ingress_rules, *group.egress_rules]} if group else set()


for _direction in ("ingress", "egress"):
    _authorize(_direction)
    _revoke(_direction)


@corrects(SecurityGroupRule, "description")
def rule_description(original, self):
    """A rule that names a group carries a description too; moto shows it for address ranges only."""
    return self.ip_range.get("Description") or self.source_group.get("Description")


@corrects(EC2Backend, "modify_security_group_rules")
def modify_security_group_rules(original, self, group_id, rules):
    """Any rule can be changed to any other of its kind; moto knows rules of IPv4 ranges with ports only."""
    group = self.get_security_group_from_id(group_id)
    if group is None:
        raise InvalidSecurityGroupNotFoundError(group_id)
    for rule_id, wanted in rules.items():
        rule = group.get_rule(rule_id)
        if rule is None:
            raise _no_rule(rule_id)
        _modify(self, rule, wanted)


def _modify(backend, rule: SecurityGroupRule, wanted: dict) -> None:
    described = {"Description": wanted["Description"]} if wanted.get("Description") else {}
    source = wanted.get("ReferencedGroupId")
    changed = SecurityGroupRule(
        backend,
        wanted.get("IpProtocol"),
        rule.group_id,
        wanted.get("FromPort"),
        wanted.get("ToPort"),
        {
            **{
                member: canonical(wanted[given])
                for given, member in (("CidrIpv4", "CidrIp"), ("CidrIpv6", "CidrIpv6"))
                if wanted.get(given)
            },
            **({} if source else described),
        },
        {"GroupId": source, "UserId": backend.account_id, "OwnerId": backend.account_id, **described}
        if source
        else None,
        {"PrefixListId": wanted["PrefixListId"]} if wanted.get("PrefixListId") else None,
        is_egress=rule.is_egress,
    )
    changed.id = rule.id
    rule.__dict__.update(changed.__dict__)


@corrects(EC2Response, "create_security_group")
def create_security_group(original, self):
    """AWS answers with the tags; moto stores them only."""
    answer = original(self)
    group = self.ec2_backend.get_security_group_from_id(answer.result["GroupId"])
    return ActionResult({**answer.result, "Tags": group.get_tags()})


@before(EC2Backend, "create_security_group")
def vpc_must_exist(self, name, description, vpc_id=None, **kwargs):
    if vpc_id:
        self.get_vpc(vpc_id)


def _referencing_groups(backend, group_id: str) -> list[str]:
    return [
        group.id
        for groups in backend.groups.values()
        for group in groups.values()
        if group.id != group_id
        for rule in [*group.ingress_rules, *group.egress_rules]
        if rule.source_group.get("GroupId") == group_id
    ]


@corrects(EC2Backend, "delete_security_group")
def delete_security_group(original, self, name=None, group_id=None):
    """A group stays while an interface wears it or a rule of another group names it; the default group always."""
    group = self.get_security_group_from_id(group_id) if group_id else None
    if group is None:
        return original(self, name, group_id)
    deleted_with_vpc = getattr(self, "vpc_being_deleted", None) == group.vpc_id
    if group.name == "default" and not deleted_with_vpc:
        raise EC2ClientError(
            "CannotDelete", f'the specified group: "{group_id}" name: "default" cannot be deleted by a user'
        )
    worn = any(group in interface._group_set for interface in self.enis.values())
    if worn or _referencing_groups(self, group_id):
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    original(self, name, group_id)
    for resource_id in (group_id, *_rule_ids(group)):
        forget_tags(self, resource_id)
