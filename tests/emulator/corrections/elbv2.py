"""Network load balancers, target groups, listeners.

moto makes a second load balancer of the same name, calls every load balancer an application load balancer in its ARN,
gives it no interfaces in its subnets, and finds every target healthy.

Corrects moto/elbv2/models.py, moto/elbv2/responses.py and moto/elbv2/utils.py.
"""

import ipaddress

from moto.core.responses import ActionResult, EmptyResult
from moto.elbv2 import models
from moto.elbv2.exceptions import (
    DuplicateListenerError,
    DuplicateLoadBalancerName,
    DuplicateTargetGroupName,
    ELBClientError,
    ListenerNotFoundError,
    LoadBalancerNotFoundError,
    TargetGroupNotFoundError,
    ValidationError,
)
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeLoadBalancer, FakeTargetGroup
from moto.elbv2.responses import ELBV2Response

from .. import conditions, later
from . import listings
from .addresses import has_internet_gateway, let_go, managed_interface
from .listings import Page
from .patching import after, before, corrects

# Route 53 zones of the load balancers' names: an alias record needs the right one.
_NLB_ZONES = {"us-east-1": "Z26RNL4JYFTOTI", "us-west-2": "Z18D5FSROUN65G", "eu-west-1": "Z2IFOLAFXWLO4F"}
_ALB_ZONES = {"us-east-1": "Z35SXDOTRQ7X7K", "us-west-2": "Z1H1FL5HABSF5", "eu-west-1": "Z32O12XQLNTSW2"}
_OTHER_ZONE = "ZLOADBALANCER0"
HOSTED_ZONES = {_OTHER_ZONE, *_NLB_ZONES.values(), *_ALB_ZONES.values()}

MAX_TAGS = 50
MAX_ARNS_OF_DESCRIBE_TAGS = 20
_LAYER_4 = ("TCP", "TLS", "UDP", "TCP_UDP")

_NLB_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "dns_record.client_routing_policy": "any_availability_zone",
    "ipv6.deny_all_igw_traffic": "false",
    "load_balancing.cross_zone.enabled": "false",
    "secondary_ips.auto_assigned.per_subnet": "0",
    "zonal_shift.config.enabled": "false",
}
_TARGET_GROUP_ATTRIBUTES = {
    "deregistration_delay.connection_termination.enabled": "false",
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "preserve_client_ip.enabled": "true",
    "proxy_protocol_v2.enabled": "false",
    "stickiness.enabled": "false",
    "stickiness.type": "source_ip",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
    "target_health_state.unhealthy.connection_termination.enabled": "true",
    "target_health_state.unhealthy.draining_interval_seconds": "0",
}


# Load balancers


def _asked_subnets(response) -> list[str]:
    mappings = response._get_param("SubnetMappings", [])
    return [*response._get_param("Subnets", []), *(mapping["SubnetId"] for mapping in mappings)]


def _tags_given(response) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in response._get_param("Tags", [])}


def _is_same_load_balancer(response, existing: FakeLoadBalancer) -> bool:
    return (
        existing.type == response._get_param("Type", "application")
        and existing.scheme == response._get_param("Scheme", "internet-facing")
        and sorted(subnet.id for subnet in existing.subnets) == sorted(_asked_subnets(response))
        and sorted(existing.security_groups or []) == sorted(response._get_param("SecurityGroups", []))
        and existing.ip_address_type == response._get_param("IpAddressType", "ipv4")
        and response.elbv2_backend.tagging_service.get_tag_dict_for_resource(existing.arn) == _tags_given(response)
    )


@corrects(ELBV2Response, "create_load_balancer")
def create_load_balancer(original, self):
    """The same request again answers with the same load balancer; the same name with other settings is refused."""
    for existing in self.elbv2_backend.load_balancers.values():
        if existing.name == self._get_param("Name"):
            if _is_same_load_balancer(self, existing):
                return ActionResult({"LoadBalancers": [existing]})
            raise DuplicateLoadBalancerName()
    self.params.setdefault("Scheme", "internet-facing")
    if any(set(mapping) - {"SubnetId"} for mapping in self._get_param("SubnetMappings", [])):
        raise NotImplementedError("addresses in SubnetMappings")
    subnets = _checked_subnets(self)
    _check_security_groups(self)
    answer = original(self)
    load_balancer = answer.result["LoadBalancers"][0]
    _rename(self.elbv2_backend, load_balancer)
    _provision(load_balancer, self.current_account)
    if load_balancer.type == "network":
        load_balancer.attrs = dict(_NLB_ATTRIBUTES)
    _hold_interfaces(self.elbv2_backend.ec2_backend, load_balancer, subnets)
    return answer


