"""Instances, volumes, key pairs and instance types.

Corrects moto/ec2/models/instances.py, elastic_block_store.py, key_pairs.py and moto/ec2/responses/instances.py,
elastic_block_store.py, key_pairs.py.
"""

import copy
from operator import attrgetter

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidInstanceIdError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instance_types import INSTANCE_TYPES, InstanceType
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.responses import EC2Response

from .. import conditions, later
from . import listings
from .ec2_tags import forget_tags
from .launching import Launch, end_interfaces, set_state
from .listings import Listing, Page, taken_filters
from .patching import after, before, corrects

# Instances


@corrects(EC2Response, "run_instances")
def run_instances(original, self):
    """A launch template's data with the request's own laid over it: see launching.py."""
    request = {
        key: value for key, value in self.params.items() if key not in ("MinCount", "MaxCount", "LaunchTemplate")
    }
    named = self._get_param("LaunchTemplate")
    version = self.ec2_backend._get_template_from_args(named) if named else None
    launch = Launch(
        self.ec2_backend,
        {**(version.data if version else {}), **request},
        template=version.template if version else None,
        version=version.number if version else None,
    )
    return ActionResult(launch.run(self._get_int_param("MaxCount", 1)))


@corrects(InstanceBackend, "get_instance_by_id")
def get_instance_by_id(original, self, instance_id):
    """Looked up; moto walks through all instances for each volume, tag and profile of a new one."""
    index = self.__dict__.setdefault("instances_by_id", {})
    if instance_id not in index:
        # Who is not known yet is most likely among the newest.
        for reservation in reversed(self.reservations.values()):
            index.update((instance.id, instance) for instance in reservation.instances)
            if instance_id in index:
                break
    return index.get(instance_id)


@corrects(InstanceBackend, "get_instance")
def get_instance(original, self, instance_id):
    instance = self.get_instance_by_id(instance_id)
    if instance is None:
        raise InvalidInstanceIdError(instance_id)
    return instance


@corrects(InstanceBackend, "get_multi_instances_by_id")
def get_multi_instances_by_id(original, self, instance_ids, filters=None):
    instances = [self.get_instance_by_id(instance_id) for instance_id in instance_ids]
    if filters or None in instances:
        return original(self, instance_ids, filters)
    return instances


@corrects(Instance, "terminate")
def terminate(original, self):
    """A terminated instance has no addresses any more; in moto its interfaces stay in the subnet for ever."""
    previous = copy.copy(self._state)
    if previous.name in ("shutting-down", "terminated"):
        return previous

    def end():
        end_interfaces(self)
        original(self)

    set_state(self, "shutting-down")
    account = self.ec2_backend.account_id
    later.do(account, conditions.of(account).pending_seconds, end)
    return previous


def _of_first_interface(name: str, attribute: str) -> None:
    @corrects(Instance, name)
    def of_first_interface(original, self):
        return getattr(self.nics[0], attribute) if 0 in self.nics else None


for _name, _attribute in (
    ("private_ip", "private_ip_address"),
    ("private_ip_address", "private_ip_address"),
    ("public_ip", "public_ip"),
    ("public_ip_address", "public_ip"),
):
    _of_first_interface(_name, _attribute)


@corrects(Instance, "private_dns_name")
def private_dns_name(original, self):
    return original(self) if self.private_ip else ""


INSTANCES = Listing(
    "describe_instances",
    "Reservations",
    {
        "instance-id": attrgetter("id"),
        "instance-state-name": attrgetter("state"),
        "instance-state-code": attrgetter("state_code"),
        "instance-type": attrgetter("instance_type"),
        "instance-lifecycle": attrgetter("lifecycle"),
        "image-id": attrgetter("image_id"),
        "key-name": attrgetter("key_name"),
        "availability-zone": attrgetter("availability_zone"),
        "vpc-id": attrgetter("vpc_id"),
        "subnet-id": attrgetter("subnet_id"),
        "private-ip-address": attrgetter("private_ip"),
        "private-dns-name": attrgetter("private_dns_name"),
        "ip-address": attrgetter("public_ip"),
        "client-token": attrgetter("client_token"),
        "architecture": attrgetter("architecture"),
        "instance.group-id": lambda instance: [group.id for group in instance.security_groups],
        "network-interface.network-interface-id": lambda instance: [nic.id for nic in instance.nics.values()],
        "network-interface.addresses.private-ip-address": lambda instance: [
            nic.private_ip_address for nic in instance.nics.values()
        ],
        "iam-instance-profile.arn": lambda instance: (instance.iam_instance_profile or {}).get("Arn"),
    },
)


