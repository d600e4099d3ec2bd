"""VPCs, subnets, gateways, route tables, endpoints, DHCP options: chiefly the order in which they can be deleted.

Corrects moto/ec2/models/vpcs.py, subnets.py, internet_gateways.py, route_tables.py, dhcp_options.py and
moto/ec2/responses/vpcs.py, subnets.py, route_tables.py, dhcp_options.py.
"""

import functools
import ipaddress

from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.route_tables import Route
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses import EC2Response

from .. import conditions, later
from .addresses import has_internet_gateway, hold, interfaces_in, let_go
from .ec2_tags import forget_tags
from .patching import after, before, corrects
from .vpc_connections import connects

for _zones in RegionsAndZonesBackend.zones.values():
    for _zone in _zones:
        _zone.opt_in_status = "opt-in-not-required"
        _zone.group_name = _zone.network_border_group = _zone.region_name


def canonical(cidr: str) -> str:
    """AWS stores 10.0.0.0/8 for 10.1.2.3/8; what is no CIDR at all is left for the caller to refuse."""
    try:
        return str(ipaddress.ip_network(cidr, strict=False))
    except ValueError:
        return cidr


def _make_canonical(method: str, *members: str) -> None:
    @before(EC2Response, method)
    def canonical_members(self):
        for member in members:
            if self.params.get(member):
                self.params[member] = canonical(self.params[member])


_make_canonical("create_vpc", "CidrBlock")
_make_canonical("create_subnet", "CidrBlock")
for _method in ("create_route", "replace_route", "delete_route"):
    _make_canonical(_method, "DestinationCidrBlock", "DestinationIpv6CidrBlock")


# VPCs


@before(EC2Response, "modify_vpc_attribute")
def one_vpc_attribute(self):
    """AWS changes one attribute of a VPC per call."""
    given = [
        name
        for name in ("EnableDnsSupport", "EnableDnsHostnames", "EnableNetworkAddressUsageMetrics")
        if name in self.params
    ]
    if len(given) != 1:
        raise EC2ClientError(
            "InvalidParameterCombination", f"Fields {' and '.join(given)} cannot be specified together"
        )
    vpc = self.ec2_backend.get_vpc(self._get_param("VpcId"))
    if given == ["EnableDnsHostnames"] and self._get_param("EnableDnsHostnames.Value") and not vpc.enable_dns_support:
        raise EC2ClientError("InvalidParameterValue", "Cannot enable DNS hostnames without DNS support")


@corrects(EC2Backend, "delete_vpc")
def delete_vpc(original, self, vpc_id):
    """AWS deletes a VPC with its main route table, default group and default ACL, and nothing else.

    moto does not look for gateways, groups, endpoints, ACLs and connections, and takes the DHCP options away too.
    """
    vpc = self.get_vpc(vpc_id)
    if _holds_dependents(self, vpc_id):
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    self.disassociate_dhcp_options(vpc)
    for table in [table for table in self.route_tables.values() if table.vpc_id == vpc_id]:
        table.main_association_id = None
    self.vpc_being_deleted = vpc_id
    try:
        deleted = original(self, vpc_id)
    finally:
        self.vpc_being_deleted = None
    for acl_id in [acl.id for acl in self.network_acls.values() if acl.vpc_id == vpc_id]:
        del self.network_acls[acl_id]
        forget_tags(self, acl_id)
    return deleted


def _holds_dependents(backend, vpc_id: str) -> bool:
    return (
        any(subnet.vpc_id == vpc_id for subnet in backend.describe_subnets())
        or has_internet_gateway(backend, vpc_id)
        or any(gateway.vpc_id == vpc_id for gateway in backend.egress_only_internet_gateways.values())
        or any(endpoint.vpc_id == vpc_id for endpoint in backend.vpc_end_points.values())
        or any(group.name != "default" for group in backend.groups.get(vpc_id, {}).values())
        or any(table.vpc_id == vpc_id and table.main_association_id is None for table in backend.route_tables.values())
        or any(acl.vpc_id == vpc_id and acl.default is not True for acl in backend.network_acls.values())
        or connects(backend, vpc_id)
    )


# Subnets


@corrects(EC2Backend, "create_subnet")
def create_subnet(original, self, *args, **kwargs):
    """Only the default VPC has default subnets; moto makes the first subnet of a zone one, public addresses and all."""
    subnet = original(self, *args, **kwargs)
    subnet.default_for_az = subnet.map_public_ip_on_launch = self.vpcs[subnet.vpc_id].is_default
    return subnet


@before(EC2Response, "modify_subnet_attribute")
def one_subnet_attribute(self):
    """AWS changes one attribute of a subnet per call."""
    if len([name for name in self.params if name not in ("SubnetId", "DryRun")]) != 1:
        raise EC2ClientError("InvalidParameterCombination", "Only one subnet attribute can be modified at a time")


