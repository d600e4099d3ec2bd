"""How a group launches, replaces and ends its instances, and what it notes about that.

moto puts all instances of a group into its first subnet, launches them with half of what their template says, and keeps
no activities. Here a group is reconciled whenever it changes or is looked at: AWS does so all the time.

Used by autoscaling.py, which corrects the API; this module corrects nothing by itself.
"""

import copy
import json
import math
import uuid
from collections import Counter

from moto.autoscaling import models
from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.core.exceptions import ServiceException
from moto.core.utils import utcnow

from .. import conditions, later
from .launching import Launch

_GROUP_TAG = models.ASG_NAME_TAG


# Launching


def _version(group: FakeAutoScalingGroup, override: dict):
    """The launch template version to launch from: an override may name a template of its own."""
    named = override.get("LaunchTemplateSpecification")
    template = group.ec2_launch_template
    number = group.launch_template_version
    if named:
        backend = group.ec2_backend
        template = (
            backend.get_launch_template(named["LaunchTemplateId"])
            if named.get("LaunchTemplateId")
            else backend.get_launch_template_by_name(named["LaunchTemplateName"])
        )
        number = named.get("Version") or "$Default"
    if template.id not in group.ec2_backend.launch_templates:
        raise ValidationError(f"The specified launch template, with template ID {template.id}, does not exist.")
    return template.get_version(number)


def _overrides(group: FakeAutoScalingGroup) -> list[dict]:
    return ((group.mixed_instances_policy or {}).get("LaunchTemplate") or {}).get("Overrides") or [{}]


def _launch(group: FakeAutoScalingGroup, override: dict) -> tuple[Launch, object]:
    version = _version(group, override)
    spec = copy.deepcopy(version.data)
    if override.get("InstanceType"):
        spec["InstanceType"] = override["InstanceType"]
    elif override.get("InstanceRequirements") or spec.get("InstanceRequirements"):
        raise NotImplementedError("InstanceRequirements")
    if override.get("WeightedCapacity"):
        raise NotImplementedError("WeightedCapacity")
    launch = Launch(
        group.ec2_backend,
        spec,
        template=version.template,
        version=version.number,
        instance_tags={**group.get_propagated_tags(), _GROUP_TAG: group.name},
    )
    return launch, version


def check_launch_source(group: FakeAutoScalingGroup) -> None:
    """AWS tries the template without launching, when a group is made and when it changes."""
    if group.ec2_launch_template is None:
        return
    for override in _overrides(group):
        launch, _ = _launch(group, override)
        if not launch.spec.get("InstanceType"):
            raise ValidationError(
                "You must use a valid fully-formed launch template. The request must contain the parameter InstanceType"
            )
        try:
            launch.check()
        except ServiceException as error:
            raise ValidationError(f"You must use a valid fully-formed launch template. {error.message}") from None


def _place(group: FakeAutoScalingGroup, launch: Launch) -> dict:
    """Where the next instance goes: the group's emptiest subnet, or zone. Says so for the activity's details."""
    spec = launch.spec
    named = [
        entry["NetworkInterfaceId"] for entry in spec.get("NetworkInterfaces") or [] if entry.get("NetworkInterfaceId")
    ]
    if group.vpc_zone_identifier:
        subnets = group.vpc_zone_identifier.split(",")
        used = Counter(state.instance.subnet_id for state in staying(group))
        subnet_id = min(subnets, key=lambda candidate: used[candidate])
        spec["SubnetId"] = subnet_id
        zone = group.ec2_backend.get_subnet(subnet_id).availability_zone
        return {"Subnet ID": subnet_id, "Availability Zone": zone}
    if named:
        interface = group.ec2_backend.get_network_interface(named[0])
        zone = interface.subnet.availability_zone
        if zone not in group.availability_zones:
            raise ValidationError(
                f"The network interface {interface.id} is in {zone}, which is not a zone of the Auto Scaling group"
            )
    else:
        used = Counter(state.availability_zone for state in staying(group))
        zone = min(group.availability_zones, key=lambda candidate: used[candidate])
    spec["Placement"] = {**(spec.get("Placement") or {}), "AvailabilityZone": zone}
    return {"Availability Zone": zone}


