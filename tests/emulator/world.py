"""What an account holds, as one document: two dumps are equal exactly when nothing was left behind or taken away.

Ids are part of it; times, request ids and what AWS forgets (terminated instances, deleted NAT gateways) are not. The
default VPC of a region, which every account has, appears only when it is not as AWS made it.
"""

import base64
import hashlib

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.elb.models import elb_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.route53.models import route53_backends
from moto.s3.models import FakeDeleteMarker, s3_backends
from moto.ssm.models import ssm_backends

from .corrections.launch_templates import existing_versions
from .corrections.vpc_connections import attached_vpcs


def dump(account: str) -> dict:
    regions = {}
    for region in _regions(account):
        kinds = {
            **_ec2(account, region),
            **_autoscaling(account, region),
            **_elb(account, region),
            **_elbv2(account, region),
            **_ssm(account, region),
        }
        kinds = {kind: things for kind, things in kinds.items() if things}
        if kinds:
            regions[region] = kinds
    return sorted_document({"regions": regions, "iam": _iam(account), "route53": _route53(account), "s3": _s3(account)})


def sorted_document(document):
    """Keys in order, so that the text of two equal documents is equal too."""
    if isinstance(document, dict):
        return {key: sorted_document(document[key]) for key in sorted(document)}
    if isinstance(document, (list, tuple)):
        return [sorted_document(element) for element in document]
    return document


def existing(backends, account: str) -> dict:
    return dict(backends[account]) if account in backends else {}


def _regions(account: str) -> list[str]:
    names = set()
    for backends in (ec2_backends, autoscaling_backends, elb_backends, elbv2_backends, ssm_backends):
        names |= set(existing(backends, account))
    return sorted(names)


def _rules(rules) -> list:
    return sorted(
        (
            {
                "id": rule.id,
                "protocol": rule.ip_protocol,
                "ports": [rule.from_port, rule.to_port],
                "cidr": rule.cidr_ipv4 or rule.cidr_ipv6,
                "group": rule.source_group.get("GroupId"),
                "prefixList": rule.prefix_list_id,
                "description": rule.description,
                "tags": dict(rule.ec2_backend.tags.get(rule.id, {})),
            }
            for rule in rules
        ),
        key=lambda rule: rule["id"],
    )


