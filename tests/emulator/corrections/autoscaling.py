"""The API of Auto Scaling: what a group is made of, refuses, keeps at an update, and shows.

moto shows instances with their template's current default version (so that none ever looks out of date), overwrites a
group of the same name and orphans its instances, and loses the mixed instances policy at the next update. How groups
keep their size is capacity.py's subject.

Corrects moto/autoscaling/models.py and moto/autoscaling/responses.py.
"""

import copy
from collections import OrderedDict

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult

from .. import conditions, later
from . import capacity
from .listings import Page, matches
from .patching import after, before, corrects

# Members of a request that moto drops, or replaces by a default when they are 0, and the attributes that show them.
_KEPT_MEMBERS = {
    "MaxInstanceLifetime": "max_instance_lifetime",
    "DefaultInstanceWarmup": "default_instance_warmup",
    "DefaultCooldown": "default_cooldown",
    "HealthCheckGracePeriod": "health_check_grace_period",
    "TerminationPolicies": "termination_policies",
    "CapacityRebalance": "capacity_rebalance",
    "InstanceMaintenancePolicy": "instance_maintenance_policy",
    "AvailabilityZoneDistribution": "availability_zone_distribution",
    "CapacityReservationSpecification": "capacity_reservation_specification",
    "DesiredCapacityType": "desired_capacity_type",
    "ServiceLinkedRoleARN": "service_linked_role_arn",
    "Context": "context",
}


DELETING = "Delete in progress"

# Shown once the group is being deleted.
FakeAutoScalingGroup.status = None


class Groups(OrderedDict):
    """The groups of a region by name. AWS says which group is missing, where moto fails with a KeyError."""

    def __missing__(self, name):
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")


@after(AutoScalingBackend, "__init__")
def start_empty(self, *args, **kwargs):
    self.autoscaling_groups = Groups()
    self.activities = []


# Launch source: launch template, or mixed instances policy


@corrects(FakeAutoScalingGroup, "_set_launch_configuration")
def set_launch_source(original, self, launch_config_name, launch_template, mixed_instances_policy):
    """An update that names no launch source keeps the group's; a template replaces a policy and a policy a template."""
    if not (launch_config_name or launch_template or mixed_instances_policy):
        self.mixed_instances_policy = getattr(self, "kept_policy", None)
        return
    if mixed_instances_policy:
        mixed_instances_policy = copy.deepcopy(mixed_instances_policy)
        previous = (getattr(self, "kept_policy", None) or {}).get("InstancesDistribution", {})
        mixed_instances_policy["InstancesDistribution"] = _distribution(
            {**previous, **mixed_instances_policy.get("InstancesDistribution", {})}
        )
        self.mixed_instances_policy = mixed_instances_policy
    else:
        self.mixed_instances_policy = None
    self.provided_launch_template_version = None
    original(self, launch_config_name, launch_template, self.mixed_instances_policy)
    self.kept_policy = self.mixed_instances_policy


def _distribution(given: dict) -> dict:
    """A distribution as AWS shows it: with the defaults of what was not given."""
    distribution = {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": 0,
        "OnDemandPercentageAboveBaseCapacity": 100,
        "SpotAllocationStrategy": "lowest-price",
        **given,
    }
    if distribution["SpotAllocationStrategy"] == "lowest-price":
        distribution.setdefault("SpotInstancePools", 2)
    else:
        distribution.pop("SpotInstancePools", None)
    return distribution


@corrects(FakeAutoScalingGroup, "launch_template")
def shown_launch_template(original, self):
    """A group with a mixed instances policy shows its template there only."""
    return None if self.mixed_instances_policy or self.ec2_launch_template is None else original(self)


@corrects(InstanceState, "launch_template")
def launched_version(original, self):
    """The template and version an instance was launched from; moto shows the template's current default."""
    version = getattr(self, "version", None)
    if version is None:
        return None
    template = version.template
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "Version": str(version.number),
    }


# Activities