@corrects(EC2Response, "describe_instances")
def describe_instances(original, self):
    """AWS counts instances in a page; moto counts reservations, and searches every tag of the account per instance."""
    filters = taken_filters(self)
    INSTANCES.check(filters)
    wanted = self._get_param("InstanceIds", [])
    if wanted and self._get_param("MaxResults"):
        raise EC2ClientError(
            "InvalidParameterCombination",
            "The parameter instancesSet cannot be used with the parameter maxResults",
        )
    page = Page.of_ec2(self, INSTANCES.largest_page, INSTANCES.smallest_page)
    pairs = [
        (reservation, instance)
        for reservation in self.ec2_backend.reservations.values()
        for instance in reservation.instances
    ]
    known = {instance.id for _, instance in pairs}
    unknown = [instance_id for instance_id in wanted if instance_id not in known]
    if unknown:
        raise EC2ClientError(
            "InvalidInstanceID.NotFound",
            f"The instance ID '{unknown[0]}' does not exist"
            if len(unknown) == 1
            else f"The instance IDs '{', '.join(unknown)}' do not exist",
        )
    left_out = listings.hidden(self.current_account)
    pairs = [
        (reservation, instance)
        for reservation, instance in pairs
        if (not wanted or instance.id in wanted)
        and instance.id not in left_out
        and INSTANCES.accepts(instance, filters)
    ]
    shown, token = page.cut(pairs)
    reservations: dict[str, dict] = {}
    for reservation, instance in shown:
        entry = reservations.setdefault(
            reservation.id,
            {"ReservationId": reservation.id, "OwnerId": reservation.owner_id, "Groups": [], "Instances": []},
        )
        entry["Instances"].append(instance)
    return ActionResult({"Reservations": list(reservations.values()), "NextToken": token})


# Instance types

INSTANCE_TYPE_LISTING = Listing(
    "describe_instance_types",
    "InstanceTypes",
    {
        name: (lambda kind, name=name: InstanceType.get_filter_value(kind, name))
        for name in InstanceType._filter_attributes
    },
    largest_page=100,
    tags=lambda kind: {},
)
INSTANCE_TYPE_LISTING.install()


@corrects(EC2Backend, "describe_instance_types")
def describe_instance_types(original, self, instance_types=None, filters=None):
    """Named types are looked up; moto walks through all 1,400 for each."""
    unknown = [name for name in instance_types or [] if name not in INSTANCE_TYPES]
    if unknown:
        raise EC2ClientError(
            "InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(unknown)}]"
        )
    if instance_types:
        return [InstanceType(name) for name in instance_types]
    return self.instance_types


# Volumes


@before(EC2Response, "attach_volume")
def attach_to_running_instance(self):
    """AWS attaches a free volume to an instance of its own zone; moto attaches anything to anything."""
    volume = self.ec2_backend.get_volume(self._get_param("VolumeId"))
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    if volume.attachment:
        raise EC2ClientError("VolumeInUse", f"{volume.id} is already attached to an instance")
    if instance.state not in ("running", "stopped"):
        raise EC2ClientError("IncorrectState", f"Instance '{instance.id}' is not 'running'.")
    if volume.availability_zone != instance.availability_zone:
        raise EC2ClientError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume.id}' is not in the same availability zone as instance '{instance.id}'",
        )


