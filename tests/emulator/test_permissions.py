"""Policies of the operator: what is refused for them, what the simulator says of them, and quotas."""

from . import support
from .permissions.policy import ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY, Request, decide

OWNED = "kubernetes.io/cluster/dev"


def policy(*statements: dict) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action, resource="*", **condition) -> dict:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


class TestDecisions(support.unittest.TestCase):
    def assert_decides(self, outcome, statement, request):
        self.assertEqual(decide([policy(statement)], request).outcome, outcome)

    def test_actions_and_resources_are_patterns(self):
        statement = allow("ec2:Describe*", "arn:aws:ec2:*:*:vpc/?-*")
        self.assert_decides(ALLOWED, statement, Request("EC2:describevpcs", "arn:aws:ec2:a:1:vpc/v-1"))
        self.assert_decides(IMPLICIT_DENY, statement, Request("ec2:DescribeVpcs", "arn:aws:ec2:a:1:VPC/v-1"))

    def test_what_one_statement_denies_no_other_allows(self):
        policies = [policy(allow("*")), policy({**allow("ec2:DeleteVpc"), "Effect": "Deny"})]
        self.assertEqual(decide(policies, Request("ec2:DeleteVpc")).outcome, EXPLICIT_DENY)
        self.assertEqual(decide(policies, Request("ec2:CreateVpc")).outcome, ALLOWED)

    def test_conditions(self):
        statement = allow("x:y", StringEquals={"k": ["a", "b"]}, ArnLike={"t": "arn:*"})
        self.assert_decides(ALLOWED, statement, Request("x:y", context={"k": "b", "t": "arn:1"}))
        self.assert_decides(IMPLICIT_DENY, statement, Request("x:y", context={"k": "c", "t": "arn:1"}))
        missing = decide([policy(statement)], Request("x:y", context={"k": "a"}))
        self.assertEqual((missing.outcome, missing.missing), (IMPLICIT_DENY, {"t"}))
        every = allow("x:y", **{"ForAllValues:StringEquals": {"k": ["a", "b"]}})
        self.assert_decides(ALLOWED, every, Request("x:y", context={"k": ["a", "b"]}))
        self.assert_decides(IMPLICIT_DENY, every, Request("x:y", context={"k": ["a", "c"]}))
        self.assert_decides(ALLOWED, allow("x:y", Null={"k": "true"}), Request("x:y"))
        self.assert_decides(ALLOWED, allow("x:y", "${aws:username}"), Request("x:y", "me", {"aws:username": "me"}))


class TestEnforcement(support.AwsTest):
    def permit(self, *statements, **more):
        self.control("PUT", "permissions", {"policies": [policy(*statements)], **more})

    def test_nothing_is_refused_without_policies(self):
        self.vpc()

    def test_what_is_made_must_be_tagged_as_the_policy_says(self):
        requested = {"StringEquals": {f"aws:RequestTag/{OWNED}": "owned"}}
        self.permit(allow(["ec2:CreateVpc", "ec2:CreateTags"], "arn:aws:ec2:*:*:vpc/*", **requested))
        self.refused("UnauthorizedOperation", self.ec2.create_vpc, 403, CidrBlock="10.0.0.0/16")
        self.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=support.tags("vpc", **{OWNED: "owned"}))
        self.assertEqual(self.control("GET", "permissions")["unused"], [])

    def test_what_is_removed_must_carry_the_tag(self):
        mine = self.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=support.tags("vpc", **{OWNED: "owned"}))
        other = self.vpc("10.1.0.0/16")
        carried = {"StringEquals": {f"aws:ResourceTag/{OWNED}": "owned"}}
        self.permit(allow("ec2:DeleteVpc", "arn:aws:ec2:us-east-1:*:*/*", **carried), allow("ec2:DeleteSubnet"))
        self.refused("UnauthorizedOperation", self.ec2.delete_vpc, VpcId=other)
        self.ec2.delete_vpc(VpcId=mine["Vpc"]["VpcId"])
        self.assertEqual(self.control("GET", "permissions")["unused"], ["ec2:DeleteSubnet on *"])

    def test_a_group_needs_what_its_instances_need(self):
        template = self.template()
        subnet = self.subnet(self.vpc())
        self.permit(allow("autoscaling:*"), allow(["iam:CreateServiceLinkedRole", "ec2:Describe*"]))
        group = {
            "AutoScalingGroupName": "nodes",
            "MinSize": 0,
            "MaxSize": 1,
            "LaunchTemplate": {"LaunchTemplateId": template, "Version": "$Default"},
            "VPCZoneIdentifier": subnet,
        }
        refusal = self.refused("AccessDenied", self.autoscaling.create_auto_scaling_group, **group)
        self.assertIn("ec2:RunInstances", str(refusal))

    def test_objects_and_listings_of_a_prefix(self):
        self.s3.create_bucket(Bucket=f"state-{self.account}")
        bucket = f"arn:aws:s3:::state-{self.account}"
        self.permit(
            allow(["s3:GetObject", "s3:PutObject"], f"{bucket}/dev/*"),
            allow("s3:ListBucket", bucket, StringLike={"s3:prefix": "dev/*"}),
        )
        self.s3.put_object(Bucket=f"state-{self.account}", Key="dev/a", Body=b"")
        self.s3.list_objects_v2(Bucket=f"state-{self.account}", Prefix="dev/")
        self.refused("AccessDenied", self.s3.put_object, Bucket=f"state-{self.account}", Key="b", Body=b"")
        self.refused("AccessDenied", self.s3.list_objects_v2, Bucket=f"state-{self.account}")