@after(EC2Response, "modify_subnet_attribute")
def keep_subnet_attribute(self):
    """Attributes that moto accepts and forgets."""
    subnet = self.ec2_backend.get_subnet(self._get_param("SubnetId"))
    if self.params.get("PrivateDnsHostnameTypeOnLaunch"):
        subnet.private_dns_name_options_on_launch["HostnameType"] = self.params["PrivateDnsHostnameTypeOnLaunch"]
    if "EnableResourceNameDnsAAAARecordOnLaunch" in self.params:
        subnet.private_dns_name_options_on_launch["EnableResourceNameDnsAAAARecord"] = self._get_param(
            "EnableResourceNameDnsAAAARecordOnLaunch.Value"
        )
    if "EnableDns64" in self.params:
        subnet.enable_dns64 = self._get_param("EnableDns64.Value")


@corrects(EC2Backend, "delete_subnet")
def delete_subnet(original, self, subnet_id):
    """A subnet with any interface in it stays (instances, NAT gateways and load balancers hold one each).

    An association with a route table does not keep the subnet: it goes with it, where in moto it stays and holds the
    route table for ever.
    """
    subnet = self.get_subnet(subnet_id)
    if interfaces_in(subnet):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    for table in self.route_tables.values():
        for association_id in [key for key, target in table._associations.items() if target == subnet_id]:
            del table._associations[association_id]
    return original(self, subnet_id)


@corrects(Subnet, "ipv6_cidr_block_association_set")
def ipv6_associations(original, self):
    """moto writes the state as the text of a Python dictionary, and a wait for `associated` never ends."""
    return [{**association, "ipv6CidrBlockState": {"state": "associated"}} for association in original(self)]


# Internet gateways


@before(EC2Backend, "attach_internet_gateway")
def one_gateway_per_vpc(self, internet_gateway_id, vpc_id):
    attached = [gateway.id for gateway in self.internet_gateways.values() if gateway.vpc and gateway.vpc.id == vpc_id]
    if attached and attached != [internet_gateway_id]:
        raise EC2ClientError("InvalidParameterValue", f"Network {vpc_id} already has an internet gateway attached")


@before(EC2Backend, "detach_internet_gateway")
def no_public_addresses(self, internet_gateway_id, vpc_id):
    """AWS keeps the gateway while anything in the network has a public address."""
    if any(interface.public_ip and interface.subnet.vpc_id == vpc_id for interface in self.enis.values()):
        raise DependencyViolationError(
            f"Network {vpc_id} has some mapped public address(es). "
            "Please unmap those public address(es) before detaching the gateway."
        )


# Route tables


@before(EC2Backend, "create_route")
def route_target_must_exist(self, route_table_id, *args, gateway_id=None, nat_gateway_id=None, **kwargs):
    """AWS knows the target of a route and that it lies in the same network; moto stores a route to nowhere."""
    if nat_gateway_id and nat_gateway_id not in self.nat_gateways:
        raise EC2ClientError("InvalidNatGatewayID.NotFound", f"The natGateway ID '{nat_gateway_id}' does not exist")
    if gateway_id and gateway_id.startswith("igw-"):
        vpc_id = self.get_route_table(route_table_id).vpc_id
        gateway = self.get_internet_gateway(gateway_id)
        if not gateway.vpc or gateway.vpc.id != vpc_id:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"route table {route_table_id} and network gateway {gateway_id} belong to different networks",
            )


@corrects(Route, "state")
def route_state(original, self):
    """A route whose target is gone is a blackhole; moto shows every route as active."""
    gone = (
        (self.nat_gateway is not None and self.nat_gateway.state in ("deleted", "failed"))
        or (self.gateway is not None and self.gateway.id.startswith("igw-") and self.gateway.vpc is None)
        or (self.interface is not None and self.interface.instance is None)
    )
    return "blackhole" if gone else "active"


@before(EC2Backend, "delete_route")
def local_route_stays(self, route_table_id, destination_cidr_block, *args, **kwargs):
    for route in self.get_route_table(route_table_id)._routes.values():
        if route.local and destination_cidr_block and route.destination_cidr_block == destination_cidr_block:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"cannot remove local route {destination_cidr_block} in route table {route_table_id}",
            )


@before(EC2Backend, "associate_route_table")
def one_table_per_subnet(self, route_table_id, gateway_id=None, subnet_id=None):
    """AWS refuses a second explicit association of a subnet; moto answers with the first one's id."""
    table = self.get_route_table(route_table_id)
    if subnet_id and self.get_subnet(subnet_id).vpc_id != table.vpc_id:
        raise EC2ClientError(
            "InvalidParameterValue", f"Route table {route_table_id} and subnet {subnet_id} belong to different networks"
        )
    for other in self.route_tables.values():
        if other is not table and subnet_id and subnet_id in other._associations.values():
            raise EC2ClientError(
                "Resource.AlreadyAssociated",
                f"the specified association for route table {route_table_id} conflicts with an existing association",
            )


