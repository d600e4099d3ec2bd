"""EC2 tags: kept, shown and forgotten as AWS does.

Corrects moto/ec2/models/core.py, tags.py and moto/ec2/responses/_base_response.py.
"""

from moto.ec2.models import EC2Backend
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from .listings import matches
from .patching import after, corrects

# AWS's words in DescribeTags, where moto has words of its own.
_RESOURCE_TYPES = {"nat-gateway": "natgateway", "vpc-elastic-ip": "elastic-ip"}


def tags_of(backend, resource_id: str) -> dict[str, str]:
    return backend.tags.get(resource_id, {})


def forget_tags(backend, resource_id: str) -> None:
    """AWS forgets a resource's tags with the resource; in moto they stay in DescribeTags for ever."""
    backend.tags.pop(resource_id, None)


@corrects(TaggedEC2Resource, "get_tags")
def own_tags(original, self):
    """The same tags, without moto's search through every tag of the account for every resource shown."""
    return [{"key": key, "value": value} for key, value in tags_of(self.ec2_backend, self.id).items()]


@corrects(EC2Backend, "describe_tags")
def describe_tags(original, self, filters=None):
    """AWS honours `tag:KEY` here, and names resource types its own way; moto ignores the filter."""
    shown = []
    for resource_id, tags in list(self.tags.items()):
        resource_type = EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource_id), "")
        resource_type = _RESOURCE_TYPES.get(resource_type, resource_type)
        for key, value in tags.items():
            tag = {"resource_id": resource_id, "key": key, "value": value, "resource_type": resource_type}
            if all(_tag_matches(tag, name, wanted) for name, wanted in (filters or {}).items()):
                shown.append(tag)
    return shown


def _tag_matches(tag: dict, name: str, wanted: list[str]) -> bool:
    if name.startswith("tag:"):
        return tag["key"] == name.removeprefix("tag:") and matches(tag["value"], wanted)
    if name in ("key", "value", "resource-id", "resource-type"):
        return matches(tag[name.replace("-", "_")], wanted)
    raise NotImplementedError(f"filter {name}")


def _forget_after(method: str) -> None:
    @after(EC2Backend, method)
    def forget(self, resource_id, *args, **kwargs):
        forget_tags(self, resource_id)


for _method in (
    "delete_vpc",
    "delete_subnet",
    "delete_internet_gateway",
    "delete_egress_only_internet_gateway",
    "delete_route_table",
    "delete_dhcp_options_set",
    "delete_network_interface",
    "delete_volume",
    "delete_snapshot",
):
    _forget_after(_method)
