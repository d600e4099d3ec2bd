"""Filters and pages of EC2's Describe calls.

In AWS every filter narrows the answer, values may hold `*` and `?`, and MaxResults cuts the answer into pages. moto
ignores some tag filters (DescribeNatGateways and DescribeEgressOnlyInternetGateways show every cluster's), ignores
MaxResults in most calls, and answers 500 to filters it does not know. Here moto is asked for everything (it still
answers for ids that do not exist), and filtering and paging are done in one way for all calls.

Corrects moto/ec2/responses/*.py.
"""

import base64
import fnmatch
import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response

from .patching import corrects

MAX_FILTER_VALUES = 200


def matches(value: Any, wanted: Iterable[str]) -> bool:
    """Whether a value, or one of a list of values, is what one of the filter's patterns asks for."""
    if value is None:
        return False
    if isinstance(value, (list, tuple, set)):
        return any(matches(element, wanted) for element in value)
    if isinstance(value, bool):
        value = str(value).lower()
    return any(_pattern(pattern).fullmatch(str(value)) for pattern in wanted)


@functools.lru_cache(maxsize=1024)
def _pattern(wanted: str) -> re.Pattern:
    # fnmatch knows [...] too, which EC2's filters take literally.
    return re.compile(fnmatch.translate(wanted.replace("[", "[[]")), re.DOTALL)


def tag_matches(tags: dict[str, str], name: str, wanted: list[str]) -> bool | None:
    """The answer of a tag filter; None when `name` is another filter."""
    if name.startswith("tag:"):
        return matches(tags.get(name.removeprefix("tag:")), wanted)
    if name == "tag-key":
        return matches(list(tags), wanted)
    return None


# The largest page that the emulator gives an account, where a test has asked for small ones: AWS may cut any listing
# into pages of any size, and a paginator's mistakes show at once when pages have two items.
largest_pages: dict[str, int] = {}


def hidden(account: str) -> set[str]:
    """The ids, ARNs and names of new things that listings leave out, where a test has asked for it: set by the server."""
    return set()


@dataclass
class Page:
    """The slice of a listing that a request asks for."""

    start: int
    size: int

    @classmethod
    def of(cls, response, token: str | None, size: int) -> "Page":
        size = min(size, largest_pages.get(response.current_account, size))
        return cls(_offset(token) if token else 0, size)

    @classmethod
    def of_ec2(cls, response, largest: int, smallest: int = 5) -> "Page":
        """As MaxResults and NextToken ask for it."""
        size = response._get_int_param("MaxResults")
        if size is not None and not smallest <= size <= max(largest, 1000):
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value between {smallest} and "
                f"{largest}.",
            )
        return cls.of(response, response._get_param("NextToken"), min(size or largest, largest))

    def cut(self, items: list) -> tuple[list, str | None]:
        end = self.start + self.size
        token = base64.b64encode(f"offset {end}".encode()).decode() if end < len(items) else None
        return items[self.start : end], token


def _offset(token: str) -> int:
    try:
        return int(base64.b64decode(token).decode().removeprefix("offset "))
    except ValueError:
        raise EC2ClientError("InvalidNextToken", f"The token '{token}' is invalid") from None


def taken_filters(response) -> dict[str, list[str]]:
    """The request's filters, taken away so that moto does not apply its own idea of them."""
    filters = response._filters_from_querystring()
    for name in ("Filters", "Filter"):
        response.params.pop(name, None)
    if sum(len(values) for values in filters.values()) > MAX_FILTER_VALUES:
        raise EC2ClientError(
            "FilterLimitExceeded",
            f"The maximum number of filter values specified on a single call is {MAX_FILTER_VALUES}",
        )
    return filters


@dataclass
class Listing:
    """One Describe call: which member of the answer it filters and pages, and what its filters look at."""

    method: str
    result: str
    filters: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    largest_page: int = 1000
    smallest_page: int = 5
    paged: bool = True
    tags: Callable[[Any], dict[str, str]] = lambda item: item.ec2_backend.tags.get(item.id, {})

    def accepts(self, item: Any, filters: dict[str, list[str]]) -> bool:
        return all(self._matches(item, name, wanted) for name, wanted in filters.items())

    def _matches(self, item: Any, name: str, wanted: list[str]) -> bool:
        answer = tag_matches(self.tags(item), name, wanted)
        return matches(self.filters[name](item), wanted) if answer is None else answer

    def check(self, filters: dict[str, list[str]]) -> None:
        for name in filters:
            if name not in self.filters and not name.startswith("tag:") and name != "tag-key":
                raise NotImplementedError(f"filter {name}")

    def install(self) -> None:
        @corrects(EC2Response, self.method)
        def describe(original, response):
            filters = taken_filters(response)
            self.check(filters)
            page = Page.of_ec2(response, self.largest_page, self.smallest_page)
            for name in ("MaxResults", "NextToken"):
                response.params.pop(name, None)
            answer = original(response).result
            if not self.paged:
                page.size = len(answer[self.result]) or 1
            left_out = hidden(response.current_account)
            items = [
                item
                for item in answer[self.result]
                if self.accepts(item, filters) and not (left_out and getattr(item, "id", None) in left_out)
            ]
            shown, token = page.cut(items)
            return ActionResult({**answer, self.result: shown, "NextToken": token})


