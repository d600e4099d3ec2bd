"""What becomes of a RunInstances request or a launch template: an instance with all that it asked for.

moto reads a launch template's type, image, key and top-level groups, and forgets its network interfaces' groups,
instance profile, metadata options, market and volume tags; it adds a root volume of its own; it accepts images, types,
keys and profiles that do not exist. RunInstances and Auto Scaling both come here.
"""

import copy
import functools
from dataclasses import dataclass, field

from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.utils import convert_tag_spec
from moto.iam.models import iam_backends

from .. import conditions, later
from .iam import is_unknown_yet

_DEFAULT_TYPE = "m1.small"


@dataclass
class Launch:
    """A launch, in the words of RunInstances. `spec` is the launch template's data with the request's laid over it."""

    backend: object
    spec: dict
    template: object = None
    version: int | None = None
    instance_tags: dict[str, str] = field(default_factory=dict)
    volume_tags: dict[str, str] = field(default_factory=dict)

    def run(self, count: int) -> object:
        """Starts `count` instances and returns their reservation."""
        image = self._image()
        interfaces = self._interfaces(count)
        zone = self._zone(interfaces)
        self._check_type(image, zone)
        self._check_key()
        profile = self._profile()
        tags = convert_tag_spec(self.spec.get("TagSpecifications") or [])
        existing = set(self.backend.enis)
        user_data = self.spec.get("UserData")
        reservation = self.backend.run_instances(
            image.id,
            count,
            Base64EncodedString(user_data) if user_data else None,
            self.spec.get("SecurityGroups") or [] if not interfaces else [],
            instance_type=self.instance_type,
            # Type and zone have been checked; these two keep moto from walking through all offerings again.
            is_instance_type_default=True,
            placement=None if self._subnet_named(interfaces) else zone,
            region_name=self.backend.region_name,
            subnet_id=None if interfaces else self.spec.get("SubnetId"),
            key_name=self.spec.get("KeyName"),
            security_group_ids=[] if interfaces else self.spec.get("SecurityGroupIds") or [],
            nics=interfaces,
            private_ip=self.spec.get("PrivateIpAddress"),
            associate_public_ip=None,
            tags={
                "instance": {**tags.get("instance", {}), **self._template_tags(), **self.instance_tags},
                "volume": {**tags.get("volume", {}), **self.volume_tags},
            },
            ebs_optimized=self.spec.get("EbsOptimized") or False,
            disable_api_stop=self.spec.get("DisableApiStop") or False,
            disable_api_termination=self.spec.get("DisableApiTermination") or False,
            instance_initiated_shutdown_behavior=self.spec.get("InstanceInitiatedShutdownBehavior"),
            monitoring_state="enabled" if (self.spec.get("Monitoring") or {}).get("Enabled") else "disabled",
            metadata_options=self.spec.get("MetadataOptions") or {},
            block_device_mappings=self._devices(image),
            client_token=self.spec.get("ClientToken"),
            instance_market_options=(self.spec.get("InstanceMarketOptions") or {}).get("MarketType"),
            hibernation_options={},
        )
        for instance in reservation.instances:
            self._finish(instance, existing, profile, tags.get("network-interface", {}))
        return reservation

    def check(self) -> None:
        """Refuses what run() would refuse, without launching."""
        self._check_type(self._image(), None)
        self._check_key()
        self._profile()
        groups = list(self.spec.get("SecurityGroupIds") or [])
        for interface in self.spec.get("NetworkInterfaces") or []:
            groups += interface.get("Groups") or []
        for group_id in groups:
            if self.backend.get_security_group_from_id(group_id) is None:
                raise EC2ClientError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")

    @property
    def instance_type(self) -> str:
        return self.spec.get("InstanceType") or _DEFAULT_TYPE

    def _template_tags(self) -> dict[str, str]:
        if self.template is None:
            return {}
        return {"aws:ec2launchtemplate:id": self.template.id, "aws:ec2launchtemplate:version": str(self.version)}

    def _image(self):
        wanted = self.spec.get("ImageId")
        if not wanted:
            raise EC2ClientError("MissingParameter", "The request must contain the parameter ImageId")
        if wanted.startswith("resolve:ssm:"):
            wanted = self._parameter(wanted.removeprefix("resolve:ssm:"))
        image = self.backend.amis.get(wanted)
        if image is None:
            raise EC2ClientError("InvalidAMIID.NotFound", f"The image id '[{wanted}]' does not exist")
        return image

    def _parameter(self, name: str) -> str:
        from moto.ssm.models import ssm_backends

        parameter = ssm_backends[self.backend.account_id][self.backend.region_name].get_parameter(name)
        if parameter is None:
            raise EC2ClientError("InvalidParameterValue", f"Parameter {name} could not be resolved")
        return parameter.value

    def _check_type(self, image, zone: str | None) -> None:
        description = INSTANCE_TYPES.get(self.instance_type)
        if description is None:
            raise EC2ClientError("InvalidParameterValue", f"Invalid value '{self.instance_type}' for InstanceType.")
        machines = description["ProcessorInfo"]["SupportedArchitectures"]
        if image.architecture not in machines:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"The architecture '{','.join(machines)}' of the specified instance type does not match the "
                f"architecture '{image.architecture}' of the specified AMI. Specify an instance type and an AMI that "
                "have matching architectures, and try again.",
            )
        if zone and not is_offered(self.backend.region_name, zone, self.instance_type):
            raise EC2ClientError(
                "Unsupported",
                f"Your requested instance type ({self.instance_type}) is not supported in your requested "
                f"Availability Zone ({zone}).",
            )

    def _check_key(self) -> None:
        key = self.spec.get("KeyName")
        if key and key not in self.backend.key_pairs:
            raise EC2ClientError("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")

    def _profile(self):
        wanted = self.spec.get("IamInstanceProfile") or {}
        return find_profile(self.backend, wanted) if wanted else None

    def _interfaces(self, count: int) -> list[dict]:
        """The request's network interfaces, checked; with the groups of the request when they name none."""
        interfaces = copy.deepcopy(self.spec.get("NetworkInterfaces") or [])
        if interfaces and (self.spec.get("SecurityGroupIds") or self.spec.get("SecurityGroups")):
            raise EC2ClientError(
                "InvalidParameterCombination",
                "Network interfaces and an instance-level security groups may not be specified on the same request",
            )
        for interface in interfaces:
            interface.setdefault("DeviceIndex", 0)
            if interface.get("NetworkInterfaceId"):
                self._existing_interface(interface["NetworkInterfaceId"], count)
            elif interface["DeviceIndex"] == 0 and self.spec.get("SubnetId"):
                interface.setdefault("SubnetId", self.spec["SubnetId"])
        if interfaces and self.spec.get("SubnetId") and any(entry.get("NetworkInterfaceId") for entry in interfaces):
            raise EC2ClientError(
                "InvalidParameterCombination",
                "Network interfaces and an instance-level subnet ID may not be specified on the same request",
            )
        return interfaces

    def _existing_interface(self, interface_id: str, count: int) -> None:
        interface = self.backend.get_network_interface(interface_id)
        if interface.status != "available" or count > 1:
            raise EC2ClientError("InvalidNetworkInterface.InUse", f"Interface: [{interface_id}] in use.")
        asked = (self.spec.get("Placement") or {}).get("AvailabilityZone")
        if asked and asked != interface.subnet.availability_zone:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"You cannot specify an availability zone that is not the network interface's: {interface_id}",
            )

    def _zone(self, interfaces: list[dict]) -> str | None:
        for entry in interfaces:
            if entry.get("NetworkInterfaceId"):
                return self.backend.get_network_interface(entry["NetworkInterfaceId"]).subnet.availability_zone
            if entry.get("SubnetId"):
                return self.backend.get_subnet(entry["SubnetId"]).availability_zone
        if self.spec.get("SubnetId"):
            return self.backend.get_subnet(self.spec["SubnetId"]).availability_zone
        return (self.spec.get("Placement") or {}).get("AvailabilityZone")

    def _subnet_named(self, interfaces: list[dict]) -> bool:
        return bool(self.spec.get("SubnetId")) or any(entry.get("SubnetId") for entry in interfaces)

    def _devices(self, image) -> list[dict]:
        """The image's root volume with the request's wishes laid over it, and the request's other volumes."""
        devices = {mapping["DeviceName"]: copy.deepcopy(mapping["Ebs"]) for mapping in image.block_device_mappings}
        for mapping in self.spec.get("BlockDeviceMappings") or []:
            name, wishes = mapping["DeviceName"], mapping.get("Ebs")
            if mapping.get("NoDevice") is not None:
                devices.pop(name, None)
            elif wishes:
                smallest = devices.get(name, {}).get("VolumeSize", 1)
                if wishes.get("VolumeSize", smallest) < smallest:
                    raise EC2ClientError(
                        "InvalidBlockDeviceMapping",
                        f"Volume of size {wishes['VolumeSize']}GB is smaller than snapshot "
                        f"'{devices[name].get('SnapshotId')}', expect size >= {smallest}GB",
                    )
                devices[name] = {"DeleteOnTermination": True, **devices.get(name, {}), **wishes}
        self.devices = devices
        return [{"DeviceName": name, "Ebs": settings} for name, settings in devices.items()]

    def _finish(self, instance, existing: set[str], profile, interface_tags: dict[str, str]) -> None:
        instance.security_groups = list(instance.nics[0]._group_set)
        wishes = {
            entry["DeviceIndex"]: entry for entry in self.spec.get("NetworkInterfaces") or [] if "DeviceIndex" in entry
        }
        for index, interface in instance.nics.items():
            made_here = interface.id not in existing
            # An interface that existed before outlives the instance; one made by the launch goes with it by default.
            interface.delete_on_termination = made_here and wishes.get(index, {}).get("DeleteOnTermination", True)
            if made_here:
                interface.add_tags(interface_tags)
        for name, block in instance.block_device_mapping.items():
            volume = self.backend.get_volume(block.volume_id)
            settings = self.devices[name]
            volume.iops = settings.get("Iops") or (3000 if volume.volume_type == "gp3" else volume.iops)
            volume.throughput = settings.get("Throughput") or (125 if volume.volume_type == "gp3" else None)
        _boot(instance)
        if profile is not None:
            self.backend.associate_iam_instance_profile(instance.id, iam_instance_profile_name=profile.name)


