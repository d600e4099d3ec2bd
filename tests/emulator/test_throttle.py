"""AWS's token buckets."""

from collections import Counter

from botocore.exceptions import ClientError

from .support import AwsTest, eventually


class Throttled(AwsTest):
    def throttle(self, speed: float) -> None:
        self.control("PUT", "conditions", {"throttle": {"speed": speed}})

    def outcomes(self, count: int, call, **arguments) -> Counter:
        """How often each code came, None for success. The speed is so small that no bucket fills meanwhile."""
        codes = Counter()
        for _ in range(count):
            try:
                call(**arguments)
                codes[None] += 1
            except ClientError as error:
                metadata = error.response["ResponseMetadata"]
                codes[error.response["Error"]["Code"], metadata["HTTPStatusCode"]] += 1
        return codes

    def test_each_action_of_ec2_has_its_bucket(self):
        self.throttle(0.001)
        create = self.ec2.create_vpc_endpoint
        refused = self.outcomes(6, create, VpcId="vpc-0", ServiceName="com.amazonaws.us-east-1.s3")
        self.assertEqual(refused["RequestLimitExceeded", 503], 2)
        self.ec2.describe_vpcs()
        fault = [call["fault"] for call in self.control("GET", "calls")]
        self.assertEqual(fault, [None] * 4 + ["throttled"] * 2 + [None])

    def throttled(self, count: int) -> int:
        """How many calls were throttled: of an action with a bucket of 4, which fills slowly."""
        codes = self.outcomes(count, self.ec2.delete_vpc_endpoints, VpcEndpointIds=["vpce-00000000000000000"])
        return codes["RequestLimitExceeded", 503]

    def test_buckets_fill(self):
        self.throttle(1)
        self.assertGreater(self.throttled(8), 0)
        self.assertTrue(eventually(lambda: self.throttled(1) == 0))

    def test_unfiltered_listings_have_a_smaller_bucket(self):
        self.throttle(0.001)
        unfiltered = self.outcomes(52, self.ec2.describe_security_groups)
        self.assertEqual(unfiltered, {None: 50, ("RequestLimitExceeded", 503): 2})
        filtered = self.outcomes(
            52, self.ec2.describe_security_groups, Filters=[{"Name": "group-name", "Values": ["a"]}]
        )
        self.assertEqual(filtered, {None: 52})

    def test_load_balancers_share_the_bucket_of_changes(self):
        self.throttle(0.001)
        changes = self.outcomes(12, self.elbv2.delete_listener, ListenerArn="a")
        changes += self.outcomes(
            12, self.elbv2.delete_target_group, TargetGroupArn="arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b"
        )
        self.assertEqual(changes["ThrottlingException", 400], 4)

    def test_services_have_codes_of_their_own(self):
        self.throttle(0.001)
        route53 = self.outcomes(52, self.route53.list_hosted_zones)
        self.assertEqual(route53, {None: 50, ("Throttling", 400): 2})
        iam = self.outcomes(52, self.iam.list_roles)
        self.assertEqual(iam, {None: 50, ("Throttling", 400): 2})

    def test_regions_have_their_own_buckets_and_so_have_accounts(self):
        self.throttle(0.001)
        self.assertEqual(self.throttled(5), 1)
        arguments = {"VpcEndpointIds": ["vpce-00000000000000000"]}
        there = self.outcomes(1, self.client("ec2", region="eu-west-1").delete_vpc_endpoints, **arguments)
        others = self.outcomes(1, self.client("ec2", account="999999999904").delete_vpc_endpoints, **arguments)
        self.assertNotIn(("RequestLimitExceeded", 503), there + others)

    def test_rules_do_not_count_throttled_calls(self):
        self.throttle(0.001)
        self.control("PUT", "faults", [{"action": "DeleteVpcEndpoints", "code": "InternalError", "skip": 4}])
        self.assertEqual(self.throttled(6), 2)
        self.assertEqual(self.control("GET", "faults")[0]["seen"], 4)

    def test_it_ends(self):
        self.throttle(0.001)
        self.control("PUT", "conditions", {})
        self.assertEqual(self.throttled(12), 0)