@corrects(EC2Backend, "attach_volume")
def attach_volume(original, self, volume_id, instance_id, device_path, delete_on_termination=False):
    """The volume shows whether it goes with the instance; moto tells it at the instance only."""
    attachment = original(self, volume_id, instance_id, device_path, delete_on_termination)
    attachment.delete_on_termination = delete_on_termination
    return attachment


@before(EC2Backend, "modify_volume")
def volume_at_rest(self, volume_id, *targets):
    """A request that comes again finds the volume busy with the first one."""
    volume = self.get_volume(volume_id)
    if volume.modifications and getattr(volume.modifications[-1], "asked", None) == targets:
        raise EC2ClientError("IncorrectModificationState", f"Volume {volume_id} is currently being modified.")


@after(EC2Backend, "modify_volume")
def remember_modification(self, volume_id, *targets):
    self.get_volume(volume_id).modifications[-1].asked = targets


@before(EC2Response, "create_volume")
def volume_in_zone(self):
    zone = self._get_param("AvailabilityZone")
    if zone not in [known.name for known in self.ec2_backend.describe_availability_zones()]:
        raise EC2ClientError("InvalidZone.NotFound", f"The zone '{zone}' does not exist.")


@corrects(EC2Backend, "create_volume")
def gp3_throughput(original, self, *args, **kwargs):
    """A gp3 volume has 125 MiB/s unless it asks for more; moto shows none."""
    volume = original(self, *args, **kwargs)
    if volume.volume_type == "gp3" and not volume.throughput:
        volume.throughput = 125
    if volume.volume_type == "gp2" and not volume.iops:
        volume.iops = max(100, min(3 * int(volume.size), 16000))
    return volume


# Key pairs

KEY_PAIRS = Listing(
    "describe_key_pairs",
    "KeyPairs",
    {
        "key-name": attrgetter("key_name"),
        "key-pair-id": attrgetter("id"),
        "fingerprint": attrgetter("key_fingerprint"),
    },
)


@corrects(EC2Response, "describe_key_pairs")
def describe_key_pairs(original, self):
    """By id too, which moto ignores; with the public key for this request only (moto shows it to all from then on)."""
    filters = taken_filters(self)
    KEY_PAIRS.check(filters)
    names, ids = self._get_param("KeyNames", []), self._get_param("KeyPairIds", [])
    pairs = list(self.ec2_backend.key_pairs.values())
    for wanted, attribute in ((names, "key_name"), (ids, "id")):
        unknown = set(wanted) - {getattr(pair, attribute) for pair in pairs}
        if unknown:
            raise EC2ClientError("InvalidKeyPair.NotFound", f"The key pair '{sorted(unknown)[0]}' does not exist")
    left_out = listings.hidden(self.current_account)
    shown = [
        pair
        for pair in pairs
        if not (names or ids) or pair.key_name in names or pair.id in ids
        if KEY_PAIRS.accepts(pair, filters) and pair.id not in left_out
    ]
    with_key = self._get_bool_param("IncludePublicKey", False)
    return ActionResult({"KeyPairs": [_key_pair_info(pair, with_key) for pair in shown]})


def _key_pair_info(pair, with_key: bool) -> dict:
    info = {
        "KeyPairId": pair.id,
        "KeyName": pair.key_name,
        "KeyType": pair.key_type,
        "KeyFingerprint": pair.key_fingerprint,
        "CreateTime": pair.create_time,
        "Tags": pair.get_tags(),
    }
    return {**info, "PublicKey": pair.public_key} if with_key else info


@before(EC2Response, "delete_key_pair")
def delete_key_pair_by_id(self):
    """moto knows key pairs by name only."""
    wanted = self._get_param("KeyPairId")
    for pair in self.ec2_backend.key_pairs.values():
        if wanted and pair.id == wanted:
            self.params["KeyName"] = pair.key_name
    self.params.setdefault("KeyName", "")


@corrects(EC2Backend, "delete_key_pair")
def forget_key_pair(original, self, name):
    pair = original(self, name)
    if pair is not None:
        forget_tags(self, pair.id)
    return pair