def _ec2(account: str, region: str) -> dict:
    backend = existing(ec2_backends, account).get(region)
    if backend is None:
        return {}

    def tags(resource_id):
        return dict(backend.tags.get(resource_id, {}))

    defaults = _untouched_default_network(backend)
    instances = [
        instance
        for reservation in backend.reservations.values()
        for instance in reservation.instances
        if instance.state != "terminated"
    ]
    return {
        "vpcs": {
            vpc.id: {
                "cidr": vpc.cidr_block,
                "dnsSupport": vpc.enable_dns_support,
                "dnsHostnames": vpc.enable_dns_hostnames,
                "dhcpOptions": vpc.dhcp_options_id,
                "isDefault": vpc.is_default,
                "tags": tags(vpc.id),
            }
            for vpc in backend.vpcs.values()
            if vpc.id not in defaults
        },
        "subnets": {
            subnet.id: {
                "vpc": subnet.vpc_id,
                "zone": subnet.availability_zone,
                "cidr": subnet.cidr_block,
                "publicAddresses": subnet.map_public_ip_on_launch,
                "dnsNames": subnet.private_dns_name_options_on_launch,
                "tags": tags(subnet.id),
            }
            for subnet in backend.describe_subnets()
            if subnet.id not in defaults
        },
        "routeTables": {
            table.id: {
                "vpc": table.vpc_id,
                "associations": sorted(
                    (association.get("SubnetId") or association.get("GatewayId") or "main")
                    for association in table.associations
                ),
                "routes": sorted(
                    [
                        route.destination_cidr_block
                        or route.destination_ipv6_cidr_block
                        or route.destination_prefix_list_id,
                        route.gateway_id or route.nat_gateway_id or route.network_interface_id or "",
                        route.state,
                    ]
                    for route in table.routes
                ),
                "tags": tags(table.id),
            }
            for table in backend.route_tables.values()
            if table.id not in defaults
        },
        "internetGateways": {
            gateway.id: {"vpc": gateway.vpc.id if gateway.vpc else None, "tags": tags(gateway.id)}
            for gateway in backend.internet_gateways.values()
        },
        "egressOnlyInternetGateways": {
            gateway.id: {"vpc": gateway.vpc_id, "tags": tags(gateway.id)}
            for gateway in backend.egress_only_internet_gateways.values()
        },
        "natGateways": {
            gateway.id: {
                "subnet": gateway.subnet_id,
                "state": gateway.state,
                "addresses": [entry.get("allocationId") for entry in gateway.address_set],
                "tags": tags(gateway.id),
            }
            for gateway in backend.nat_gateways.values()
            if gateway.state != "deleted"
        },
        "addresses": {
            address.allocation_id: {"interface": address.network_interface_id, "tags": tags(address.id)}
            for address in backend.addresses
        },
        "vpcEndpoints": {
            endpoint.id: {
                "vpc": endpoint.vpc_id,
                "service": endpoint.service_name,
                "type": endpoint.vpc_endpoint_type,
                "routeTables": sorted(endpoint.route_table_ids),
                "policy": endpoint.policy_document,
                "tags": tags(endpoint.id),
            }
            for endpoint in backend.vpc_end_points.values()
        },
        "networkAcls": {
            acl.id: {"vpc": acl.vpc_id, "tags": tags(acl.id)}
            for acl in backend.network_acls.values()
            if acl.default is not True
        },
        "peerings": {
            peering.id: {"vpcs": [peering.vpc.id, peering.peer_vpc.id], "tags": tags(peering.id)}
            for peering in backend.vpc_pcxs.values()
            if peering.status["Code"] != "deleted"
        },
        "vpnGateways": {
            gateway.id: {"vpcs": sorted(attached_vpcs(gateway)), "tags": tags(gateway.id)}
            for gateway in backend.vpn_gateways.values()
            if gateway.state != "deleted"
        },
        "dhcpOptions": {
            options.id: {
                "options": {key: value for key, value in options._options.items() if value},
                "tags": tags(options.id),
            }
            for options in backend.dhcp_options_sets.values()
        },
        "securityGroups": {
            group.id: {
                "name": group.name,
                "description": group.description,
                "vpc": group.vpc_id,
                "ingress": _rules(group.ingress_rules),
                "egress": _rules(group.egress_rules),
                "tags": tags(group.id),
            }
            for groups in backend.groups.values()
            for group in groups.values()
            if group.id not in defaults
        },
        "networkInterfaces": {
            interface.id: {
                "subnet": interface.subnet.id,
                "address": interface.private_ip_address,
                "groups": sorted(group.id for group in interface._group_set),
                "status": interface.status,
                "instance": interface.instance.id if interface.instance else None,
                "description": interface.description,
                "managed": interface.requester_managed,
                "tags": tags(interface.id),
            }
            for interface in backend.enis.values()
        },
        "volumes": {
            volume.id: {
                "zone": volume.availability_zone,
                "size": volume.size,
                "type": volume.volume_type,
                "iops": volume.iops,
                "throughput": volume.throughput,
                "encrypted": volume.encrypted,
                "attachedTo": volume.attachment.instance_id if volume.attachment else None,
                "tags": tags(volume.id),
            }
            for volume in backend.volumes.values()
        },
        "snapshots": {
            snapshot.id: {"volume": snapshot.volume_id, "tags": tags(snapshot.id)}
            for snapshot in backend.snapshots.values()
            if not snapshot.from_ami
        },
        "keyPairs": {
            pair.id: {"name": pair.key_name, "fingerprint": pair.key_fingerprint, "tags": tags(pair.id)}
            for pair in backend.key_pairs.values()
        },
        "launchTemplates": {
            template.id: {
                "name": template.name,
                "default": template.default_version_number,
                "versions": {
                    str(version.number): _template_data(version.data) for version in existing_versions(template)
                },
                "tags": tags(template.id),
            }
            for template in backend.launch_templates.values()
        },
        "instances": {
            instance.id: {
                "image": instance.image_id,
                "type": instance.instance_type,
                "subnet": instance.subnet_id,
                "zone": instance.availability_zone,
                "state": instance.state,
                "lifecycle": instance.lifecycle,
                "key": instance.key_name,
                "profile": (instance.iam_instance_profile or {}).get("Arn"),
                "groups": sorted(group.id for group in instance.security_groups),
                "metadata": {
                    "tokens": instance.metadata_options.http_tokens,
                    "hops": instance.metadata_options.http_put_response_hop_limit,
                },
                "userData": _digest_of(user_data_of_instance(instance)),
                "tags": tags(instance.id),
            }
            for instance in instances
        },
    }