class TestSimulator(support.AwsTest):
    def simulate(self, **arguments):
        answer = self.iam.simulate_principal_policy(**arguments)
        return {one["EvalActionName"]: one for one in answer["EvaluationResults"]}

    def test_it_says_what_would_be_refused_and_for_want_of_which_key(self):
        tagged = {"StringEquals": {"aws:RequestTag/team": "ml"}}
        policies = [policy(allow("ec2:CreateVpc", **tagged), {**allow("ec2:DeleteVpc"), "Effect": "Deny"})]
        self.control("PUT", "permissions", {"policies": policies, "enforced": False})
        user = f"arn:aws:iam::{self.account}:user/operator"
        found = self.simulate(PolicySourceArn=user, ActionNames=["ec2:CreateVpc", "ec2:DeleteVpc", "ec2:CreateSubnet"])
        outcomes = {name: one["EvalDecision"] for name, one in found.items()}
        expected = {"ec2:CreateVpc": IMPLICIT_DENY, "ec2:DeleteVpc": EXPLICIT_DENY, "ec2:CreateSubnet": IMPLICIT_DENY}
        self.assertEqual(outcomes, expected)
        self.assertEqual(found["ec2:CreateVpc"]["MissingContextValues"], ["aws:RequestTag/team"])
        context = [{"ContextKeyName": "aws:RequestTag/team", "ContextKeyValues": ["ml"], "ContextKeyType": "string"}]
        found = self.simulate(PolicySourceArn=user, ActionNames=["ec2:CreateVpc"], ContextEntries=context)
        self.assertEqual(found["ec2:CreateVpc"]["EvalDecision"], ALLOWED)

    def test_a_session_is_no_source_of_policies_its_role_is(self):
        role = self.iam.create_role(Path="/a/", RoleName="admin", AssumeRolePolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}')
        session = f"arn:aws:sts::{self.account}:assumed-role/admin/me"
        self.control("PUT", "permissions", {"principal": session})
        self.assertEqual(self.sts.get_caller_identity()["Arn"], session)
        call = self.iam.simulate_principal_policy
        self.refused("ValidationError", call, PolicySourceArn=session, ActionNames=["ec2:CreateVpc"])
        without_path = f"arn:aws:iam::{self.account}:role/admin"
        self.refused("NoSuchEntity", call, PolicySourceArn=without_path, ActionNames=["ec2:CreateVpc"])
        found = self.simulate(PolicySourceArn=role["Role"]["Arn"], ActionNames=["ec2:CreateVpc"])
        self.assertEqual(found["ec2:CreateVpc"]["EvalDecision"], ALLOWED)


class TestQuotas(support.AwsTest):
    def quota(self, service, code):
        quotas = self.client("service-quotas")
        return quotas.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"]

    def test_a_test_sets_what_an_account_may_have(self):
        self.assertGreater(self.quota("vpc", "L-F678F1CE"), 1000)
        self.control("PUT", "quotas", {"vpcs": 5, "vcpus-standard": 32, "auto-scaling-groups": 7})
        self.assertEqual(self.quota("vpc", "L-F678F1CE"), 5)
        self.assertEqual(self.quota("ec2", "L-1216C47A"), 32)
        self.assertEqual(self.autoscaling.describe_account_limits()["MaxNumberOfAutoScalingGroups"], 7)

    def test_an_unknown_quota(self):
        quotas = self.client("service-quotas")
        self.refused("NoSuchResourceException", quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-1")