def _boot(instance) -> None:
    def run():
        if instance.state == "pending":
            set_state(instance, "running")

    set_state(instance, "pending")
    account = instance.ec2_backend.account_id
    later.do(account, conditions.of(account).pending_seconds, run)


_STATE_CODES = {"pending": 0, "running": 16, "shutting-down": 32}


def set_state(instance, name: str) -> None:
    instance._state.name, instance._state.code = name, _STATE_CODES[name]


def find_profile(backend, wanted: dict):
    """The instance profile that a request names, by name or ARN."""
    profiles = iam_backends[backend.account_id][backend.partition].instance_profiles.values()
    for profile in profiles:
        if profile.name == wanted.get("Name") or profile.arn == wanted.get("Arn"):
            if is_unknown_yet(profile, backend.account_id):
                break
            return profile
    member, value = ("name", wanted["Name"]) if wanted.get("Name") else ("arn", wanted.get("Arn"))
    raise EC2ClientError(
        "InvalidParameterValue",
        f"Value ({value}) for parameter iamInstanceProfile.{member} is invalid. Invalid IAM Instance Profile {member}",
    )


@functools.cache
def _offered(region: str) -> set[tuple[str, str]]:
    offerings = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, [])
    return {(offering["Location"], offering["InstanceType"]) for offering in offerings}


def is_offered(region: str, zone: str, instance_type: str) -> bool:
    return (zone, instance_type) in _offered(region)


def end_interfaces(instance) -> None:
    """At an instance's end its interfaces go, or, when they were there before it, come free for the next one."""
    from .addresses import let_go

    backend = instance.ec2_backend
    for interface in list(instance.nics.values()):
        goes = interface.delete_on_termination
        instance.detach_eni(interface)
        if goes and interface.id in backend.enis:
            let_go(backend, interface)
    instance.nics = {}
