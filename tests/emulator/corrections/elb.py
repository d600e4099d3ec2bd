"""Classic load balancers: what the cloud controller of Kubernetes makes for a Service unless it is told otherwise.

moto gives them no interfaces, so that nothing keeps their subnets and groups, and pages of 50.

Corrects moto/elb/models.py and moto/elb/responses.py.
"""

import zlib

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.elb.exceptions import ELBClientError, LoadBalancerNotFoundError
from moto.elb.models import ELBBackend
from moto.elb.responses import ELBResponse

from .addresses import has_internet_gateway, let_go, managed_interface
from .listings import Page
from .patching import before, corrects

MAX_TAGS = 50
MAX_NAMES_OF_DESCRIBE_TAGS = 20


def _ec2(backend: ELBBackend):
    return ec2_backends[backend.account_id][backend.region_name]


def _description(name: str) -> str:
    """Those of the other types have a path: `ELB net/NAME/ID`."""
    return f"ELB {name}"


@corrects(ELBBackend, "create_load_balancer")
def create_load_balancer(original, self, name, zones, ports, scheme=None, subnets=None, security_groups=None):
    """An interface in each subnet, with the groups; one subnet per zone; a way out where it faces the internet."""
    ec2 = _ec2(self)
    known = {subnet.id: subnet for subnet in ec2.describe_subnets()}
    for subnet_id in subnets or []:
        if subnet_id not in known:
            raise ELBClientError("SubnetNotFound", f"The requested subnet {subnet_id} was not found")
    placed = [known[subnet_id] for subnet_id in subnets or []]
    if len({subnet.availability_zone for subnet in placed}) < len(placed):
        raise ELBClientError(
            "InvalidConfigurationRequest", "ELB cannot be attached to multiple subnets in the same AZ."
        )
    if placed and scheme != "internal" and not has_internet_gateway(ec2, placed[0].vpc_id):
        raise ELBClientError("InvalidSubnet", f"VPC {placed[0].vpc_id} has no internet gateway")
    made = original(self, name, zones, ports, scheme or "internet-facing", subnets, security_groups)
    prefix = "internal-" if made.scheme == "internal" else ""
    made.dns_name = f"{prefix}{name}-{zlib.crc32(name.encode())}.{self.region_name}.elb.amazonaws.com"
    for subnet in placed:
        interface = managed_interface(ec2, subnet, _description(name), "interface", made.security_groups)
        interface.requester_id = "amazon-elb"
    return made


@before(ELBBackend, "delete_load_balancer")
def free_interfaces(self, load_balancer_name):
    """Its interfaces go with it. Deleting what is not there succeeds."""
    if load_balancer_name not in self.load_balancers:
        return
    ec2 = _ec2(self)
    for interface in [found for found in ec2.enis.values() if found.description == _description(load_balancer_name)]:
        let_go(ec2, interface)


@corrects(ELBResponse, "describe_load_balancers")
def describe_load_balancers(original, self):
    """Pages of up to 400."""
    size = self._get_int_param("PageSize", 400)
    if not 1 <= size <= 400:
        raise ELBClientError("ValidationError", f"Value '{size}' at 'pageSize' failed to satisfy constraint")
    marker = self._get_param("Marker")
    self.params.pop("Marker", None)
    self.params["PageSize"] = 10**9
    items = list(original(self).result["LoadBalancerDescriptions"])
    shown, token = Page.of(self, marker, size).cut(items)
    return ActionResult({"LoadBalancerDescriptions": shown, "NextMarker": token})


@before(ELBResponse, "describe_tags")
def few_known_names(self):
    """At most 20 names, all of which exist."""
    names = self._get_param("LoadBalancerNames", [])
    if not 1 <= len(names) <= MAX_NAMES_OF_DESCRIBE_TAGS:
        raise ELBClientError(
            "ValidationError",
            f"1 validation error detected: Value '{names}' at 'loadBalancerNames' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_NAMES_OF_DESCRIBE_TAGS}",
        )
    for name in names:
        if self.elb_backend.get_load_balancer(name) is None:
            raise LoadBalancerNotFoundError(name)
