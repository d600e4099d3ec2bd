"""Worlds that compare equal exactly when nothing is missing, there twice, or different, whenever and wherever they were made.

In a world (world.py) every run has its own ids, account, keys and times. Here each id has given way to a name that says
what it is of: the thing's `kclust.dev/id`, its `Name`, or what it belongs to. Things of one name stand in a list, so that
one that is there twice shows. What nodes and instances are given, and what lies in S3, is compared by what it says once
its names are exchanged; documents of a cluster's state are taken apart in canonical_state.py.
"""

import gzip
import hashlib
import json

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.route53.models import route53_backends
from moto.s3.models import FakeDeleteMarker, s3_backends

from . import canonical_state, world
from .corrections.launch_templates import existing_versions

_ID_TAG = "kclust.dev/id"
_OWNERSHIP = "kubernetes.io/cluster/"


def dump(account: str) -> dict:
    document = world.dump(account)
    names = Names(account)
    for region, kinds in document["regions"].items():
        _name_things(names, kinds)
        _name_hidden(names, account, region)
    for zone in _backend(route53_backends, account, "aws", "zones").values():
        names.add(zone.resource_id, f"zone {zone.name}")
    objects = _objects(account)
    for bucket, contents in objects.items():
        canonical_state.name_contents(names, contents)
        document["s3"][bucket]["keys"] = contents
    for region in document["regions"]:
        _name_user_data(names, account, region)
    for bucket, contents in objects.items():
        known = document["s3"][bucket].pop("versions")
        document["s3"][bucket]["keys"] = canonical_state.documents(names, contents)
        document["s3"][bucket]["gone"] = sorted(set(known) - set(contents))
    return world.sorted_document(names.exchange(document))


class Names:
    """What stands in for what differs from run to run."""

    def __init__(self, account: str):
        self._names = {account: "ACCOUNT"}
        self._longest_first = None

    def add(self, known: str | None, name: str) -> None:
        if known:
            self._names[known] = name
            self._longest_first = None

    def of(self, known: str | None) -> str:
        return self._names.get(known, known or "")

    def in_text(self, text: str) -> str:
        if self._longest_first is None:
            # An ARN holds the account, and the ids of others.
            self._longest_first = sorted(self._names.items(), key=lambda entry: -len(entry[0]))
        for known, name in self._longest_first:
            if known in text:
                text = text.replace(known, name)
        return text

    def digest(self, content: bytes) -> str:
        """A digest of what the content says."""
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return "says:" + hashlib.sha256(self.in_text(content.decode("latin-1")).encode()).hexdigest()

    def exchange(self, value):
        if isinstance(value, str):
            return self.in_text(value)
        if isinstance(value, (list, tuple)):
            exchanged = [self.exchange(element) for element in value]
            # The order of ids is chance.
            return exchanged if exchanged == list(value) else sorted(exchanged, key=_text)
        if not isinstance(value, dict):
            return value
        exchanged = {}
        for key, inner in value.items():
            exchanged.setdefault(self.in_text(key), []).append(self.exchange(inner))
        return {key: inner[0] if len(inner) == 1 else sorted(inner, key=_text) for key, inner in exchanged.items()}


def _text(value) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _backend(backends, account: str, region: str, attribute: str) -> dict:
    backend = world.existing(backends, account).get(region)
    return getattr(backend, attribute) if backend else {}


def _own_name(kind: str, tags: dict) -> str | None:
    if _ID_TAG in tags:
        cluster = next((key.removeprefix(_OWNERSHIP) for key in tags if key.startswith(_OWNERSHIP)), "nobody")
        return f"{tags[_ID_TAG]} of {cluster}"
    return f"{kind} {tags['Name']}" if "Name" in tags else None


def _name_things(names: Names, kinds: dict) -> None:
    """Whatever stands in the world under its id; first what has a name of its own, then what belongs to that."""
    nameless = []
    for kind, things in kinds.items():
        if kind in ("autoScalingGroups", "parameters"):
            continue
        for known, thing in things.items():
            name = _own_name(kind, thing.get("tags") or {}) or (thing.get("name") and f"{kind} {thing['name']}")
            if name and name != f"{kind} default":
                _name_thing(names, known, name)
            else:
                nameless.append((kind, known, thing))
            # Those of classic load balancers have neither ids nor tags.
            listeners = thing.get("listeners", {}) if kind != "classicLoadBalancers" else {}
            for arn, listener in listeners.items():
                _name_thing(names, arn, _own_name("listener", listener["tags"]) or f"listener {listener['port']} of {name}")
            for rule in [*thing.get("ingress", ()), *thing.get("egress", ())]:
                names.add(rule["id"], _own_name("rule", rule["tags"]) or "rule")
    for kind, known, thing in nameless:
        owner = thing.get("vpc") or thing.get("subnet") or thing.get("attachedTo") or thing.get("instance")
        names.add(known, f"{kind} of {names.of(owner)}")
    for instance in kinds.get("instances", {}).values():
        template = instance["tags"].get("aws:ec2launchtemplate:id")
        if template and template not in kinds.get("launchTemplates", {}):
            names.add(template, "a template that is gone")
    for interface in kinds.get("networkInterfaces", {}).values():
        # AWS gives what asks for none any free address.
        if _ID_TAG not in interface["tags"]:
            interface["address"] = "any"


def _name_thing(names: Names, known: str, name: str) -> None:
    names.add(known, name)
    if known.startswith("arn:"):
        # Descriptions of a load balancer's interfaces hold the last part of its ARN.
        names.add(known.rsplit("/", 1)[-1], f"the {name}")


def _name_hidden(names: Names, account: str, region: str) -> None:
    """What the world does not show as things, though others name it."""
    for address in _backend(ec2_backends, account, region, "addresses") or []:
        names.add(address.public_ip, f"address of {names.of(address.allocation_id)}")
    for table in _backend(ec2_backends, account, region, "route_tables").values():
        for association in table.associations:
            subnet = names.of(association.get("SubnetId"))
            names.add(association["RouteTableAssociationId"], f"association of {subnet} with {names.of(table.id)}")
    for prefixes in _backend(ec2_backends, account, region, "managed_prefix_lists").values():
        names.add(prefixes.id, f"prefixes {prefixes.prefix_list_name}")
    for balancer in _backend(elbv2_backends, account, region, "load_balancers").values():
        names.add(balancer.dns_name, f"host name of {names.of(balancer.arn)}")


def _name_user_data(names: Names, account: str, region: str) -> None:
    for template in _backend(ec2_backends, account, region, "launch_templates").values():
        for version in existing_versions(template):
            _name_digest(names, world.user_data_of_template(version.data))
    for reservation in _backend(ec2_backends, account, region, "reservations").values():
        for instance in reservation.instances:
            _name_digest(names, world.user_data_of_instance(instance))


def _name_digest(names: Names, content: bytes | None) -> None:
    if content:
        names.add(world.digest(content), names.digest(content))


def _objects(account: str) -> dict[str, dict[str, bytes]]:
    return {
        bucket.name: {
            name: key.value for name, key in bucket.keys.items() if not isinstance(key, FakeDeleteMarker)
        }
        for bucket in _backend(s3_backends, account, "aws", "buckets").values()
    }
