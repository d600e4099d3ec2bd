"""Hosted zones and their records.

moto accepts CREATE of a record set that exists, deletes by SetIdentifier whatever the name, applies half of a batch
that fails, and answers a constant change id.

Corrects moto/route53/models.py and moto/route53/responses.py.
"""

import copy
import ipaddress
import secrets
import string

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.route53 import models
from moto.route53.exceptions import InvalidInput, Route53ClientError
from moto.route53.models import RecordSet, Route53Backend, reverse_domain_name
from moto.route53.responses import Route53

from .. import conditions, later
from . import listings
from .elbv2 import HOSTED_ZONES
from .patching import after, before, corrects

MAX_RECORDS_PER_BATCH = 1000
MAX_TAGS = 50


def _invalid_batch(problems: list[str]) -> Route53ClientError:
    return Route53ClientError("InvalidChangeBatch", "[" + ", ".join(problems) + "]")


def stored_name(name: str) -> str:
    """A name as Route 53 keeps and shows it: lower case, with a final dot, a leading star as \\052."""
    name = name.lower().rstrip(".") + "."
    return r"\052" + name[1:] if name.startswith("*") else name


# Changes


def _key(record_set: dict) -> tuple:
    return stored_name(record_set["Name"]), record_set["Type"], record_set.get("SetIdentifier")


def _key_of(record: RecordSet) -> tuple:
    return stored_name(record.name), record.type, record.set_identifier


def _values(record_set: dict) -> list[str]:
    return [record["Value"] for record in record_set.get("ResourceRecords") or []]


def _stored(record_set: dict) -> RecordSet:
    stored = copy.deepcopy(record_set)
    stored["Name"] = stored_name(record_set["Name"])
    if "ResourceRecords" in stored:
        stored["ResourceRecords"] = _values(record_set)
    return RecordSet(stored)


def _says_the_same(record: RecordSet, record_set: dict) -> bool:
    """DELETE names all values of the record set it deletes."""
    if record.alias_target or record_set.get("AliasTarget"):
        had, given = record.alias_target or {}, record_set.get("AliasTarget") or {}
        return had.get("HostedZoneId") == given.get("HostedZoneId") and stored_name(
            had.get("DNSName", "")
        ) == stored_name(given.get("DNSName", ""))
    return str(record.ttl) == str(record_set.get("TTL")) and sorted(record.records) == sorted(_values(record_set))


def _described(record_set: dict) -> str:
    name, kind, identifier = _key(record_set)
    shown = f"name='{name}', type='{kind}'"
    return shown + (f", set-identifier='{identifier}'" if identifier else "")


def _problem_with(zone, record_set: dict, action: str) -> str | None:
    name, kind, _ = _key(record_set)
    apex = stored_name(zone.name)
    if name != apex and not name.endswith("." + apex):
        return f"RRSet with DNS name {name} is not permitted in zone {apex}"
    if action == "DELETE":
        return None
    if record_set.get("AliasTarget"):
        target = record_set["AliasTarget"]
        if target["HostedZoneId"] not in HOSTED_ZONES and target["HostedZoneId"] != zone.resource_id:
            return (
                f"Tried to create an alias that targets {target['DNSName']}, type {kind} in zone "
                f"{target['HostedZoneId']}, but the alias target name does not lie within the target zone"
            )
        return None
    if record_set.get("TTL") is None or not _values(record_set):
        return (
            f"Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or "
            f"TrafficPolicyInstanceId], but found none in Change with [Action={action}, Name={name}, Type={kind}]"
        )
    if kind == "CNAME" and name == apex:
        return f"RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {apex}"
    for value in _values(record_set):
        if kind in ("A", "AAAA") and not _is_address(value, kind):
            return (
                f"Invalid Resource Record: 'FATAL problem: {kind}RRDATAIllegalAddress (Value is not a valid address) "
                f"encountered with '{value}''"
            )
    return None


def _is_address(value: str, kind: str) -> bool:
    try:
        return ipaddress.ip_address(value).version == (4 if kind == "A" else 6)
    except ValueError:
        return False