def _wants_spot(group: FakeAutoScalingGroup) -> bool:
    if not group.mixed_instances_policy:
        return False
    distribution = group.mixed_instances_policy["InstancesDistribution"]
    base = int(distribution["OnDemandBaseCapacity"])
    share = int(distribution["OnDemandPercentageAboveBaseCapacity"]) / 100
    wanted = group.desired_capacity or 0
    on_demand = min(base, wanted) + math.ceil(max(0, wanted - base) * share)
    return sum(state.instance.lifecycle != "spot" for state in staying(group)) >= on_demand


def _launch_one(group: FakeAutoScalingGroup) -> InstanceState:
    overrides = _overrides(group)
    spot = _wants_spot(group)
    # On-demand capacity follows the order of the overrides; spot capacity is spread over them.
    override = overrides[len(staying(group)) % len(overrides)] if spot else overrides[0]
    launch, version = _launch(group, override)
    details = _place(group, launch)
    if spot:
        launch.spec["InstanceMarketOptions"] = {"MarketType": "spot"}
    instance = launch.run(1).instances[0]
    instance.autoscaling_group = group
    state = InstanceState(instance, protected_from_scale_in=group.new_instances_protected_from_scale_in)
    state.version = version
    state.details = details
    _enter_service(state, group.account_id)
    return state


def _enter_service(state: InstanceState, account: str) -> None:
    def enter():
        if state.lifecycle_state == "Pending":
            state.lifecycle_state = "InService"

    state.lifecycle_state = "Pending"
    later.do(account, conditions.of(account).pending_seconds, enter)


# Capacity


def reconcile_all(backend: AutoScalingBackend) -> None:
    for group in backend.autoscaling_groups.values():
        if _unsettled(group):
            reconcile(group)


def _unsettled(group: FakeAutoScalingGroup) -> bool:
    return len(active(group)) != (group.desired_capacity or 0) or any(
        state.health_status == "Unhealthy" for state in staying(group)
    )


def reconcile(group: FakeAutoScalingGroup) -> None:
    """Brings the group to its desired capacity, as far as EC2 lets it."""
    if group.ec2_launch_template is None:
        return
    suspended = set(group._suspended_processes or [])
    if "ReplaceUnhealthy" not in suspended:
        end(group, [s for s in staying(group) if s.health_status == "Unhealthy"], "an instance health check")
    if "Launch" not in suspended:
        while len(active(group)) < (group.desired_capacity or 0) and _try_to_launch(group):
            pass
    surplus = len(active(group)) - (group.desired_capacity or 0)
    if surplus > 0 and "Terminate" not in suspended:
        end(group, _to_scale_in(group, surplus), "a difference between desired and actual capacity")
    _register_targets(group)


def staying(group: FakeAutoScalingGroup) -> list[InstanceState]:
    return [state for state in group.instance_states if state.lifecycle_state != "Terminating"]


def active(group: FakeAutoScalingGroup) -> list[InstanceState]:
    return [state for state in group.instance_states if state.lifecycle_state in ("InService", "Pending")]


def launch_fault(account: str) -> str | None:
    """The message with which the account's next launch shall fail, if a test has asked for one: set by the server."""
    return None


def _try_to_launch(group: FakeAutoScalingGroup) -> bool:
    try:
        fault = launch_fault(group.account_id)
        if fault:
            raise ValidationError(fault)
        state = _launch_one(group)
    except ServiceException as error:
        _note_failed_launch(group, error.message)
        return False
    group.instance_states.append(state)
    note(group, f"Launching a new EC2 instance: {state.instance_id}", "Successful", details=state.details)
    return True


