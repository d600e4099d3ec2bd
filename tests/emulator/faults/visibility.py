"""Eventual consistency: a new thing is not there yet, or not there again.

For some seconds after a call made it, calls that name it may be told that it does not exist, and listings may leave it
out. The chance falls from certainty to none over that time, so that the thing flickers. Other calls know of it: its
name is taken, and a repeated token has the same result.
"""

import random
import re
import time
from urllib.parse import parse_qsl, unquote

from ..calls import Answer, Call

# What a call makes, by its action: the kind of thing that is new in its answer.
_MADE_BY = {
    "AllocateAddress": "eipalloc",
    "CreateDhcpOptions": "dopt",
    "CreateEgressOnlyInternetGateway": "eigw",
    "CreateHostedZone": "zone",
    "CreateInstanceProfile": "profile",
    "CreateInternetGateway": "igw",
    "CreateLaunchTemplate": "lt",
    "CreateListener": "listener",
    "CreateLoadBalancer": "loadbalancer",
    "CreateNatGateway": "nat",
    "CreateNetworkInterface": "eni",
    "CreateRole": "role",
    "CreateRouteTable": "rtb",
    "CreateSecurityGroup": "sg",
    "CreateSubnet": "subnet",
    "CreateTargetGroup": "targetgroup",
    "CreateVolume": "vol",
    "CreateVpc": "vpc",
    "CreateVpcEndpoint": "vpce",
    "ImportKeyPair": "key",
    "RunInstances": "i",
}

_EC2_ID = re.compile(r"\b(dopt|eigw|eipalloc|eni|i|igw|key|lt|nat|rtb|sg|subnet|vol|vpc|vpce)-[0-9a-f]{8,17}\b")
_ELB_ARN = re.compile(r"arn:aws[^:]*:elasticloadbalancing:[^:]*:\d*:(listener|loadbalancer|targetgroup)/[\w/-]+")
_ZONE_ID = re.compile(r"/hostedzone/(Z[0-9A-Z]+)")
_IAM_MEMBERS = {"RoleName": "role", "InstanceProfileName": "profile"}

# How each service says that a thing of some kind does not exist: code, message, status.
_NOT_FOUND = {
    "ec2": {
        "dopt": ("InvalidDhcpOptionID.NotFound", "The dhcpOption ID '{}' does not exist", 400),
        "eigw": ("InvalidGatewayID.NotFound", "The eigw ID '{}' does not exist", 400),
        "eipalloc": ("InvalidAllocationID.NotFound", "The allocation ID '{}' does not exist", 400),
        "eni": ("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '{}' does not exist", 400),
        "i": ("InvalidInstanceID.NotFound", "The instance ID '{}' does not exist", 400),
        "igw": ("InvalidInternetGatewayID.NotFound", "The internetGateway ID '{}' does not exist", 400),
        "key": ("InvalidKeyPair.NotFound", "The key pair '{}' does not exist", 400),
        "lt": (
            "InvalidLaunchTemplateId.NotFound",
            "The specified launch template, with template ID {}, does not exist.",
            400,
        ),
        "nat": ("NatGatewayNotFound", "NAT gateway {} was not found", 400),
        "rtb": ("InvalidRouteTableID.NotFound", "The routeTable ID '{}' does not exist", 400),
        "sg": ("InvalidGroup.NotFound", "The security group '{}' does not exist", 400),
        "subnet": ("InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist", 400),
        "vol": ("InvalidVolume.NotFound", "The volume '{}' does not exist.", 400),
        "vpc": ("InvalidVpcID.NotFound", "The vpc ID '{}' does not exist", 400),
        "vpce": ("InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '{}' does not exist", 400),
    },
    "autoscaling": {
        "lt": (
            "ValidationError",
            "You must use a valid fully-formed launch template. The specified launch template, with template ID {}, "
            "does not exist.",
            400,
        ),
        "subnet": ("ValidationError", "The subnet ID '{}' does not exist", 400),
        "targetgroup": (
            "ValidationError",
            "Provided Target Groups may not be valid. Please ensure they exist and try again.",
            400,
        ),
    },
    "elbv2": {
        "listener": ("ListenerNotFound", "One or more listeners not found", 400),
        "loadbalancer": ("LoadBalancerNotFound", "One or more load balancers not found", 400),
        "sg": ("InvalidSecurityGroup", "One or more security groups are invalid", 400),
        "subnet": ("SubnetNotFound", "The subnet ID '{}' does not exist", 400),
        "targetgroup": ("TargetGroupNotFound", "One or more target groups not found", 400),
        "vpc": ("ValidationError", "The VPC ID '{}' is not found", 400),
    },
    "iam": {
        "profile": ("NoSuchEntity", "Instance Profile {} cannot be found.", 404),
        "role": ("NoSuchEntity", "The role with name {} cannot be found.", 404),
    },
    "route53": {
        "vpc": ("InvalidVPCId", "The VPC: {} that you provided is not authorized to make the association.", 400),
        "zone": ("NoSuchHostedZone", "No hosted zone found with ID: {}", 404),
    },
}

# A thing: its kind, and its id, ARN or name.
Thing = tuple[str, str]


class Visibility:
    """What one account has made lately."""

    def __init__(self, seconds: float, seed: int):
        self._seconds = seconds
        self._chance = random.Random(seed)
        self._made: dict[Thing, float] = {}

    def learn(self, call: Call, answer: Answer) -> None:
        """Notes what a call has made. A call that is repeated makes nothing new."""
        kind = _MADE_BY.get(call.action)
        if kind is None or answer.status >= 300:
            return
        named = set(_named_by(call))
        if kind in _IAM_MEMBERS.values():
            made = named
        else:
            made = set(_found_in(answer.body.decode("utf-8", "replace"))) - named
        for thing in made:
            if thing[0] == kind:
                self._made.setdefault(thing, time.monotonic())

    def refusal(self, call: Call) -> Answer | None:
        """The answer to a call that names what is not visible."""
        not_found = _NOT_FOUND.get(call.service, {})
        for kind, name in _named_by(call):
            # What makes a thing of this name finds that it exists.
            if kind in not_found and _MADE_BY.get(call.action) != kind and self._hides((kind, name)):
                code, message, status = not_found[kind]
                return call.error(code, message.format(name), status)
        return None

    def hidden(self) -> set[str]:
        """What listings leave out now."""
        return {thing[1] for thing in list(self._made) if self._hides(thing)}

    def _hides(self, thing: Thing) -> bool:
        made = self._made.get(thing)
        if made is None:
            return False
        share = (time.monotonic() - made) / self._seconds
        if share >= 1:
            del self._made[thing]
            return False
        return self._chance.random() >= share


def _found_in(text: str) -> list[Thing]:
    things = [(match.group(1), match.group(0)) for match in _EC2_ID.finditer(text)]
    things += [(match.group(1), match.group(0)) for match in _ELB_ARN.finditer(text)]
    return things + [("zone", match.group(1)) for match in _ZONE_ID.finditer(text)]


def _named_by(call: Call) -> list[Thing]:
    body = call.body.decode("utf-8", "replace")
    if call.service == "iam":
        members = parse_qsl(body)
        return [(_IAM_MEMBERS[member], value) for member, value in members if member in _IAM_MEMBERS]
    return _found_in(unquote(call.environ["PATH_INFO"] + " " + body))
