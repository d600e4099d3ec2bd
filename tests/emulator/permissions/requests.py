"""What a call does to which resources, in IAM's words, with the condition keys that AWS fills in.

Resource types are those of AWS's Service Authorization Reference. Things that are not there are left out: AWS then says that
they are not found.
"""

import json
import re
from urllib.parse import parse_qsl, unquote

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends

from ..calls import Call
from .policy import Request

# Asked of nobody.
_FREE = {"sts:GetCallerIdentity"}


def is_free(call: Call) -> bool:
    return _name(call) in _FREE


def of(call: Call) -> list[Request]:
    return [] if is_free(call) else _SERVICES.get(call.service, of_anything)(call)


def of_anything(call: Call) -> list[Request]:
    return [Request(_name(call))]


def _name(call: Call) -> str:
    service = {"elbv2": "elasticloadbalancing", "elb": "elasticloadbalancing"}.get(call.service, call.service)
    return f"{service}:{call.action}"


def _form(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))


def _values(form: dict[str, str], name: str) -> list[str]:
    """`Name`, or `Name.1`, `Name.2`, ..., or `Name.member.1`, ..."""
    pattern = re.compile(rf"{re.escape(name)}(?:(?:\.member)?\.\d+)?")
    return [value for key, value in form.items() if pattern.fullmatch(key) and value]


def _tags(form: dict[str, str], prefix: str) -> dict[str, str]:
    """The tags of a list whose keys begin with a prefix: `Tags.member.1.Key`, ..."""
    pattern = re.compile(rf"{prefix}\.\d+\.Key")
    return {value: form.get(key[:-3] + "Value", "") for key, value in form.items() if pattern.fullmatch(key)}


def _requested(tags: dict[str, str]) -> dict[str, str]:
    return {f"aws:RequestTag/{key}": value for key, value in tags.items()}


def _carried(tags: dict[str, str]) -> dict[str, str]:
    return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}


# EC2

_TYPES = {
    "acl": "network-acl",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "i": "instance",
    "igw": "internet-gateway",
    "key": "key-pair",
    "lt": "launch-template",
    "nat": "natgateway",
    "rtb": "route-table",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}