def _provision(load_balancer: FakeLoadBalancer, account: str) -> None:
    def activate():
        load_balancer.state = "active"

    later.do(account, conditions.of(account).pending_seconds, activate)


@corrects(FakeLoadBalancer, "activate")
def active_in_its_time(original, self):
    """In moto the first look makes a load balancer active."""


def _checked_subnets(response) -> list:
    """One subnet per zone, all of one network; with an internet gateway when the load balancer faces the internet."""
    ec2 = response.elbv2_backend.ec2_backend
    known = {subnet.id: subnet for subnet in ec2.describe_subnets()}
    unknown = [subnet_id for subnet_id in _asked_subnets(response) if subnet_id not in known]
    if unknown:
        raise ELBClientError("SubnetNotFound", f"The subnet ID '{unknown[0]}' does not exist")
    subnets = [known[subnet_id] for subnet_id in _asked_subnets(response)]
    if len({subnet.availability_zone for subnet in subnets}) < len(subnets):
        raise ELBClientError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise ELBClientError("InvalidConfigurationRequest", "All subnets must belong to the same VPC")
    if (
        subnets
        and response._get_param("Scheme") == "internet-facing"
        and not has_internet_gateway(ec2, subnets[0].vpc_id)
    ):
        raise ELBClientError("InvalidSubnet", f"VPC {subnets[0].vpc_id} has no internet gateway")
    return subnets


def _check_security_groups(response) -> None:
    for group_id in response._get_param("SecurityGroups", []):
        if response.elbv2_backend.ec2_backend.get_security_group_from_id(group_id) is None:
            raise ELBClientError("InvalidSecurityGroup", f"One or more security groups are invalid: {group_id}")


def _rename(backend: ELBv2Backend, load_balancer: FakeLoadBalancer) -> None:
    """The ARN, DNS name and hosted zone of the load balancer's own type."""
    network = load_balancer.type == "network"
    if network:
        tags = backend.tagging_service.get_tag_dict_for_resource(load_balancer.arn)
        backend.tagging_service.delete_all_tags_for_resource(load_balancer.arn)
        del backend.load_balancers[load_balancer.arn]
        load_balancer.arn = load_balancer.arn.replace(":loadbalancer/app/", ":loadbalancer/net/")
        backend.load_balancers[load_balancer.arn] = load_balancer
        backend.tagging_service.tag_resource(
            load_balancer.arn, [{"Key": key, "Value": value} for key, value in tags.items()]
        )
    identifier = load_balancer.arn.rsplit("/", 1)[-1]
    region = backend.region_name
    if network:
        load_balancer.dns_name = f"{load_balancer.name}-{identifier}.elb.{region}.amazonaws.com"
    else:
        prefix = "internal-" if load_balancer.scheme == "internal" else ""
        load_balancer.dns_name = (
            f"{prefix}{load_balancer.name}-{int(identifier, 16) % 10**10}.{region}.elb.amazonaws.com"
        )
    zones = _NLB_ZONES if network else _ALB_ZONES
    load_balancer.canonical_hosted_zone_id = zones.get(region, _OTHER_ZONE)


def _description(load_balancer: FakeLoadBalancer) -> str:
    return "ELB " + load_balancer.arn.split(":loadbalancer/", 1)[1]


def _hold_interfaces(ec2, load_balancer: FakeLoadBalancer, subnets: list) -> None:
    """A load balancer holds an interface in each subnet, with its groups: that is what keeps both from deletion."""
    kind = "network_load_balancer" if load_balancer.type == "network" else "interface"
    for subnet in subnets:
        groups = load_balancer.security_groups or None
        managed_interface(ec2, subnet, _description(load_balancer), kind, groups).requester_id = "amazon-elb"


def _held_interfaces(ec2, load_balancer: FakeLoadBalancer) -> list:
    return [interface for interface in ec2.enis.values() if interface.description == _description(load_balancer)]


