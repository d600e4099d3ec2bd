"""Machine images: Ubuntu as Canonical publishes it, Amazon Linux 2023 as moto knows it.

moto's newest Ubuntu images are of 2016 and its list is long; here every account and region gets the same few, with
ids made from the region and the name. None of them exists in AWS. Corrects moto/ec2/models/amis.py.
"""

import functools
import hashlib

from moto.core.parse import default_timestamp_parser
from moto.ec2.exceptions import InvalidAMIIdError
from moto.ec2.models import EC2Backend
from moto.ec2.models.amis import Ami, AmiBackend
from moto.utilities.utils import load_resource

from .patching import after, before, corrects

CANONICAL = "099720109477"
UBUNTU_RELEASES = {"24.04": "noble", "26.04": "resolute"}
UBUNTU_DATES = ("20260918", "20261015")
ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


def image_id(region: str, name: str) -> str:
    return "ami-" + hashlib.sha256(f"{region} {name}".encode()).hexdigest()[:17]


def ubuntu_name(version: str, architecture: str, date: str = UBUNTU_DATES[-1]) -> str:
    return f"ubuntu/images/hvm-ssd-gp3/ubuntu-{UBUNTU_RELEASES[version]}-{version}-{architecture}-server-{date}"


def current_ubuntu(region: str, version: str, architecture: str) -> str:
    """The image id that Canonical's public parameter of this region names."""
    return image_id(region, ubuntu_name(version, architecture))


def _ubuntu_images(backend):
    for version in UBUNTU_RELEASES:
        for architecture, machine in ARCHITECTURES.items():
            for date in UBUNTU_DATES:
                name = ubuntu_name(version, architecture, date)
                yield Ami(
                    backend,
                    image_id(backend.region_name, name),
                    name=name,
                    description=f"Canonical, Ubuntu, {version}, {architecture} {UBUNTU_RELEASES[version]} image",
                    owner_id=CANONICAL,
                    owner_alias="amazon",
                    public=True,
                    architecture=machine,
                    virtualization_type="hvm",
                    hypervisor="xen",
                    root_device_type="ebs",
                    root_device_name="/dev/sda1",
                    image_location=f"amazon/{name}",
                    creation_date=default_timestamp_parser(f"{date[:4]}-{date[4:6]}-{date[6:]}T06:00:00.000Z"),
                    region_name=backend.region_name + "a",
                    boot_mode="uefi-preferred" if architecture == "amd64" else "uefi",
                )


@functools.cache
def _amazon_linux(region: str) -> list[dict]:
    try:
        images = load_resource(f"ec2/resources/latest_amis/{region}.json")
    except FileNotFoundError:
        return []
    images = [{**image, "owner_alias": "amazon"} for image in images if image["name"].startswith("al2023-")]
    for image in images:
        if image.get("creation_date"):
            image["creation_date"] = default_timestamp_parser(image["creation_date"])
    return images


@after(AmiBackend, "_load_amis")
def load_images(self):
    images = [*_ubuntu_images(self), *(Ami(self, **image) for image in _amazon_linux(self.region_name))]
    self.amis.update((image.id, image) for image in images)


@before(EC2Backend, "describe_images")
def all_images_must_exist(self, ami_ids=None, **kwargs):
    """AWS refuses the whole call when one id is unknown; moto only when all are."""
    unknown = [wanted for wanted in ami_ids or [] if wanted not in self.amis and wanted not in self.deleted_amis]
    if unknown and all(wanted.startswith("ami-") for wanted in unknown):
        raise InvalidAMIIdError(unknown)


@corrects(Ami, "block_device_mappings")
def root_device(original, self):
    """The root volume of a current image: 8 GiB of gp3 that go with the instance; moto says 15 GiB that stay."""
    return [
        {
            "DeviceName": self.root_device_name,
            "Ebs": {
                "SnapshotId": self.ebs_snapshot.id,
                "VolumeSize": 8,
                "DeleteOnTermination": True,
                "VolumeType": "gp3",
                "Encrypted": False,
            },
        }
    ]