# Action -> the type that it makes, and the parameters that name what it needs.
_EC2 = {
    "AllocateAddress": ("elastic-ip", ()),
    "AssociateAddress": (None, ("AllocationId", "NetworkInterfaceId", "InstanceId")),
    "AssociateRouteTable": (None, ("RouteTableId", "SubnetId")),
    "AttachInternetGateway": (None, ("InternetGatewayId", "VpcId")),
    "AuthorizeSecurityGroupEgress": ("security-group-rule", ("GroupId",)),
    "AuthorizeSecurityGroupIngress": ("security-group-rule", ("GroupId",)),
    "CreateInternetGateway": ("internet-gateway", ()),
    "CreateLaunchTemplate": ("launch-template", ()),
    "CreateLaunchTemplateVersion": (None, ("LaunchTemplateId",)),
    "CreateNatGateway": ("natgateway", ("AllocationId", "SubnetId")),
    "CreateNetworkInterface": ("network-interface", ("SubnetId", "SecurityGroupId")),
    "CreateRoute": (None, ("RouteTableId",)),
    "CreateRouteTable": ("route-table", ("VpcId",)),
    "CreateSecurityGroup": ("security-group", ("VpcId",)),
    "CreateSubnet": ("subnet", ("VpcId",)),
    "CreateTags": (None, ("ResourceId",)),
    "CreateVolume": ("volume", ("SnapshotId",)),
    "CreateVpc": ("vpc", ()),
    "CreateVpcEndpoint": ("vpc-endpoint", ("VpcId", "RouteTableId")),
    "DeleteInternetGateway": (None, ("InternetGatewayId",)),
    "DeleteKeyPair": (None, ("KeyName",)),
    "DeleteLaunchTemplate": (None, ("LaunchTemplateId",)),
    "DeleteNatGateway": (None, ("NatGatewayId",)),
    "DeleteNetworkInterface": (None, ("NetworkInterfaceId",)),
    "DeleteRoute": (None, ("RouteTableId",)),
    "DeleteRouteTable": (None, ("RouteTableId",)),
    "DeleteSecurityGroup": (None, ("GroupId",)),
    "DeleteSubnet": (None, ("SubnetId",)),
    "DeleteTags": (None, ("ResourceId",)),
    "DeleteVolume": (None, ("VolumeId",)),
    "DeleteVpc": (None, ("VpcId",)),
    "DeleteVpcEndpoints": (None, ("VpcEndpointId",)),
    "DescribeVpcAttribute": (None, ("VpcId",)),
    "DetachInternetGateway": (None, ("InternetGatewayId", "VpcId")),
    "DisassociateAddress": (None, ("AssociationId",)),
    "DisassociateRouteTable": (None, ("AssociationId",)),
    "ImportKeyPair": ("key-pair", ()),
    "ModifyLaunchTemplate": (None, ("LaunchTemplateId",)),
    "ModifyNetworkInterfaceAttribute": (None, ("NetworkInterfaceId", "SecurityGroupId")),
    "ModifySecurityGroupRules": (None, ("GroupId", "SecurityGroupRule.1.SecurityGroupRuleId")),
    "ModifySubnetAttribute": (None, ("SubnetId",)),
    "ModifyVolume": (None, ("VolumeId",)),
    "ModifyVpcAttribute": (None, ("VpcId",)),
    "ModifyVpcEndpoint": (None, ("VpcEndpointId", "AddRouteTableId", "RemoveRouteTableId")),
    "ReleaseAddress": (None, ("AllocationId",)),
    "ReplaceRoute": (None, ("RouteTableId",)),
    "ReplaceRouteTableAssociation": (None, ("RouteTableId", "AssociationId")),
    "RevokeSecurityGroupEgress": (None, ("GroupId",)),
    "RevokeSecurityGroupIngress": (None, ("GroupId",)),
    "TerminateInstances": (None, ("InstanceId",)),
    "UpdateSecurityGroupRuleDescriptionsEgress": (None, ("GroupId",)),
    "UpdateSecurityGroupRuleDescriptionsIngress": (None, ("GroupId",)),
}


def _ec2(call: Call) -> list[Request]:
    action = f"ec2:{call.action}"
    if call.action not in _EC2:
        return [Request(action)]
    form = _form(call)
    made, parameters = _EC2[call.action]
    ids = [value for parameter in parameters for value in _values(form, parameter)]
    requests = [
        Request(action, _ec2_arn(call, kind, name), _carried(tags))
        for one in ids
        for kind, name, tags in _things(call, one)
    ]
    if call.action in ("CreateTags", "DeleteTags"):
        tags = _requested(_tags(form, "Tag"))
        for request in requests:
            request.context.update(tags)
    if made:
        tags = _requested(_specified(form).get(made, {}))
        requests.append(Request(action, _ec2_arn(call, made, "*"), tags))
        if tags:
            tagging = {"ec2:CreateAction": call.action, **tags}
            requests.append(Request("ec2:CreateTags", _ec2_arn(call, made, "*"), tagging))
    return requests


def _ec2_arn(call: Call, kind: str, name: str) -> str:
    account = "" if kind in ("image", "snapshot") else call.account
    return f"arn:aws:ec2:{call.region}:{account}:{kind}/{name}"


def _specified(form: dict[str, str]) -> dict[str, dict[str, str]]:
    """TagSpecification: type -> tags."""
    specified = {}
    for key, kind in form.items():
        match = re.fullmatch(r"(TagSpecifications?\.\d+)\.ResourceType", key)
        if match:
            specified[kind] = _tags(form, re.escape(match.group(1)) + r"\.Tags?")
    return specified


