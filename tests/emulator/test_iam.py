"""Roles and instance profiles."""

import json

from .support import AwsTest

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


def policy(padding: int = 0) -> str:
    statement = {"Sid": "a" * (padding or 1), "Effect": "Allow", "Action": "ec2:DescribeRegions", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Roles(AwsTest):
    def role(self, name: str, **arguments) -> None:
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, **arguments)

    def test_names(self):
        self.role("a" * 64)
        self.refused("ValidationError", self.iam.create_role, RoleName="b" * 65, AssumeRolePolicyDocument=TRUST)
        self.refused("EntityAlreadyExists", self.iam.create_role, RoleName="a" * 64, AssumeRolePolicyDocument=TRUST)
        self.iam.create_instance_profile(InstanceProfileName="a" * 128)

    def test_trust_policies_are_policies(self):
        self.refused("MalformedPolicyDocument", self.iam.create_role, RoleName="a", AssumeRolePolicyDocument="{")

    def test_inline_policies_share_their_size(self):
        self.role("a")
        self.iam.put_role_policy(RoleName="a", PolicyName="one", PolicyDocument=policy(6000))
        self.refused(
            "LimitExceeded", self.iam.put_role_policy, RoleName="a", PolicyName="two", PolicyDocument=policy(6000)
        )
        self.iam.put_role_policy(RoleName="a", PolicyName="one", PolicyDocument=policy(9000))

    def test_policies_of_aws(self):
        self.role("a")
        arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
        self.iam.attach_role_policy(RoleName="a", PolicyArn=arn)
        attached = self.iam.list_attached_role_policies(RoleName="a")["AttachedPolicies"]
        self.assertEqual([policy["PolicyArn"] for policy in attached], [arn])
        self.refused("DeleteConflict", self.iam.delete_role, RoleName="a")
        self.refused("NoSuchEntity", self.iam.attach_role_policy, RoleName="a", PolicyArn=arn + "s")

    def test_paths_and_pages(self):
        for number in range(3):
            self.role(f"mine-{number}", Path="/kclust/", Tags=[{"Key": "a", "Value": "b"}])
        self.role("other")
        pages = list(
            self.iam.get_paginator("list_roles").paginate(PathPrefix="/kclust/", PaginationConfig={"PageSize": 2})
        )
        names = [[role["RoleName"] for role in page["Roles"]] for page in pages]
        self.assertEqual(names, [["mine-0", "mine-1"], ["mine-2"]])
        self.assertNotIn("Tags", pages[0]["Roles"][0])
        self.assertEqual(self.iam.list_role_tags(RoleName="mine-0")["Tags"], [{"Key": "a", "Value": "b"}])

    def test_all_roles_with_all_their_details(self):
        for number in range(3):
            self.profile(f"node-{number}", Path="/kclust/", Tags=[{"Key": "a", "Value": "b"}])
            self.iam.put_role_policy(RoleName=f"node-{number}", PolicyName="own", PolicyDocument=policy())
        pages = list(
            self.iam.get_paginator("get_account_authorization_details").paginate(
                Filter=["Role"], PaginationConfig={"PageSize": 2}
            )
        )
        self.assertEqual([len(page["RoleDetailList"]) for page in pages], [2, 1])
        role = pages[0]["RoleDetailList"][0]
        self.assertEqual(
            (role["RoleName"], role["Path"], role["Tags"]), ("node-0", "/kclust/", [{"Key": "a", "Value": "b"}])
        )
        self.assertEqual(role["AssumeRolePolicyDocument"], json.loads(TRUST))
        self.assertEqual(role["RolePolicyList"], [{"PolicyName": "own", "PolicyDocument": json.loads(policy())}])
        self.assertEqual([profile["InstanceProfileName"] for profile in role["InstanceProfileList"]], ["node-0"])
        self.assertEqual([page["UserDetailList"] + page["Policies"] for page in pages], [[], []])


class InstanceProfiles(AwsTest):
    def test_listing_has_paths_and_no_tags(self):
        self.profile("node", Path="/kclust/", Tags=[{"Key": "a", "Value": "b"}])
        self.profile("other")
        found = self.iam.list_instance_profiles(PathPrefix="/kclust/")["InstanceProfiles"]
        self.assertEqual([profile["InstanceProfileName"] for profile in found], ["node"])
        self.assertNotIn("Tags", found[0])
        self.assertEqual(found[0]["Roles"][0]["RoleName"], "node")
        own = self.iam.get_instance_profile(InstanceProfileName="node")["InstanceProfile"]
        self.assertEqual(own["Tags"], [{"Key": "a", "Value": "b"}])

    def test_order_of_deletion(self):
        self.profile("node")
        self.iam.put_role_policy(RoleName="node", PolicyName="own", PolicyDocument=policy())
        self.refused("DeleteConflict", self.iam.delete_role, RoleName="node")
        self.refused("DeleteConflict", self.iam.delete_instance_profile, InstanceProfileName="node")
        named = {"InstanceProfileName": "node", "RoleName": "node"}
        self.refused("LimitExceeded", self.iam.add_role_to_instance_profile, **named)
        self.iam.remove_role_from_instance_profile(**named)
        self.refused("NoSuchEntity", self.iam.remove_role_from_instance_profile, 404, **named)
        self.refused("DeleteConflict", self.iam.delete_role, RoleName="node")
        self.iam.delete_role_policy(RoleName="node", PolicyName="own")
        self.iam.delete_role(RoleName="node")
        self.iam.delete_instance_profile(InstanceProfileName="node")