def _clash(records: dict, record_set: dict) -> bool:
    """A simple record set has its name and type for itself; so has a CNAME its name."""
    name, kind, identifier = _key(record_set)
    for other_name, other_kind, other_identifier in records:
        if other_name != name or (other_kind, other_identifier) == (kind, identifier):
            continue
        if other_kind == kind and (identifier is None or other_identifier is None):
            return True
        if "CNAME" in (kind, other_kind) and other_kind != kind:
            return True
    return False


@corrects(Route53Backend, "change_resource_record_sets")
def change_resource_record_sets(original, self, zoneid, change_list):
    """A batch is checked as a whole and takes effect as a whole, or not at all."""
    zone = self.get_hosted_zone(zoneid)
    problems = [_problem_with(zone, change["ResourceRecordSet"], change["Action"]) for change in change_list]
    if any(problems):
        raise _invalid_batch([problem for problem in problems if problem])
    records = {_key_of(record): record for record in zone.rrsets}
    for change in change_list:
        problem = _apply(records, change["Action"], change["ResourceRecordSet"])
        if problem:
            raise _invalid_batch([problem])
    zone.rrsets = list(records.values())


def _apply(records: dict, action: str, record_set: dict) -> str | None:
    key = _key(record_set)
    if action == "DELETE":
        if key not in records:
            return f"Tried to delete resource record set [{_described(record_set)}] but it was not found"
        if not _says_the_same(records[key], record_set):
            return (
                f"Tried to delete resource record set [{_described(record_set)}] but the values provided do not match "
                "the current values"
            )
        del records[key]
        return None
    if action == "CREATE" and key in records:
        return f"Tried to create resource record set [{_described(record_set)}] but it already exists"
    if _clash(records, record_set):
        return f"RRSet with DNS name {key[0]}, type {key[1]} conflicts with other records of that name"
    records[key] = _stored(record_set)
    return None


# Change ids


@after(Route53Backend, "__init__")
def no_changes_yet(self, *args, **kwargs):
    self.changes = {}


def _with_change_id(method: str) -> None:
    @corrects(Route53, method)
    def with_change_id(original, self):
        """A change of its own for every request; moto answers a constant."""
        answer = original(self)
        identifier = "C" + "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(20))
        change = {"Id": f"/change/{identifier}", "Status": "PENDING", "SubmittedAt": utcnow()}
        known = self.backend.changes[identifier] = dict(change)
        pending = conditions.of(self.current_account).pending_seconds
        later.do(self.current_account, pending, lambda: known.update(Status="INSYNC"))
        return ActionResult({**answer.result, "ChangeInfo": change})


for _method in (
    "create_hosted_zone",
    "delete_hosted_zone",
    "change_resource_record_sets",
    "associate_vpc_with_hosted_zone",
    "disassociate_vpc_from_hosted_zone",
):
    _with_change_id(_method)


@corrects(Route53, "get_change")
def get_change(original, self):
    """In sync at once, or in its time. An unknown change is refused; moto knows them all."""
    identifier = self._get_param("Id").rsplit("/", 1)[-1]
    if identifier not in self.backend.changes:
        raise Route53ClientError("NoSuchChange", f"Could not find resource with ID: {identifier}")
    return ActionResult({"ChangeInfo": self.backend.changes[identifier]})


# Zones


_random_zone_id = models.create_route53_zone_id
# AWS's zone ids begin with a Z, and tools tell zones from names by it.
models.create_route53_zone_id = lambda *args, **kwargs: "Z" + _random_zone_id(*args, **kwargs)[:20]


@corrects(Route53, "create_hosted_zone")
def create_hosted_zone(original, self):
    """One zone per caller reference; a zone is private when it names a network."""
    reference = self._get_param("CallerReference")
    if any(zone.caller_reference == reference for zone in self.backend.zones.values()):
        raise Route53ClientError(
            "HostedZoneAlreadyExists",
            f"A hosted zone has already been created with the specified caller reference: {reference}",
        )
    _check_network(self)
    if self._get_param("VPC.VPCId"):
        self.params["HostedZoneConfig"] = {**(self._get_param("HostedZoneConfig") or {}), "PrivateZone": True}
    answer = original(self)
    zone = answer.result["HostedZone"]
    for record in zone.rrsets:
        record.name = stored_name(record.name)
        if record.type == "SOA":
            record.records = [value["Value"] if isinstance(value, dict) else value for value in record.records]
    return answer


