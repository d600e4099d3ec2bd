"""What the seeds are made of."""

import json
import uuid

from ..inside import Client

TRUST_EC2 = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
SOME_POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeRegions", "Resource": "*"}]}
)


def tagged(kind: str, tags: dict[str, str]) -> dict:
    """The TagSpecifications argument of a create call; none at all without tags."""
    if not tags:
        return {}
    return {
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ]
    }


def hosted_zone(aws: Client, name: str, network: dict | None = None) -> str:
    private = {"VPC": network, "HostedZoneConfig": {"PrivateZone": True}} if network else {}
    created = aws.route53.create_hosted_zone(Name=name, CallerReference=str(uuid.uuid4()), **private)
    return created["HostedZone"]["Id"].removeprefix("/hostedzone/")


def instance_profile(iam, name: str, tags: dict[str, str] | None = None) -> None:
    tags = [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST_EC2, Tags=tags)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=SOME_POLICY)
    iam.create_instance_profile(InstanceProfileName=name, Tags=tags)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