def _things(call: Call, one: str):
    """(type, name, tags) of what an id, or the name of a key pair, stands for; an association stands for its two ends."""
    backend = ec2_backends[call.account][call.region]
    if one.startswith("eipassoc-"):
        addresses = [address for address in backend.addresses if address.association_id == one]
        ends = [end for address in addresses for end in (address.allocation_id, address.eni and address.eni.id) if end]
    elif one.startswith("rtbassoc-"):
        tables = backend.route_tables.values()
        ends = [
            end
            for table in tables
            if one in table._associations
            for end in (table.id, table._associations[one])
        ]
    elif one in backend.key_pairs:
        pair = backend.key_pairs[one]
        yield "key-pair", one, backend.tags.get(pair.id, {})
        return
    else:
        ends = [one]
    for end in ends:
        kind = _TYPES.get(end.split("-", 1)[0])
        if kind and _exists(backend, end):
            yield kind, end, dict(backend.tags.get(end, {}))


def _exists(backend, one: str) -> bool:
    # Everything that kclust and the seeds make has tags, or lies in a network whose things are known by id.
    if backend.tags.get(one):
        return True
    places = (backend.vpcs, *backend.subnets.values(), backend.enis, backend.volumes, *backend.groups.values())
    return any(one in place for place in places)


def _launches(call: Call, template_id: str, subnets: list[str]) -> list[Request]:
    """RunInstances as Auto Scaling asks for it on behalf of who names a template."""
    backend = ec2_backends[call.account][call.region]
    template = backend.launch_templates.get(template_id)
    if template is None:
        return []
    data = template.versions[-1].data
    arn = _ec2_arn(call, "launch-template", template_id)
    context = {"ec2:LaunchTemplate": arn}
    ids = [template_id, *subnets]
    interfaces = data.get("NetworkInterfaces") or []
    for interface in interfaces:
        ids += [interface.get("NetworkInterfaceId"), interface.get("SubnetId")]
        ids += interface.get("Groups") or interface.get("SecurityGroupId") or interface.get("Group") or []
    ids.append(data.get("KeyName"))
    requests = [
        Request("ec2:RunInstances", _ec2_arn(call, kind, name), {**_carried(tags), **context})
        for one in ids
        if one
        for kind, name, tags in _things(call, one)
    ]
    requests.append(Request("ec2:RunInstances", _ec2_arn(call, "image", data.get("ImageId", "*")), dict(context)))
    if not any(interface.get("NetworkInterfaceId") for interface in interfaces):
        requests.append(Request("ec2:RunInstances", _ec2_arn(call, "network-interface", "*"), dict(context)))
    specified = {
        found["ResourceType"]: {tag["Key"]: tag.get("Value", "") for tag in found.get("Tags") or found.get("Tag") or []}
        for found in data.get("TagSpecifications") or []
    }
    for kind in ("instance", "volume"):
        tags = _requested(specified.get(kind, {}))
        requests.append(Request("ec2:RunInstances", _ec2_arn(call, kind, "*"), {**tags, **context}))
        if tags:
            tagging = {"ec2:CreateAction": "RunInstances", **tags}
            requests.append(Request("ec2:CreateTags", _ec2_arn(call, kind, "*"), tagging))
    profile = (data.get("IamInstanceProfile") or {}).get("Arn", "")
    return requests + _passed(call, profile.rsplit("/", 1)[-1])


# Auto Scaling


def _autoscaling(call: Call) -> list[Request]:
    action = f"autoscaling:{call.action}"
    if call.action.startswith("Describe"):
        return [Request(action)]
    form = _form(call)
    names = _values(form, "AutoScalingGroupName")
    names += [value for key, value in form.items() if re.fullmatch(r"Tags\.member\.\d+\.ResourceId", key)]
    name = names[0] if names else "*"
    group = autoscaling_backends[call.account][call.region].autoscaling_groups.get(name)
    context = _requested(_tags(form, r"Tags\.member"))
    if group is not None:
        # moto writes the keys of tags in either case.
        tags = [{key.lower(): value for key, value in tag.items()} for tag in group.tags]
        context.update(_carried({tag["key"]: tag["value"] for tag in tags}))
    elif call.action != "CreateAutoScalingGroup":
        return []
    arn = f"arn:aws:autoscaling:{call.region}:{call.account}:autoScalingGroup:*:autoScalingGroupName/{name}"
    requests = [Request(action, arn, context)]
    template = next((value for key, value in form.items() if key.endswith("LaunchTemplateId")), None)
    if template:
        subnets = form.get("VPCZoneIdentifier", "").split(",")
        requests += _launches(call, template, [subnet for subnet in subnets if subnet])
    if call.action == "CreateAutoScalingGroup":
        requests.append(_service_role(call, "autoscaling", "AWSServiceRoleForAutoScaling"))
    return requests