@corrects(AutoScalingResponse, "describe_scaling_activities")
def describe_scaling_activities(original, self):
    """moto has none."""
    if self._get_param("Filters"):
        raise NotImplementedError("filters of DescribeScalingActivities")
    backend, name = self.autoscaling_backend, self._get_param("AutoScalingGroupName")
    capacity.reconcile_all(backend)
    ids = self._get_param("ActivityIds", [])
    deleted_too = self._get_bool_param("IncludeDeletedGroups", False)
    if name and not deleted_too:
        backend.autoscaling_groups[name]
    activities = [
        activity
        for activity in backend.activities
        if (not name or activity["AutoScalingGroupName"] == name)
        and (not ids or activity["ActivityId"] in ids)
        and (deleted_too or activity["AutoScalingGroupName"] in backend.autoscaling_groups)
    ]
    shown, token = _page(self, activities)
    return ActionResult({"Activities": shown, "NextToken": token})


def _page(response, items: list, largest: int = 100) -> tuple[list, str | None]:
    size = response._get_int_param("MaxRecords", 50)
    if not 1 <= size <= largest:
        raise ValidationError(
            f"1 validation error detected: Value '{size}' at 'maxRecords' failed to satisfy constraint"
        )
    return Page.of(response, response._get_param("NextToken"), size).cut(items)


# Groups


@before(AutoScalingResponse, "create_auto_scaling_group")
def check_new_group(self):
    """AWS refuses a second group of a name; moto replaces the first and forgets its instances."""
    name = self._get_param("AutoScalingGroupName")
    existing = self.autoscaling_backend.autoscaling_groups.get(name)
    if existing is not None:
        pending_delete = " and is pending delete" if existing.status == DELETING else ""
        raise AutoscalingClientError(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists"
            + pending_delete,
        )
    _check_sizes(self._get_int_param("MinSize"), self._get_int_param("MaxSize"), self._get_int_param("DesiredCapacity"))
    _check_subnets(self)
    known = self.autoscaling_backend.elbv2_backend.target_groups
    if any(arn not in known for arn in self._get_param("TargetGroupARNs", [])):
        raise ValidationError("Provided Target Groups may not be valid. Please ensure they exist and try again.")


def _check_sizes(smallest: int, largest: int, desired: int | None) -> None:
    if smallest > largest:
        raise ValidationError(f"Min bound, {smallest}, must be less than or equal to max bound, {largest}")
    if desired is not None and not smallest <= desired <= largest:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{smallest} and max size:{largest}"
        )


def _check_subnets(response) -> None:
    known = {subnet.id for subnet in response.autoscaling_backend.ec2_backend.describe_subnets()}
    for subnet_id in (response._get_param("VPCZoneIdentifier") or "").split(","):
        if subnet_id and subnet_id not in known:
            raise ValidationError(f"The subnet ID '{subnet_id}' does not exist")


@corrects(AutoScalingResponse, "create_auto_scaling_group")
def create_auto_scaling_group(original, self):
    name = self._get_param("AutoScalingGroupName")
    answer = original(self)
    group = self.autoscaling_backend.autoscaling_groups[name]
    group.health_check_grace_period = 0
    _keep_members(self, group)
    for hook in self._get_param("LifecycleHookSpecificationList", []):
        self.autoscaling_backend.create_lifecycle_hook(
            hook["LifecycleHookName"],
            name,
            hook["LifecycleTransition"],
            hook.get("HeartbeatTimeout"),
            hook.get("DefaultResult"),
        )
    try:
        capacity.check_launch_source(group)
    except (ServiceException, NotImplementedError):
        del self.autoscaling_backend.autoscaling_groups[name]
        raise
    capacity.reconcile(group)
    return answer


def _keep_members(response, group: FakeAutoScalingGroup) -> None:
    for member, attribute in _KEPT_MEMBERS.items():
        value = response._get_param(member)
        if value is not None:
            setattr(group, attribute, value)


@corrects(FakeAutoScalingGroup, "set_desired_capacity")
def set_desired_capacity(original, self, new_capacity):
    if self.ec2_launch_template is None:
        return original(self, new_capacity)
    self.desired_capacity = self.min_size if new_capacity is None else new_capacity
    # A group that is still being made is reconciled once it is known and its template has been checked.
    if self.name in self.autoscaling_backend.autoscaling_groups:
        capacity.reconcile(self)