def _check_network(response) -> None:
    """AWS asks EC2 whether the network exists; moto takes any id."""
    vpc_id, region = response._get_param("VPC.VPCId"), response._get_param("VPC.VPCRegion")
    if vpc_id and vpc_id not in ec2_backends[response.current_account][region].vpcs:
        raise Route53ClientError(
            "InvalidVPCId", f"The VPC: {vpc_id} in region {region} that you provided is not valid."
        )


@before(Route53, "associate_vpc_with_hosted_zone")
def network_must_exist(self):
    _check_network(self)


@after(Route53, "delete_hosted_zone")
def forget_zone_tags(self):
    self.backend.resource_tags.pop(self._get_param("Id").rsplit("/", 1)[-1], None)


def _visible(zones, account: str) -> list:
    left_out = listings.hidden(account)
    return [zone for zone in zones if zone.resource_id not in left_out]


@corrects(Route53Backend, "list_hosted_zones")
def list_visible_zones(original, self, *args, **kwargs):
    page, marker = original(self, *args, **kwargs)
    return _visible(page, self.account_id), marker


def _page_size(response, largest: int) -> int:
    size = min(response._get_int_param("MaxItems", largest), largest)
    return min(size, listings.largest_pages.get(response.current_account, size))


@before(Route53, "list_hosted_zones")
def small_pages_of_zones(self):
    self.params["MaxItems"] = str(_page_size(self, 100))


@corrects(Route53, "list_hosted_zones_by_name")
def list_hosted_zones_by_name(original, self):
    """All zones from a name on, in the order of their names read backwards; moto shows the named zone only."""
    wanted, after_id = self._get_param("DNSName"), self._get_param("HostedZoneId")
    size = _page_size(self, 100)
    zones = _visible(self.backend.zones.values(), self.current_account)
    ordered = sorted(zones, key=lambda zone: (reverse_domain_name(zone.name), zone.resource_id))
    if wanted:
        start = (reverse_domain_name(wanted.lower()), after_id or "")
        ordered = [zone for zone in ordered if (reverse_domain_name(zone.name), zone.resource_id) >= start]
    following = ordered[size] if len(ordered) > size else None
    return ActionResult(
        {
            "DNSName": wanted,
            "HostedZoneId": after_id,
            "HostedZones": ordered[:size],
            "IsTruncated": following is not None,
            "NextDNSName": following.name if following else None,
            "NextHostedZoneId": following.resource_id if following else None,
            "MaxItems": size,
        }
    )


@corrects(Route53, "list_resource_record_sets")
def list_resource_record_sets(original, self):
    """From a name, type and identifier on. moto forgets the identifier and shows a record set twice."""
    name, kind = self._get_param("StartRecordName"), self._get_param("StartRecordType")
    if kind and not name:
        raise InvalidInput("The input is not valid")
    zone = self.backend.get_hosted_zone(self._get_param("HostedZoneId"))
    ordered = sorted(zone.rrsets, key=_order)
    if name:
        start = (reverse_domain_name(stored_name(name)), kind or "", self._get_param("StartRecordIdentifier") or "")
        ordered = [record for record in ordered if _order(record) >= start]
    size = _page_size(self, 300)
    following = ordered[size] if len(ordered) > size else None
    return ActionResult(
        {
            "ResourceRecordSets": ordered[:size],
            "IsTruncated": following is not None,
            "NextRecordName": following.name if following else None,
            "NextRecordType": following.type if following else None,
            "NextRecordIdentifier": following.set_identifier if following else None,
            "MaxItems": size,
        }
    )


def _order(record: RecordSet) -> tuple:
    return reverse_domain_name(record.name), record.type, record.set_identifier or ""
