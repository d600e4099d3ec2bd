"""Private addresses, network interfaces, Elastic IPs and NAT gateways.

Corrects moto/ec2/models/subnets.py, elastic_network_interfaces.py, elastic_ip_addresses.py and nat_gateways.py.
"""

import ipaddress

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend, elastic_network_interfaces, nat_gateways, vpcs
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses import EC2Response
from moto.ec2.utils import random_ip

from .. import conditions, later
from .patching import after, before, corrects

# moto gives NAT gateways and interface endpoints a random address of 10.0.0.0/8; None lets the subnet choose.
nat_gateways.random_private_ip = lambda *args, **kwargs: None
vpcs.random_private_ip = lambda *args, **kwargs: None


# moto gives instances addresses of 54.214.0.0/16, which belong to machines of AWS: nobody shall ever dial one. Elastic
# IPs are loopback addresses in moto already.
elastic_network_interfaces.random_public_ip = random_ip


def interfaces_in(subnet: Subnet) -> list[NetworkInterface]:
    return [interface for interface in subnet.ec2_backend.enis.values() if interface.subnet is subnet]


def _taken(subnet: Subnet) -> set[str]:
    return {
        address["PrivateIpAddress"] for interface in interfaces_in(subnet) for address in interface.private_ip_addresses
    }


def _reserved(subnet: Subnet, address: ipaddress.IPv4Address) -> bool:
    """AWS keeps the first four addresses of every subnet and the last one."""
    return int(address) - int(subnet.cidr.network_address) < 4 or address == subnet.cidr.broadcast_address


def free_address(subnet: Subnet) -> str:
    """The highest free address. AWS gives out any; from the top, tests that choose low ones by hand stay stable."""
    taken = _taken(subnet)
    for number in range(int(subnet.cidr.broadcast_address) - 1, int(subnet.cidr.network_address) + 3, -1):
        address = str(ipaddress.IPv4Address(number))
        if address not in taken:
            return address
    raise EC2ClientError(
        "InsufficientFreeAddressesInSubnet",
        f"The specified subnet does not have enough free addresses to satisfy the request: {subnet.id}",
    )


def check_address(subnet: Subnet, wanted: str) -> None:
    """AWS refuses an address that is outside the subnet, reserved, or in use; moto accepts it, or crashes."""
    try:
        address = ipaddress.IPv4Address(wanted)
    except ValueError:
        raise EC2ClientError("InvalidParameterValue", f"invalid value for parameter address: {wanted}") from None
    if address not in subnet.cidr:
        raise EC2ClientError(
            "InvalidParameterValue", f"Address {wanted} does not fall within the subnet's address range"
        )
    if _reserved(subnet, address):
        raise EC2ClientError("InvalidParameterValue", f"Address {wanted} is in subnet's reserved address range")
    if wanted in _taken(subnet):
        raise EC2ClientError("InvalidIPAddress.InUse", f"Address {wanted} is in use.")


@corrects(Subnet, "get_available_subnet_ip")
def address_for_instance(original, self, instance):
    """moto keeps a list of instances' addresses only, and gives an interface's fixed address to an instance too."""
    return free_address(self)


@corrects(Subnet, "request_ip")
def fixed_address_for_instance(original, self, ip, instance):
    check_address(self, ip)


@corrects(EC2Backend, "create_network_interface")
def create_network_interface(
    original, self, subnet, private_ip_address=None, private_ip_addresses=None, group_ids=None, *args, **kwargs
):
    """AWS refuses unknown groups (moto makes them up) and gives an address that is free (moto: any, even .0)."""
    subnet = self.get_subnet(subnet) if isinstance(subnet, str) else subnet
    for group_id in group_ids or []:
        group = self.get_security_group_from_id(group_id)
        if group is None:
            raise EC2ClientError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
        if group.vpc_id != subnet.vpc_id:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Security group {group_id} and subnet {subnet.id} belong to different networks.",
            )
    for listed in private_ip_addresses or []:
        check_address(subnet, listed["PrivateIpAddress"])
    if private_ip_address:
        check_address(subnet, private_ip_address)
    elif not private_ip_addresses:
        private_ip_address = free_address(subnet)
    return original(self, subnet, private_ip_address, private_ip_addresses, group_ids, *args, **kwargs)