@corrects(ELBV2Response, "delete_load_balancer")
def delete_load_balancer(original, self):
    """Its interfaces go with it, unless it is protected. Deleting what is not there succeeds."""
    backend = self.elbv2_backend
    arn = self._get_param("LoadBalancerArn")
    load_balancer = backend.load_balancers.get(arn)
    if load_balancer is None:
        return EmptyResult()
    if load_balancer.attrs.get("deletion_protection.enabled") == "true":
        raise ELBClientError(
            "OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        )
    for interface in _held_interfaces(backend.ec2_backend, load_balancer):
        let_go(backend.ec2_backend, interface)
    for resource in (arn, *load_balancer.listeners):
        backend.tagging_service.delete_all_tags_for_resource(resource)
    del backend.load_balancers[arn]
    return EmptyResult()


@corrects(ELBV2Response, "set_security_groups")
def set_security_groups(original, self):
    _check_security_groups(self)
    answer = original(self)
    ec2 = self.elbv2_backend.ec2_backend
    load_balancer = self.elbv2_backend.load_balancers[self._get_param("LoadBalancerArn")]
    groups = [ec2.get_security_group_from_id(group_id) for group_id in load_balancer.security_groups]
    for interface in _held_interfaces(ec2, load_balancer):
        interface._group_set = groups
    return ActionResult({"SecurityGroupIds": self._get_param("SecurityGroups", []), **answer.result})


@corrects(ELBV2Response, "set_subnets")
def set_subnets(original, self):
    """A network load balancer may have a single subnet; moto asks for two, of any load balancer."""
    backend = self.elbv2_backend
    load_balancer = backend.load_balancers.get(self._get_param("LoadBalancerArn"))
    if load_balancer is None:
        raise LoadBalancerNotFoundError()
    self.params["Scheme"] = load_balancer.scheme
    subnets = _checked_subnets(self)
    ec2 = backend.ec2_backend
    for interface in _held_interfaces(ec2, load_balancer):
        if interface.subnet not in subnets:
            let_go(ec2, interface)
    _hold_interfaces(ec2, load_balancer, [subnet for subnet in subnets if subnet not in load_balancer.subnets])
    load_balancer.subnets = subnets
    return ActionResult({"AvailabilityZones": [models.AvailabilityZone(subnet) for subnet in subnets]})


@before(ELBV2Response, "modify_load_balancer_attributes")
def known_load_balancer_attributes(self):
    load_balancer = self.elbv2_backend.load_balancers.get(self._get_param("LoadBalancerArn"))
    for attribute in self._get_param("Attributes", []):
        if load_balancer is not None and load_balancer.type == "network" and attribute["Key"] not in _NLB_ATTRIBUTES:
            raise ValidationError(
                f"Load balancer attribute key '{attribute['Key']}' is not supported on network load balancers"
            )


# Target groups


@corrects(ELBV2Response, "create_target_group")
def create_target_group(original, self):
    """The same request again answers with the same target group; moto refuses it."""
    for existing in self.elbv2_backend.target_groups.values():
        if existing.name == self._get_param("Name"):
            if _is_same_target_group(self, existing):
                return ActionResult({"TargetGroups": [existing]})
            raise DuplicateTargetGroupName()
    answer = original(self)
    group = answer.result["TargetGroups"][0]
    _complete(group, self)
    return answer


def _complete(group: FakeTargetGroup, response) -> None:
    """The defaults of a layer 4 target group, where moto has an application load balancer's."""
    if group.protocol not in _LAYER_4:
        return
    group.attributes = dict(_TARGET_GROUP_ATTRIBUTES)
    if group.target_type == "ip" and group.protocol in ("TCP", "TLS"):
        group.attributes["preserve_client_ip.enabled"] = "false"
    if group.health_check_protocol in ("HTTP", "HTTPS"):
        group.health_check_path = group.health_check_path or "/"
        group.matcher = response._get_param("Matcher") or {"HttpCode": "200-399"}


_COMPARED = {
    "Protocol": "protocol",
    "Port": "port",
    "VpcId": "vpc_id",
    "TargetType": "target_type",
    "HealthCheckProtocol": "health_check_protocol",
    "HealthCheckPort": "health_check_port",
    "HealthCheckPath": "health_check_path",
    "HealthCheckIntervalSeconds": "health_check_interval_seconds",
    "HealthCheckTimeoutSeconds": "health_check_timeout_seconds",
    "HealthyThresholdCount": "healthy_threshold_count",
    "UnhealthyThresholdCount": "unhealthy_threshold_count",
}


def _is_same_target_group(response, existing: FakeTargetGroup) -> bool:
    given = {member: response._get_param(member) for member in _COMPARED}
    return all(
        value is None or str(value) == str(getattr(existing, _COMPARED[member])) for member, value in given.items()
    ) and response.elbv2_backend.tagging_service.get_tag_dict_for_resource(existing.arn) == _tags_given(response)


def _attached_to(self) -> list[str]:
    """The load balancers that forward to the group now; moto never forgets one that once did."""
    backend = models.elbv2_backends[self.account_id][self.region_name]
    return [
        load_balancer.arn
        for load_balancer in backend.load_balancers.values()
        if any(
            self.arn in backend._get_target_group_arns_from(action_data=action.data)
            for listener in load_balancer.listeners.values()
            for rule in listener.rules.values()
            for action in rule.actions
        )
    ]


# moto assigns an empty list at creation and appends to it: both are without effect now.
FakeTargetGroup.load_balancer_arns = property(_attached_to, lambda self, value: None)


@corrects(ELBV2Response, "delete_target_group")
def delete_target_group(original, self):
    """Deleting what is not there succeeds."""
    arn = self._get_param("TargetGroupArn")
    if arn not in self.elbv2_backend.target_groups:
        return EmptyResult()
    answer = original(self)
    self.elbv2_backend.tagging_service.delete_all_tags_for_resource(arn)
    return answer


@corrects(ELBV2Response, "modify_target_group_attributes")
def modify_target_group_attributes(original, self):
    """Unknown attributes are refused, and all attributes answered."""
    group = self.elbv2_backend.target_groups.get(self._get_param("TargetGroupArn"))
    if group is None:
        raise TargetGroupNotFoundError()
    for attribute in self._get_param("Attributes", []):
        if attribute["Key"] not in group.attributes and group.protocol in _LAYER_4:
            raise ValidationError(f"Target group attribute key '{attribute['Key']}' is not recognized")
    original(self)
    return ActionResult({"Attributes": group.attributes})


@corrects(ELBv2Backend, "describe_target_groups")
def target_groups_of_load_balancer(original, self, load_balancer_arn, target_group_arns, names):
    """A load balancer without target groups has none; moto says that it cannot find them."""
    try:
        return original(self, load_balancer_arn, target_group_arns, names)
    except TargetGroupNotFoundError:
        if load_balancer_arn and not target_group_arns and not names:
            return []
        raise


@before(ELBV2Response, "register_targets")
def targets_in_reach(self):
    """An address target lies in the network of the group, or is a private one outside it and says so."""
    group = self.elbv2_backend.target_groups.get(self._get_param("TargetGroupArn"))
    if group is None or group.target_type != "ip":
        return
    vpc = self.elbv2_backend.ec2_backend.get_vpc(group.vpc_id)
    networks = [ipaddress.ip_network(block["cidr_block"]) for block in vpc.cidr_block_association_set]
    for target in self._get_param("Targets", []):
        try:
            address = ipaddress.ip_address(target["Id"])
        except ValueError:
            raise ValidationError(f"The IP address '{target['Id']}' is not a valid IPv4 address") from None
        inside = any(address in network for network in networks)
        if not inside and not (address.is_private and target.get("AvailabilityZone") == "all"):
            raise ELBClientError(
                "InvalidTarget",
                f"The IP address '{target['Id']}' is not within a range in the VPC and its availability zone is not "
                "'all'",
            )


@corrects(FakeTargetGroup, "deregister")
def deregister(original, self, targets):
    """Deregistering what is not registered succeeds."""
    original(self, [target for target in targets if target["Id"] in self.targets])


@corrects(FakeTargetGroup, "health_for")
def health_for(original, self, target, ec2_backend):
    """Healthy is what runs: an address target whose interface is attached to a running instance.

    A group that no listener forwards to is unused. moto finds every registered target healthy.
    """
    registered = self.targets.get(target["Id"])
    if registered is None:
        return original(self, target, ec2_backend)
    if not self.load_balancer_arns:
        return _health(
            self,
            registered,
            "unused",
            "Target.NotInUse",
            "Target group is not configured to receive traffic from the load balancer",
        )
    if _is_running(ec2_backend, self.vpc_id, registered["Id"]):
        return _health(self, registered, "healthy")
    return _health(self, registered, "unhealthy", "Target.FailedHealthChecks", "Health checks failed")


def _health(
    group, target: dict, state: str, reason: str | None = None, description: str | None = None
) -> FakeHealthStatus:
    port = str(target["Port"]) if group.health_check_port == "traffic-port" else group.health_check_port
    return FakeHealthStatus(target["Id"], target["Port"], port, state, reason, description)


def _is_running(ec2, vpc_id: str, target_id: str) -> bool:
    if target_id.startswith("i-"):
        instance = ec2.get_instance_by_id(target_id)
        return instance is not None and instance.state == "running"
    return any(
        interface.instance is not None and interface.instance.state == "running"
        for interface in ec2.enis.values()
        if interface.subnet.vpc_id == vpc_id
        and target_id in [address["PrivateIpAddress"] for address in interface.private_ip_addresses]
    )


# Listeners


def _target_groups_of(actions: list[dict]) -> set[str]:
    named = {action["TargetGroupArn"] for action in actions if action.get("TargetGroupArn")}
    for action in actions:
        for group in (action.get("ForwardConfig") or {}).get("TargetGroups", []):
            named.add(group["TargetGroupArn"])
    return named


@corrects(ELBV2Response, "create_listener")
def create_listener(original, self):
    """One listener per port: the same request again answers with it, another one is refused."""
    backend = self.elbv2_backend
    load_balancer = backend.load_balancers.get(self._get_param("LoadBalancerArn"))
    if load_balancer is None:
        raise LoadBalancerNotFoundError()
    wanted = _target_groups_of(self._get_param("DefaultActions", []))
    for listener in load_balancer.listeners.values():
        if str(listener.port) == str(self._get_param("Port")):
            has = {
                arn
                for action in listener.default_actions
                for arn in backend._get_target_group_arns_from(action_data=action.data)
            }
            if has == wanted and listener.protocol == self._get_param("Protocol"):
                return ActionResult({"Listeners": [listener]})
            raise DuplicateListenerError()
    for arn in wanted:
        if arn not in backend.target_groups:
            raise TargetGroupNotFoundError()
        others = [other for other in backend.target_groups[arn].load_balancer_arns if other != load_balancer.arn]
        if others and load_balancer.type == "network":
            raise ELBClientError(
                "TargetGroupAssociationLimit",
                f"The following target groups cannot be associated with more than one load balancer: {arn}",
            )
    return original(self)


@after(ELBV2Response, "delete_listener")
def forget_listener_tags(self):
    self.elbv2_backend.tagging_service.delete_all_tags_for_resource(self._get_param("ListenerArn"))


# Tags and pages


@corrects(ELBv2Backend, "add_tags")
def add_tags(original, self, resource_arns, tags):
    """Up to 50 tags; moto stops at 10."""
    for arn in resource_arns:
        self._get_resource_by_arn(arn)
        kept = self.tagging_service.get_tag_dict_for_resource(arn)
        if len({*kept, *(tag["Key"] for tag in tags)}) > MAX_TAGS:
            raise ELBClientError("TooManyTags", "The number of tags exceeds the limit")
        self.tagging_service.tag_resource(arn, tags)


@before(ELBV2Response, "describe_tags")
def few_known_resources(self):
    """At most 20 resources, all of which exist; moto takes any number and shows no tags for the unknown."""
    arns = self._get_param("ResourceArns", [])
    if len(arns) > MAX_ARNS_OF_DESCRIBE_TAGS:
        raise ValidationError(
            f"1 validation error detected: Value '{arns}' at 'resourceArns' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_ARNS_OF_DESCRIBE_TAGS}"
        )
    for arn in arns:
        self.elbv2_backend._get_resource_by_arn(arn)


def _paged(method: str, result: str, not_found: type[ELBClientError]) -> None:
    @corrects(ELBV2Response, method)
    def describe(original, self):
        size = self._get_int_param("PageSize", 400)
        if not 1 <= size <= 400:
            raise ValidationError(
                f"1 validation error detected: Value '{size}' at 'pageSize' failed to satisfy constraint"
            )
        marker, names = self._get_param("Marker"), self._get_param("Names")
        for member in ("PageSize", "Marker"):
            self.params.pop(member, None)
        self.params["PageSize"] = 10**9
        left_out = listings.hidden(self.current_account)
        found = list(original(self).result[result])
        items = [item for item in found if item.arn not in left_out]
        if names and len(items) < len(found):
            raise not_found()
        shown, token = Page.of(self, marker, size).cut(items)
        return ActionResult({result: shown, "NextMarker": token})


_paged("describe_load_balancers", "LoadBalancers", LoadBalancerNotFoundError)
_paged("describe_target_groups", "TargetGroups", TargetGroupNotFoundError)
_paged("describe_listeners", "Listeners", ListenerNotFoundError)