# IAM


def _iam_arn(call: Call, what: str) -> str:
    return f"arn:aws:iam::{call.account}:{what}"


def _service_role(call: Call, service: str, name: str) -> Request:
    arn = _iam_arn(call, f"role/aws-service-role/{service}.amazonaws.com/{name}")
    return Request("iam:CreateServiceLinkedRole", arn, {"iam:AWSServiceName": f"{service}.amazonaws.com"})


def _passed(call: Call, profile: str) -> list[Request]:
    """PassRole of the role that a profile holds."""
    profiles = iam_backends[call.account]["aws"].instance_profiles.values()
    roles = [role for found in profiles if found.name == profile for role in found.roles]
    return [Request("iam:PassRole", role.arn, {"iam:PassedToService": "ec2.amazonaws.com"}) for role in roles]


_IAM_OF_NOTHING = ("GetAccountAuthorizationDetails", "GetAccountSummary")


def _iam(call: Call) -> list[Request]:
    action = f"iam:{call.action}"
    form = _form(call)
    backend = iam_backends[call.account]["aws"]
    if call.action in _IAM_OF_NOTHING:
        return [Request(action)]
    if call.action == "SimulatePrincipalPolicy":
        return [Request(action, form["PolicySourceArn"])]
    if call.action == "ListInstanceProfiles":
        return [Request(action, _iam_arn(call, f"instance-profile{form.get('PathPrefix', '/')}"))]
    tags = _requested(_tags(form, r"Tags\.member"))
    path = form.get("Path", "/")
    if "InstanceProfileName" in form:
        name = form["InstanceProfileName"]
        found = next((one for one in backend.instance_profiles.values() if one.name == name), None)
        arn = found.arn if found else _iam_arn(call, f"instance-profile{path}{name}")
        if found is None and call.action != "CreateInstanceProfile":
            return []
        requests = [Request(action, arn, tags)]
        if call.action == "CreateInstanceProfile" and tags:
            requests.append(Request("iam:TagInstanceProfile", arn, tags))
        if call.action == "AddRoleToInstanceProfile":
            role = next((one for one in backend.roles.values() if one.name == form["RoleName"]), None)
            passed = {"iam:PassedToService": "ec2.amazonaws.com"}
            requests += [Request("iam:PassRole", role.arn, passed)] if role else []
        return requests
    name = form.get("RoleName", "*")
    found = next((one for one in backend.roles.values() if one.name == name), None)
    if found is None and call.action not in ("CreateRole", "GetRole"):
        return []
    arn = found.arn if found else _iam_arn(call, f"role{path}{name}")
    requests = [Request(action, arn, tags)]
    if call.action == "CreateRole" and tags:
        requests.append(Request("iam:TagRole", arn, tags))
    return requests


# Elastic Load Balancing


def _elbv2(call: Call) -> list[Request]:
    action = f"elasticloadbalancing:{call.action}"
    if call.action.startswith("Describe"):
        return [Request(action)]
    form = _form(call)
    tagging = elbv2_backends[call.account][call.region].tagging_service
    tags = _requested(_tags(form, r"Tags\.member"))
    arn = f"arn:aws:elasticloadbalancing:{call.region}:{call.account}"
    new = {
        "CreateLoadBalancer": f"{arn}:loadbalancer/net/{form.get('Name')}/*",
        "CreateTargetGroup": f"{arn}:targetgroup/{form.get('Name')}/*",
    }
    named = [form[key] for key in ("ListenerArn", "LoadBalancerArn", "TargetGroupArn") if key in form]
    resource = new.get(call.action) or named[0]
    requests = [Request(action, resource, {**tags, **_carried(tagging.get_tag_dict_for_resource(resource))})]
    if tags:
        made = resource if call.action in new else resource.replace(":loadbalancer/", ":listener/") + "/*"
        context = {"elasticloadbalancing:CreateAction": call.action, **tags}
        requests.append(Request("elasticloadbalancing:AddTags", made, context))
    if call.action in new:
        requests.append(_service_role(call, "elasticloadbalancing", "AWSServiceRoleForElasticLoadBalancing"))
    if call.action == "CreateLoadBalancer":
        # On behalf of the caller (elb-api-permissions in the user guide).
        looked = ("AccountAttributes", "Addresses", "InternetGateways", "SecurityGroups", "Subnets", "Vpcs")
        requests += [Request(f"ec2:Describe{what}") for what in looked]
    return requests