def _template_data(data: dict) -> dict:
    """The data as given, with the user data as a digest: it is long and nobody reads it here."""
    content = user_data_of_template(data)
    return {**data, "UserData": digest(content)} if content else dict(data)


def user_data_of_template(data: dict) -> bytes | None:
    return base64.b64decode(data["UserData"]) if data.get("UserData") else None


def user_data_of_instance(instance) -> bytes | None:
    return base64.b64decode(str(instance.user_data)) if instance.user_data else None


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _digest_of(content: bytes | None) -> str | None:
    return digest(content) if content else None


def _untouched_default_network(backend) -> set[str]:
    """The ids of the default VPC's parts, as far as nobody has changed or deleted any of them."""
    vpc = backend.get_default_vpc()
    if vpc is None or backend.tags.get(vpc.id):
        return set()
    parts = {vpc.id}
    parts |= {subnet.id for subnet in backend.describe_subnets() if subnet.vpc_id == vpc.id and subnet.default_for_az}
    parts |= {
        table.id for table in backend.route_tables.values() if table.vpc_id == vpc.id and table.main_association_id
    }
    parts |= {group.id for group in backend.groups[vpc.id].values() if group.is_default and not group.ingress_rules}
    whole = len(parts) == 3 + len(backend.describe_availability_zones())
    return parts if whole and not any(backend.tags.get(part) for part in parts) else set()


def _autoscaling(account: str, region: str) -> dict:
    backend = existing(autoscaling_backends, account).get(region)
    if backend is None:
        return {}
    return {
        "autoScalingGroups": {
            group.name: {
                "sizes": [group.min_size, group.desired_capacity, group.max_size],
                "zones": sorted(group.availability_zones),
                "subnets": sorted((group.vpc_zone_identifier or "").split(",")),
                "launchTemplate": group.launch_template,
                "mixedInstancesPolicy": group.mixed_instances_policy,
                "targetGroups": sorted(group.target_group_arns or []),
                "healthCheck": [group.health_check_type, group.health_check_grace_period],
                "suspended": sorted(group._suspended_processes or []),
                "terminationPolicies": group.termination_policies,
                "capacityRebalance": group.capacity_rebalance,
                "instances": sorted(state.instance_id for state in group.instance_states),
                "hooks": sorted(hook.name for hook in backend.describe_lifecycle_hooks(group.name)),
                "tags": {tag["Key"]: [tag.get("Value"), bool(tag.get("PropagateAtLaunch"))] for tag in group.tags},
            }
            for group in backend.autoscaling_groups.values()
        }
    }


def _elb(account: str, region: str) -> dict:
    backend = existing(elb_backends, account).get(region)
    if backend is None:
        return {}
    return {
        "classicLoadBalancers": {
            balancer.name: {
                "scheme": balancer.scheme,
                "subnets": sorted(balancer.subnets),
                "groups": sorted(balancer.security_groups),
                "listeners": sorted(
                    [str(listener.load_balancer_port), str(listener.instance_port)] for listener in balancer.listeners
                ),
                "tags": dict(balancer.tags),
            }
            for balancer in backend.load_balancers.values()
        }
    }