@corrects(NetworkInterface, "group_set")
def groups_of_interface(original, self):
    """The groups of an interface are its own, in their order; moto adds those its instance was launched with."""
    return self._group_set


@after(EC2Backend, "modify_network_interface_attribute")
def groups_of_instance(self, eni_id, group_ids, *args, **kwargs):
    """An instance's groups are those of its first interface."""
    interface = self.get_network_interface(eni_id)
    if group_ids and interface.instance and interface.device_index == 0:
        interface.instance.security_groups = list(interface._group_set)


@before(EC2Backend, "modify_network_interface_attribute")
def groups_must_exist(self, eni_id, group_ids, *args, **kwargs):
    for group_id in group_ids:
        if self.get_security_group_from_id(group_id) is None:
            raise EC2ClientError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")


@before(EC2Backend, "delete_network_interface")
def interface_in_use(self, eni_id, *args):
    """AWS refuses to delete an interface that is attached; moto pulls it out of a running instance."""
    interface = self.enis.get(eni_id)
    if interface is not None and interface.status == "in-use":
        raise EC2ClientError("InvalidParameterValue", f"Network interface '{eni_id}' is currently in use.")


@after(EC2Backend, "delete_network_interface")
def free_address_of_interface(self, eni_id, *args):
    """An Elastic IP comes free when its interface goes; moto keeps it associated with nothing."""
    for address in self.addresses:
        if address.eni is not None and address.eni.id == eni_id:
            self.disassociate_address(association_id=address.association_id)


def remove_interface(backend, interface: NetworkInterface) -> None:
    """Takes an interface away although it is in use: what AWS does with those it made itself."""
    interface.status = "available"
    interface.instance = None
    interface.attachment_id = None
    backend.delete_network_interface(interface.id)


def let_go(backend, interface: NetworkInterface) -> None:
    """The interface of something that is gone: AWS takes it away as well, at its own pace."""
    interface.status = "in-use"
    for address in backend.addresses:
        if address.eni is interface:
            backend.disassociate_address(association_id=address.association_id)

    def remove():
        if interface.id in backend.enis:
            remove_interface(backend, interface)

    later.do(backend.account_id, conditions.of(backend.account_id).lingering_seconds, remove)


def managed_interface(backend, subnet, description: str, interface_type: str, group_ids=None) -> NetworkInterface:
    """An interface that an AWS service (NAT gateway, load balancer) makes and holds in the user's subnet."""
    interface = backend.create_network_interface(subnet, None, group_ids=group_ids, description=description)
    hold(interface, description, interface_type)
    if not group_ids:
        interface._group_set = []
    return interface


def hold(interface: NetworkInterface, description: str, interface_type: str) -> None:
    interface.description = description
    interface.interface_type = interface_type
    interface.requester_managed = True
    interface.status = "in-use"


def has_internet_gateway(backend, vpc_id: str) -> bool:
    return any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in backend.internet_gateways.values())


@before(EC2Response, "associate_address")
def gateway_before_address(self):
    """AWS refuses to map an Elastic IP into a network without an internet gateway."""
    interface_id, instance_id = self._get_param("NetworkInterfaceId"), self._get_param("InstanceId")
    if interface_id:
        vpc_id = self.ec2_backend.get_network_interface(interface_id).subnet.vpc_id
    elif instance_id:
        vpc_id = self.ec2_backend.get_instance(instance_id).vpc_id
    else:
        return
    if not has_internet_gateway(self.ec2_backend, vpc_id):
        raise EC2ClientError("Gateway.NotAttached", f"Network {vpc_id} is not attached to any internet gateway")


@corrects(ElasticAddress, "instance_id")
def instance_of_address(original, self):
    """The instance behind the interface; moto shows one only for an address that was given to an instance by its id."""
    return self.eni.instance.id if self.eni is not None and self.eni.instance is not None else original(self)