# Route 53, S3, and what speaks JSON


def _route53(call: Call) -> list[Request]:
    action = f"route53:{call.action}"
    zone = re.search(r"/hostedzone/([A-Z0-9]+)", call.environ["PATH_INFO"])
    if zone is None:
        return [Request(action)]
    context = {}
    if call.action == "ChangeResourceRecordSets":
        body = call.body.decode()
        prefix = "route53:ChangeResourceRecordSets"
        names = re.findall(r"<ResourceRecordSet>\s*<Name>([^<]*)</Name>", body)
        context = {
            f"{prefix}NormalizedRecordNames": [name.rstrip(".").lower() for name in names],
            f"{prefix}RecordTypes": re.findall(r"<Type>([^<]*)</Type>", body),
            f"{prefix}Actions": re.findall(r"<Action>([^<]*)</Action>", body),
        }
    return [Request(action, f"arn:aws:route53:::hostedzone/{zone.group(1)}", context)]


# Operation -> permission, where the names differ.
_S3 = {
    "DeleteObjects": "DeleteObject",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}


def _s3(call: Call) -> list[Request]:
    bucket, _, key = unquote(call.environ["PATH_INFO"]).lstrip("/").partition("/")
    query = dict(parse_qsl(call.environ.get("QUERY_STRING", ""), keep_blank_values=True))
    action = f"s3:{_S3.get(call.action, call.action)}"
    arn = f"arn:aws:s3:::{bucket}"
    if call.action == "DeleteObjects":
        found = re.findall(rb"<Object>.*?</Object>", call.body, re.DOTALL)
        return [
            Request(action + ("Version" if b"<VersionId>" in one else ""), f"{arn}/{_element(one, b'Key')}") for one in found
        ]
    if "versionId" in query:
        action += "Version"
    if key:
        return [Request(action, f"{arn}/{key}")]
    requests = [Request(action, arn, {"s3:prefix": query["prefix"]} if "prefix" in query else {})]
    if call.action == "CreateBucket":
        if b"<Tag" in call.body:
            requests.append(Request("s3:TagResource", arn))
        if call.environ.get("HTTP_X_AMZ_OBJECT_OWNERSHIP"):
            requests.append(Request("s3:PutBucketOwnershipControls", arn))
    return requests


def _element(xml: bytes, name: bytes) -> str:
    return re.search(rb"<" + name + rb">([^<]*)<", xml).group(1).decode()


def _ssm(call: Call) -> list[Request]:
    name = json.loads(call.body)["Name"]
    account = "" if name.startswith("/aws/") else call.account
    return [Request(f"ssm:{call.action}", f"arn:aws:ssm:{call.region}:{account}:parameter/{name.lstrip('/')}")]


def _servicequotas(call: Call) -> list[Request]:
    asked = json.loads(call.body)
    quota = f"arn:aws:servicequotas:{call.region}:{call.account}:{asked['ServiceCode']}/{asked['QuotaCode']}"
    requests = [Request(f"servicequotas:{call.action}", quota)]
    if asked["ServiceCode"] == "elasticloadbalancing":
        requests.append(Request("elasticloadbalancing:DescribeAccountLimits"))
    return requests


_SERVICES = {
    "autoscaling": _autoscaling,
    "ec2": _ec2,
    "elbv2": _elbv2,
    "elb": _elbv2,
    "iam": _iam,
    "route53": _route53,
    "s3": _s3,
    "servicequotas": _servicequotas,
    "ssm": _ssm,
}