def _elbv2(account: str, region: str) -> dict:
    backend = existing(elbv2_backends, account).get(region)
    if backend is None:
        return {}
    tags = backend.tagging_service.get_tag_dict_for_resource
    return {
        "loadBalancers": {
            balancer.arn: {
                "name": balancer.name,
                "type": balancer.type,
                "scheme": balancer.scheme,
                "subnets": sorted(subnet.id for subnet in balancer.subnets),
                "groups": sorted(balancer.security_groups or []),
                "attributes": dict(balancer.attrs),
                "listeners": {
                    listener.arn: {
                        "port": listener.port,
                        "protocol": listener.protocol,
                        "targetGroups": sorted(
                            arn
                            for action in listener.default_actions
                            for arn in backend._get_target_group_arns_from(action_data=action.data)
                        ),
                        "tags": tags(listener.arn),
                    }
                    for listener in balancer.listeners.values()
                },
                "tags": tags(balancer.arn),
            }
            for balancer in backend.load_balancers.values()
        },
        "targetGroups": {
            group.arn: {
                "name": group.name,
                "protocol": group.protocol,
                "port": group.port,
                "vpc": group.vpc_id,
                "type": group.target_type,
                "healthCheck": [group.health_check_protocol, group.health_check_port, group.health_check_path],
                "attributes": dict(group.attributes),
                "targets": sorted(f"{target['Id']}:{target['Port']}" for target in group.targets.values()),
                "tags": tags(group.arn),
            }
            for group in backend.target_groups.values()
        },
    }


def _ssm(account: str, region: str) -> dict:
    backend = existing(ssm_backends, account).get(region)
    if backend is None:
        return {}
    return {
        "parameters": {
            name: versions[-1].value for name, versions in backend._parameters.items() if not name.startswith("/aws/")
        }
    }


def _iam(account: str) -> dict:
    backend = existing(iam_backends, account).get("aws")
    if backend is None:
        return {}

    def tags(entity):
        return {tag["Key"]: tag["Value"] for tag in entity.tags or []}

    kinds = {
        "roles": {
            role.name: {
                "path": role.path,
                "trust": role.assume_role_policy_document,
                "policies": dict(role.policies),
                "attached": sorted(role.managed_policies),
                "tags": tags(role),
            }
            for role in backend.roles.values()
        },
        "instanceProfiles": {
            profile.name: {
                "path": profile.path,
                "roles": sorted(role.name for role in profile.roles),
                "tags": tags(profile),
            }
            for profile in backend.instance_profiles.values()
        },
        "policies": {
            policy.arn: policy.name for policy in backend.managed_policies.values() if f":{account}:" in policy.arn
        },
        "oidcProviders": sorted(backend.open_id_providers),
    }
    return {kind: things for kind, things in kinds.items() if things}


def _route53(account: str) -> dict:
    backend = existing(route53_backends, account).get("aws")
    if backend is None:
        return {}
    return {
        zone.resource_id: {
            "name": zone.name,
            "private": zone.private_zone,
            "vpcs": sorted(vpc.get("vpc_id", "") for vpc in zone.vpcs),
            "records": sorted(
                [
                    record.name,
                    record.type,
                    record.set_identifier or "",
                    str(record.ttl),
                    sorted(record.records or []),
                    record.alias_target or {},
                ]
                for record in zone.rrsets
            ),
            "tags": dict(backend.resource_tags.get(zone.resource_id, {})),
        }
        for zone in backend.zones.values()
    }


def _s3(account: str) -> dict:
    backend = existing(s3_backends, account).get("aws")
    if backend is None:
        return {}
    return {
        bucket.name: {
            "region": bucket.region_name,
            "versioning": bucket.versioning_status,
            "encryption": _encryption(bucket),
            "publicAccessBlock": bucket.public_access_block.to_config_dict() if bucket.public_access_block else None,
            "policy": bucket.policy.decode() if bucket.policy else None,
            "lifecycleRules": len(bucket.rules),
            "tags": backend.tagger.get_tag_dict_for_resource(bucket.arn),
            "keys": {
                name: digest(key.value) for name, key in bucket.keys.items() if not isinstance(key, FakeDeleteMarker)
            },
            "versions": {name: len(bucket.keys.getlist(name)) for name in bucket.keys},
        }
        for bucket in backend.buckets.values()
    }


def _encryption(bucket) -> dict:
    rule = bucket.encryption["Rule"]
    return {
        **rule["ApplyServerSideEncryptionByDefault"],
        "BucketKeyEnabled": str(rule.get("BucketKeyEnabled", "false")).lower() == "true",
    }