@before(EC2Response, "disassociate_address")
def address_of_nat_gateway(self):
    """The address of a NAT gateway comes free with the gateway and in no other way."""
    association_id = self._get_param("AssociationId")
    for address in self.ec2_backend.addresses:
        if association_id and address.association_id == association_id and address.eni.requester_managed:
            raise EC2ClientError("AuthFailure", "You do not have permission to access the specified resource.")


@before(EC2Response, "release_address")
def address_in_use(self):
    """AWS keeps an address that is still associated; moto releases it under the NAT gateway."""
    wanted = self._get_param("AllocationId"), self._get_param("PublicIp")
    for address in self.ec2_backend.addresses:
        if (address.allocation_id == wanted[0] or address.public_ip == wanted[1]) and address.association_id:
            raise EC2ClientError("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")


@corrects(EC2Backend, "release_address")
def release_address(original, self, address=None, allocation_id=None):
    released = [
        found.id for found in self.addresses if allocation_id == found.allocation_id or address == found.public_ip
    ]
    original(self, address, allocation_id)
    for resource_id in released:
        self.tags.pop(resource_id, None)


@before(EC2Response, "create_nat_gateway")
def nat_gateway_address(self):
    """A public NAT gateway needs an address of its own that nothing else uses."""
    if self._get_param("ConnectivityType", "public") != "public":
        return
    allocation_id = self._get_param("AllocationId")
    if not allocation_id:
        raise EC2ClientError("MissingParameter", "The request must include the AllocationId parameter.")
    self.ec2_backend.get_subnet(self._get_param("SubnetId"))
    address = self.ec2_backend.address_by_allocation([allocation_id])[0]
    if address.association_id:
        raise EC2ClientError(
            "Resource.AlreadyAssociated",
            f"resource {allocation_id} is already associated with associate-id {address.association_id}",
        )


@corrects(NatGateway, "__init__")
def nat_gateway(original, self, backend, subnet_id, allocation_id, tags=None, connectivity_type=None):
    """AWS holds a NAT gateway's interface in the subnet, and lets a gateway fail in a network without a way out."""
    connectivity_type = connectivity_type or "public"
    vpc_id = backend.get_subnet(subnet_id).vpc_id
    reachable = connectivity_type == "private" or has_internet_gateway(backend, vpc_id)
    original(self, backend, subnet_id, allocation_id if reachable else None, tags, connectivity_type)
    self.private_ip = self._eni.private_ip_address
    hold(self._eni, f"Interface for NAT Gateway {self.id}", "nat_gateway")
    self._eni._group_set = []
    if not reachable:
        self.state = "failed"
        self.failure_code = "Gateway.NotAttached"
        self.failure_message = f"Network {vpc_id} has no Internet gateway attached"
        remove_interface(backend, self._eni)
    _pend(self, "pending", self.state)


def _pend(gateway: NatGateway, meanwhile: str, then: str) -> None:
    def settle():
        if gateway.state == meanwhile:
            gateway.state = then

    gateway.state = meanwhile
    account = gateway.ec2_backend.account_id
    later.do(account, conditions.of(account).pending_seconds, settle)


@corrects(EC2Backend, "delete_nat_gateway")
def delete_nat_gateway(original, self, nat_gateway_id):
    """Deleting frees the subnet and the address. AWS shows the gateway for another hour; its routes go nowhere."""
    gateway = self.nat_gateways.get(nat_gateway_id)
    if gateway is None:
        raise _no_nat_gateway(nat_gateway_id)
    if gateway.state in ("deleting", "deleted"):
        return gateway

    def delete():
        original(self, nat_gateway_id)
        if gateway._eni.id in self.enis:
            let_go(self, gateway._eni)

    gateway.state = "deleting"
    later.do(self.account_id, conditions.of(self.account_id).pending_seconds, delete)
    return gateway


@before(EC2Backend, "describe_nat_gateways")
def nat_gateways_must_exist(self, filters, nat_gateway_ids):
    for nat_gateway_id in nat_gateway_ids or []:
        if nat_gateway_id not in self.nat_gateways:
            raise _no_nat_gateway(nat_gateway_id)


def _no_nat_gateway(nat_gateway_id: str) -> EC2ClientError:
    return EC2ClientError("NatGatewayNotFound", f"NAT gateway {nat_gateway_id} was not found")