def _to_scale_in(group: FakeAutoScalingGroup, count: int) -> list[InstanceState]:
    """The default termination policy: the fullest zone first, in it the oldest template version, then the oldest."""
    candidates = [state for state in active(group) if not state.protected_from_scale_in]
    chosen = []
    for _ in range(min(count, len(candidates))):
        zones = Counter(state.availability_zone for state in candidates)
        fullest = zones.most_common(1)[0][0]
        victim = min(
            (state for state in candidates if state.availability_zone == fullest),
            key=lambda state: (_version_number(state), state.instance.launch_time),
        )
        candidates.remove(victim)
        chosen.append(victim)
    return chosen


def _version_number(state: InstanceState) -> int:
    """0 for an instance that the group did not launch itself: AttachInstances brings such."""
    version = getattr(state, "version", None)
    return version.number if version else 0


def end(group: FakeAutoScalingGroup, states: list[InstanceState], reason: str) -> None:
    """Terminates instances of the group and forgets them, in their time."""
    _deregister(group, states)
    for state in states:
        state.lifecycle_state = "Terminating"
    pending = conditions.of(group.account_id).pending_seconds
    later.do(group.account_id, pending, lambda: forget(group, states))
    for state in states:
        group.ec2_backend.terminate_instances([state.instance_id])
        note(
            group,
            f"Terminating EC2 instance: {state.instance_id}",
            "Successful",
            cause=f"taken out of service in response to {reason}",
        )


def forget(group: FakeAutoScalingGroup, states: list[InstanceState]) -> None:
    """Takes instances out of the group and out of its target groups; moto leaves their targets registered."""
    _deregister(group, states)
    gone = {state.instance_id for state in states}
    group.instance_states = [state for state in group.instance_states if state.instance_id not in gone]


def _deregister(group: FakeAutoScalingGroup, states: list[InstanceState]) -> None:
    gone = {state.instance_id for state in states}
    for target_group in _target_groups(group):
        for key in [key for key, target in target_group.targets.items() if target["Id"] in gone]:
            del target_group.targets[key]


def _target_groups(group: FakeAutoScalingGroup) -> list:
    known = group.autoscaling_backend.elbv2_backend.target_groups
    return [known[arn] for arn in group.target_group_arns or [] if arn in known]


def _register_targets(group: FakeAutoScalingGroup) -> None:
    for target_group in _target_groups(group):
        registered = {target["Id"] for target in target_group.targets.values()}
        missing = [s.instance_id for s in active(group) if s.instance_id not in registered]
        if missing:
            target_group.register([{"Id": instance_id, "Port": target_group.port} for instance_id in missing])


# Activities


def note(
    group,
    description: str,
    status: str,
    *,
    cause: str | None = None,
    details: dict | None = None,
    message: str | None = None,
) -> None:
    now = utcnow()
    cause = cause or (
        "an instance was started in response to a difference between desired and actual capacity, increasing the "
        f"capacity to {group.desired_capacity}"
    )
    group.autoscaling_backend.activities.insert(
        0,
        {
            "ActivityId": str(uuid.uuid4()),
            "AutoScalingGroupName": group.name,
            "AutoScalingGroupARN": group.arn,
            "Description": description,
            "Cause": f"At {now:%Y-%m-%dT%H:%M:%SZ} {cause}.",
            "StartTime": now,
            "EndTime": now,
            "StatusCode": status,
            "StatusMessage": message,
            "Progress": 100,
            "Details": json.dumps(details or {}),
        },
    )


def _note_failed_launch(group, problem: str) -> None:
    """One activity per problem: AWS waits longer and longer between attempts, the emulator tries at every look."""
    message = f"{problem.rstrip('.')}. Launching EC2 instance failed."
    for activity in group.autoscaling_backend.activities:
        if activity["AutoScalingGroupName"] == group.name:
            if activity["StatusMessage"] == message:
                activity["EndTime"] = utcnow()
                return
            break
    note(
        group,
        f"Launching a new EC2 instance.  Status Reason: {message}",
        "Failed",
        message=message,
    )