def _of_association(member: str) -> Callable[[Any], list]:
    return lambda table: [association.get(member) for association in table.associations]


def _of_routes(attribute: str) -> Callable[[Any], list]:
    return lambda table: [getattr(route, attribute) for route in table.routes]


def _of_attachment(attribute: str) -> Callable[[Any], Any]:
    return lambda interface: getattr(interface.attachment, attribute) if interface.attachment else None


def _of_volume_attachment(attribute: str) -> Callable[[Any], Any]:
    return lambda volume: getattr(volume.attachment, attribute) if volume.attachment else None


LISTINGS = [
    Listing(
        "describe_vpcs",
        "Vpcs",
        {
            "vpc-id": attrgetter("id"),
            "cidr": attrgetter("cidr_block"),
            "cidr-block-association.cidr-block": lambda vpc: [
                association["cidr_block"] for association in vpc.cidr_block_association_set
            ],
            "is-default": attrgetter("is_default"),
            "state": attrgetter("state"),
            "dhcp-options-id": attrgetter("dhcp_options_id"),
            "owner-id": attrgetter("owner_id"),
        },
    ),
    Listing(
        "describe_subnets",
        "Subnets",
        {
            "subnet-id": attrgetter("id"),
            "vpc-id": attrgetter("vpc_id"),
            "availability-zone": attrgetter("availability_zone"),
            "availability-zone-id": attrgetter("availability_zone_id"),
            "cidr-block": attrgetter("cidr_block"),
            "default-for-az": attrgetter("default_for_az"),
            "map-public-ip-on-launch": attrgetter("map_public_ip_on_launch"),
            "state": attrgetter("state"),
            "owner-id": attrgetter("owner_id"),
        },
    ),
    Listing(
        "describe_route_tables",
        "RouteTables",
        {
            "route-table-id": attrgetter("id"),
            "vpc-id": attrgetter("vpc_id"),
            "owner-id": attrgetter("owner_id"),
            "association.main": _of_association("Main"),
            "association.subnet-id": _of_association("SubnetId"),
            "association.gateway-id": _of_association("GatewayId"),
            "association.route-table-id": _of_association("RouteTableId"),
            "association.route-table-association-id": _of_association("RouteTableAssociationId"),
            "route.destination-cidr-block": _of_routes("destination_cidr_block"),
            "route.destination-prefix-list-id": _of_routes("destination_prefix_list_id"),
            "route.gateway-id": _of_routes("gateway_id"),
            "route.nat-gateway-id": _of_routes("nat_gateway_id"),
            "route.state": _of_routes("state"),
        },
        largest_page=100,
    ),
    Listing(
        "describe_internet_gateways",
        "InternetGateways",
        {
            "internet-gateway-id": attrgetter("id"),
            "attachment.vpc-id": lambda gateway: gateway.vpc.id if gateway.vpc else None,
            "attachment.state": lambda gateway: "available" if gateway.vpc else None,
            "owner-id": attrgetter("owner_id"),
        },
    ),
    Listing(
        "describe_egress_only_internet_gateways",
        "EgressOnlyInternetGateways",
        {},
        largest_page=255,
    ),
    Listing(
        "describe_nat_gateways",
        "NatGateways",
        {
            "nat-gateway-id": attrgetter("id"),
            "state": attrgetter("state"),
            "subnet-id": attrgetter("subnet_id"),
            "vpc-id": attrgetter("vpc_id"),
        },
    ),
    Listing(
        "describe_addresses",
        "Addresses",
        {
            "allocation-id": attrgetter("allocation_id"),
            "association-id": attrgetter("association_id"),
            "public-ip": attrgetter("public_ip"),
            "private-ip-address": attrgetter("private_ip_address"),
            "instance-id": attrgetter("instance_id"),
            "network-interface-id": attrgetter("network_interface_id"),
            "domain": attrgetter("domain"),
        },
        paged=False,
    ),
    Listing(
        "describe_availability_zones",
        "AvailabilityZones",
        {
            "zone-name": attrgetter("name"),
            "zone-id": attrgetter("zone_id"),
            "zone-type": attrgetter("zone_type"),
            "region-name": attrgetter("region_name"),
            "group-name": attrgetter("group_name"),
            "opt-in-status": attrgetter("opt_in_status"),
            "state": attrgetter("state"),
        },
        paged=False,
        tags=lambda zone: {},
    ),
    Listing(
        "describe_security_groups",
        "SecurityGroups",
        {
            "group-id": attrgetter("id"),
            "group-name": attrgetter("name"),
            "vpc-id": attrgetter("vpc_id"),
            "description": attrgetter("description"),
            "owner-id": attrgetter("owner_id"),
            "ip-permission.group-id": lambda group: [rule.source_group.get("GroupId") for rule in group.ingress_rules],
            "ip-permission.cidr": lambda group: [rule.cidr_ipv4 for rule in group.ingress_rules],
            "egress.ip-permission.group-id": lambda group: [
                rule.source_group.get("GroupId") for rule in group.egress_rules
            ],
        },
    ),
    Listing(
        "describe_security_group_rules",
        "SecurityGroupRules",
        {"security-group-rule-id": attrgetter("id"), "group-id": attrgetter("group_id")},
    ),
    Listing(
        "describe_network_interfaces",
        "NetworkInterfaces",
        {
            "network-interface-id": attrgetter("id"),
            "subnet-id": attrgetter("subnet.id"),
            "vpc-id": attrgetter("subnet.vpc_id"),
            "availability-zone": attrgetter("subnet.availability_zone"),
            "status": attrgetter("status"),
            "description": attrgetter("description"),
            "private-ip-address": attrgetter("private_ip_address"),
            "addresses.private-ip-address": lambda interface: [
                address["PrivateIpAddress"] for address in interface.private_ip_addresses
            ],
            "group-id": lambda interface: [group.id for group in interface.group_set],
            "group-name": lambda interface: [group.name for group in interface.group_set],
            "interface-type": attrgetter("interface_type"),
            "requester-managed": attrgetter("requester_managed"),
            "owner-id": attrgetter("owner_id"),
            "attachment.instance-id": _of_attachment("instance_id"),
            "attachment.attachment-id": _of_attachment("attachment_id"),
            "attachment.status": _of_attachment("status"),
            "attachment.device-index": _of_attachment("device_index"),
            "attachment.delete-on-termination": _of_attachment("delete_on_termination"),
        },
    ),
    Listing(
        "describe_volumes",
        "Volumes",
        {
            "volume-id": attrgetter("id"),
            "status": attrgetter("status"),
            "availability-zone": attrgetter("availability_zone"),
            "size": attrgetter("size"),
            "encrypted": attrgetter("encrypted"),
            "volume-type": attrgetter("volume_type"),
            "snapshot-id": attrgetter("snapshot_id"),
            "attachment.instance-id": _of_volume_attachment("instance_id"),
            "attachment.device": _of_volume_attachment("device"),
            "attachment.status": _of_volume_attachment("status"),
        },
    ),
    Listing(
        "describe_snapshots",
        "Snapshots",
        {
            "snapshot-id": attrgetter("id"),
            "volume-id": attrgetter("volume_id"),
            "owner-id": attrgetter("owner_id"),
            "status": attrgetter("status"),
            "description": attrgetter("description"),
        },
    ),
    Listing(
        "describe_vpc_endpoints",
        "VpcEndpoints",
        {
            "vpc-endpoint-id": attrgetter("id"),
            "vpc-id": attrgetter("vpc_id"),
            "service-name": attrgetter("service_name"),
            "vpc-endpoint-state": attrgetter("state"),
            "vpc-endpoint-type": attrgetter("vpc_endpoint_type"),
        },
    ),
    Listing(
        "describe_dhcp_options",
        "DhcpOptions",
        {
            "dhcp-options-id": attrgetter("id"),
            "key": lambda options: list(options._options),
            "value": lambda options: [value for values in options._options.values() for value in values or []],
        },
    ),
    Listing(
        "describe_images",
        "Images",
        {
            "image-id": attrgetter("id"),
            "name": attrgetter("name"),
            "architecture": attrgetter("architecture"),
            "state": attrgetter("state"),
            "virtualization-type": attrgetter("virtualization_type"),
            "root-device-type": attrgetter("root_device_type"),
            "root-device-name": attrgetter("root_device_name"),
            "hypervisor": attrgetter("hypervisor"),
            "image-type": attrgetter("image_type"),
            "is-public": attrgetter("is_public"),
            "owner-id": attrgetter("owner_id"),
            "owner-alias": attrgetter("owner_alias"),
            "description": attrgetter("description"),
            "platform": attrgetter("platform"),
        },
    ),
    Listing(
        "describe_instance_status",
        "InstanceStatuses",
        {
            "instance-state-name": attrgetter("state"),
            "availability-zone": attrgetter("availability_zone"),
        },
    ),
    Listing(
        "describe_network_acls",
        "NetworkAcls",
        {
            "network-acl-id": attrgetter("id"),
            "vpc-id": attrgetter("vpc_id"),
            "default": lambda acl: acl.default in (True, "true"),
        },
    ),
    Listing(
        "describe_prefix_lists",
        "PrefixLists",
        {"prefix-list-id": attrgetter("id"), "prefix-list-name": attrgetter("prefix_list_name")},
    ),
    Listing(
        "describe_managed_prefix_lists",
        "PrefixLists",
        {"prefix-list-id": attrgetter("id"), "prefix-list-name": attrgetter("prefix_list_name")},
    ),
    Listing(
        "describe_instance_type_offerings",
        "InstanceTypeOfferings",
        {"location": lambda offering: offering["Location"], "instance-type": lambda offering: offering["InstanceType"]},
        tags=lambda offering: {},
    ),
]

for _listing in LISTINGS:
    _listing.install()