@corrects(FakeAutoScalingGroup, "replace_autoscaling_group_instances")
def replace_instances(original, self, count_needed, propagated_tags):
    if self.ec2_launch_template is None:
        return original(self, count_needed, propagated_tags)
    capacity.reconcile(self)


@before(AutoScalingResponse, "set_desired_capacity")
def desired_capacity_in_bounds(self):
    group = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
    desired = self._get_int_param("DesiredCapacity")
    if desired > group.max_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {desired} is above max value {group.max_size} for the AutoScalingGroup."
        )
    if desired < group.min_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {desired} is below min value {group.min_size} for the AutoScalingGroup."
        )


@corrects(AutoScalingResponse, "update_auto_scaling_group")
def update_auto_scaling_group(original, self):
    """Only what the request names changes. Desired capacity follows min and max when it is not named itself."""
    group = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
    _check_subnets(self)
    smallest = self._get_int_param("MinSize", group.min_size)
    largest = self._get_int_param("MaxSize", group.max_size)
    desired = self._get_int_param("DesiredCapacity")
    _check_sizes(smallest, largest, desired)
    before_update = copy.copy(group.__dict__)
    try:
        group._set_azs_and_vpcs(
            self._get_param("AvailabilityZones", []), self._get_param("VPCZoneIdentifier"), update=True
        )
        group._set_launch_configuration(
            self._get_param("LaunchConfigurationName"),
            self._get_param("LaunchTemplate"),
            self._get_param("MixedInstancesPolicy"),
        )
        capacity.check_launch_source(group)
    except (ServiceException, NotImplementedError):
        group.__dict__.update(before_update)
        raise
    group.min_size, group.max_size = smallest, largest
    group.desired_capacity = desired if desired is not None else min(max(group.desired_capacity, smallest), largest)
    if self._get_param("HealthCheckType"):
        group.health_check_type = self._get_param("HealthCheckType")
    protected = self._get_bool_param("NewInstancesProtectedFromScaleIn", None)
    if protected is not None:
        group.new_instances_protected_from_scale_in = protected
    _keep_members(self, group)
    capacity.reconcile(group)
    return EmptyResult()


@corrects(AutoScalingResponse, "delete_auto_scaling_group")
def delete_auto_scaling_group(original, self):
    """AWS keeps a group that has instances, unless forced; then the instances end with it."""
    backend, name = self.autoscaling_backend, self._get_param("AutoScalingGroupName")
    group = backend.autoscaling_groups[name]
    if group.instance_states and not self._get_bool_param("ForceDelete", False):
        raise AutoscalingClientError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
            "still in the group.",
        )
    if group.status == DELETING:
        return EmptyResult()
    capacity.end(group, list(group.instance_states), "a user request to delete the group")
    group.status = DELETING
    group.min_size = group.max_size = group.desired_capacity = 0

    def delete():
        del backend.autoscaling_groups[name]
        for key in [key for key, hook in backend.lifecycle_hooks.items() if hook.auto_scaling_group_name == name]:
            del backend.lifecycle_hooks[key]

    later.do(group.account_id, conditions.of(group.account_id).pending_seconds, delete)
    return EmptyResult()


@corrects(AutoScalingResponse, "describe_auto_scaling_groups")
def describe_auto_scaling_groups(original, self):
    backend, names = self.autoscaling_backend, self._get_param("AutoScalingGroupNames", [])
    capacity.reconcile_all(backend)
    groups = [
        group
        for group in backend.autoscaling_groups.values()
        if (not names or group.name in names)
        and all(_group_matches(group, wanted["Name"], wanted["Values"]) for wanted in self._get_param("Filters", []))
    ]
    shown, token = _page(self, groups)
    if self._get_bool_param("IncludeInstances", True) is False:
        shown = [_without_instances(group) for group in shown]
    return ActionResult({"AutoScalingGroups": shown, "NextToken": token})


def _without_instances(group: FakeAutoScalingGroup) -> FakeAutoScalingGroup:
    view = copy.copy(group)
    view.instance_states = []
    return view