@before(EC2Backend, "disassociate_route_table")
def main_association_stays(self, association_id):
    if any(table.main_association_id == association_id for table in self.route_tables.values()):
        raise EC2ClientError(
            "InvalidParameterValue", f"cannot disassociate the main route table association {association_id}"
        )


@before(EC2Backend, "delete_route_table")
def main_table_stays(self, route_table_id):
    """The main route table goes with its VPC and in no other way."""
    table = self.get_route_table(route_table_id)
    if table.main_association_id:
        raise DependencyViolationError(f"The routeTable '{route_table_id}' has dependencies and cannot be deleted.")


# Endpoints


@before(EC2Response, "create_vpc_endpoint")
def endpoint_type(self):
    """A gateway unless the request says otherwise; moto stores no type at all and cannot delete the endpoint."""
    self.params.setdefault("VpcEndpointType", "Gateway")
    service = self._get_param("ServiceName")
    if self.params["VpcEndpointType"] == "Gateway":
        if service not in (f"com.amazonaws.{self.region}.s3", f"com.amazonaws.{self.region}.dynamodb"):
            raise EC2ClientError("InvalidServiceName", f"The Vpc Endpoint Service '{service}' does not exist")
        for table_id in self._get_param("RouteTableIds", []):
            for endpoint in self.ec2_backend.vpc_end_points.values():
                if endpoint.service_name == service and table_id in endpoint.route_table_ids:
                    raise EC2ClientError(
                        "RouteAlreadyExists",
                        f"route table {table_id} already has a route with destination-prefix-list-id "
                        f"{endpoint.destination_prefix_list_id}",
                    )


@corrects(EC2Backend, "create_vpc_endpoint")
def create_vpc_endpoint(original, self, *args, **kwargs):
    """An interface endpoint holds the interfaces that it makes; in moto anybody may delete them."""
    endpoint = original(self, *args, **kwargs)
    for interface_id in endpoint.network_interface_ids or []:
        hold(self.enis[interface_id], f"VPC Endpoint Interface {endpoint.id}", "vpc_endpoint")
    return endpoint


@corrects(EC2Backend, "modify_vpc_endpoint")
def modify_vpc_endpoint(original, self, vpc_id, **changes):
    """The route tables of a gateway endpoint gain and lose its route; moto only notes their ids."""
    original(self, vpc_id=vpc_id, **changes)
    endpoint = self.get_vpc_end_point(vpc_id)
    if endpoint.vpc_endpoint_type == "Gateway":
        for table_id in changes.get("remove_route_tables") or []:
            _remove_endpoint_route(self, endpoint, table_id)
        for table_id in changes.get("add_route_tables") or []:
            self.create_route(
                table_id, None, gateway_id=endpoint.id, destination_prefix_list_id=endpoint.destination_prefix_list_id
            )


@corrects(EC2Backend, "delete_vpc_endpoints")
def delete_vpc_endpoints(original, self, vpce_ids=None):
    """The endpoint goes, with its routes and interfaces; in moto it stays listed as deleted for ever."""
    for endpoint in [self.get_vpc_end_point(endpoint_id) for endpoint_id in vpce_ids or []]:
        if endpoint.state != "deleting":
            endpoint.state = "deleting"
            pending = conditions.of(self.account_id).pending_seconds
            later.do(self.account_id, pending, functools.partial(_delete_endpoint, self, endpoint))


def _delete_endpoint(backend, endpoint) -> None:
    for interface_id in endpoint.network_interface_ids:
        if interface_id in backend.enis:
            let_go(backend, backend.enis[interface_id])
    for table_id in endpoint.route_table_ids:
        _remove_endpoint_route(backend, endpoint, table_id)
    del backend.vpc_end_points[endpoint.id]
    forget_tags(backend, endpoint.id)


def _remove_endpoint_route(backend, endpoint, table_id: str) -> None:
    table = backend.route_tables.get(table_id)
    if table is not None:
        table._routes = {key: route for key, route in table._routes.items() if route.gateway is not endpoint}


# DHCP options


@corrects(EC2Response, "create_dhcp_options")
def create_dhcp_options(original, self):
    """moto ignores the tags."""
    answer = original(self)
    options = answer.result["DhcpOptions"]
    options.add_tags(self._parse_tag_specification().get("dhcp-options", {}))
    return answer


@corrects(EC2Backend, "disassociate_dhcp_options")
def disassociate_dhcp_options(original, self, vpc):
    vpc.dhcp_options = None


@corrects(EC2Backend, "delete_dhcp_options_set")
def delete_dhcp_options(original, self, options_id):
    """In use while any VPC names them; moto remembers only the last VPC."""
    options = self.dhcp_options_sets.get(options_id)
    if options is not None:
        if any(vpc.dhcp_options is options for vpc in self.vpcs.values()):
            raise DependencyViolationError(f"The dhcpOptions '{options_id}' has dependencies and cannot be deleted.")
        options.vpc = None
    return original(self, options_id)