def _group_matches(group: FakeAutoScalingGroup, name: str, wanted: list[str]) -> bool:
    tags = {tag["Key"]: tag.get("Value") for tag in group.tags}
    if name.startswith("tag:"):
        return tags.get(name.removeprefix("tag:")) in wanted
    if name == "tag-key":
        return any(key in wanted for key in tags)
    if name == "tag-value":
        return any(value in wanted for value in tags.values())
    raise NotImplementedError(f"filter {name} of DescribeAutoScalingGroups")


@corrects(AutoScalingResponse, "describe_auto_scaling_instances")
def describe_auto_scaling_instances(original, self):
    """At most 50 instances in one answer; moto shows all."""
    capacity.reconcile_all(self.autoscaling_backend)
    states = self.autoscaling_backend.describe_auto_scaling_instances(self._get_param("InstanceIds", []))
    shown, token = _page(self, states, largest=50)
    return ActionResult({"AutoScalingInstances": shown, "NextToken": token})


@corrects(AutoScalingResponse, "describe_tags")
def describe_tags(original, self):
    tags = [tag for group in self.autoscaling_backend.autoscaling_groups.values() for tag in group.tags]
    tags = [
        tag for tag in tags if all(_tag_matches(tag, f["Name"], f["Values"]) for f in self._get_param("Filters", []))
    ]
    shown, token = _page(self, tags)
    return ActionResult({"Tags": shown, "NextToken": token})


def _tag_matches(tag: dict, name: str, wanted: list[str]) -> bool:
    members = {
        "auto-scaling-group": "ResourceId",
        "key": "Key",
        "value": "Value",
        "propagate-at-launch": "PropagateAtLaunch",
    }
    if name not in members:
        raise NotImplementedError(f"filter {name} of DescribeTags")
    return matches(tag.get(members[name]), wanted)


# Instances that end


@corrects(AutoScalingBackend, "notify_terminate_instances")
def instance_ended(original, self, instance_ids):
    """An instance that was terminated in EC2 is replaced."""
    for group in self.autoscaling_groups.values():
        ended = [state for state in group.instance_states if state.instance_id in instance_ids]
        if ended:
            capacity.forget(group, ended)
            for state in ended:
                capacity.note(
                    group,
                    f"Terminating EC2 instance: {state.instance_id}",
                    "Successful",
                    cause="taken out of service in response to an EC2 health check indicating it has been terminated",
                )
            capacity.reconcile(group)


@corrects(AutoScalingResponse, "terminate_instance_in_auto_scaling_group")
def terminate_instance(original, self):
    """The old instance ends before its replacement starts: they may need the same network interface."""
    instance_id = self._get_param("InstanceId")
    for group in self.autoscaling_backend.autoscaling_groups.values():
        for state in group.instance_states:
            if state.instance_id == instance_id:
                return _terminate_in_group(self, group, state)
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


def _terminate_in_group(response, group: FakeAutoScalingGroup, state: InstanceState) -> ActionResult:
    if response._get_bool_param("ShouldDecrementDesiredCapacity", False):
        if group.desired_capacity - 1 < group.min_size:
            raise ValidationError(
                f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without replacement "
                "will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or "
                "lower group's min size."
            )
        group.desired_capacity -= 1
    capacity.end(group, [state], "a user request")
    activity = dict(group.autoscaling_backend.activities[0])
    capacity.reconcile(group)
    return ActionResult({"Activity": {**activity, "StatusCode": "InProgress", "Progress": 0}})


@after(AutoScalingResponse, "set_instance_health")
def replace_unhealthy(self):
    capacity.reconcile_all(self.autoscaling_backend)


@before(AutoScalingResponse, "set_instance_health")
def instance_must_be_managed(self):
    instance_id = self._get_param("InstanceId")
    if not self.autoscaling_backend.describe_auto_scaling_instances([instance_id]):
        raise ValidationError(f"Instance Id not found - No managed instance found for instance ID {instance_id}")


@after(AutoScalingResponse, "resume_processes")
def catch_up(self):
    capacity.reconcile_all(self.autoscaling_backend)
