"""Buckets and conditional writes."""

import json
import threading

from .support import AwsTest


class Buckets(AwsTest):
    def setUp(self):
        super().setUp()
        self.bucket = f"state-{self.account}"

    def test_defaults(self):
        self.s3.create_bucket(Bucket=self.bucket)
        block = self.s3.get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"]
        self.assertEqual(set(block.values()), {True})
        rules = self.s3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual(rules[0]["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"})
        controls = self.s3.get_bucket_ownership_controls(Bucket=self.bucket)["OwnershipControls"]
        self.assertEqual(controls["Rules"], [{"ObjectOwnership": "BucketOwnerEnforced"}])

    def test_a_bucket_is_made_with_its_tags(self):
        tags = [{"Key": "team", "Value": "ml"}, {"Key": "empty", "Value": ""}]
        self.s3.create_bucket(Bucket=f"tagged-{self.account}", CreateBucketConfiguration={"Tags": tags})
        found = self.s3.get_bucket_tagging(Bucket=f"tagged-{self.account}")["TagSet"]
        self.assertCountEqual(found, tags)

    def test_objects_can_be_aged(self):
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_object(Bucket=self.bucket, Key="a/lock", Body=b"1")
        before = self.s3.head_object(Bucket=self.bucket, Key="a/lock")["LastModified"]
        self.control("POST", "age", {"bucket": self.bucket, "key": "a/lock", "seconds": 300})
        after = self.s3.head_object(Bucket=self.bucket, Key="a/lock")["LastModified"]
        self.assertEqual((before - after).total_seconds(), 300)

    def test_names_are_global(self):
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.create_bucket(Bucket=self.bucket)
        other = self.client("s3", account="999999999905")
        self.refused("BucketAlreadyExists", other.create_bucket, 409, Bucket=self.bucket)
        self.refused("403", other.head_bucket, 403, Bucket=self.bucket)
        self.refused("AccessDenied", other.list_objects_v2, 403, Bucket=self.bucket)
        self.refused("AccessDenied", other.put_object, 403, Bucket=self.bucket, Key="a", Body=b"")

    def test_own_bucket_outside_us_east_1(self):
        west = self.client("s3", region="eu-west-1")
        place = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
        west.create_bucket(Bucket=self.bucket, **place)
        self.refused("BucketAlreadyOwnedByYou", west.create_bucket, 409, Bucket=self.bucket, **place)

    def test_requests_to_the_wrong_region_are_redirected(self):
        west = self.client("s3", region="eu-west-1")
        west.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        # boto3 follows the redirect of the first request by itself; the log shows that there was one.
        self.s3.list_objects_v2(Bucket=self.bucket)
        redirected = [call for call in self.control("GET", "calls") if call["action"] == "ListObjectsV2"]
        self.assertEqual(
            [(call["status"], call["code"]) for call in redirected], [(301, "PermanentRedirect"), (200, None)]
        )
        self.assertEqual(self.s3.get_bucket_location(Bucket=self.bucket)["LocationConstraint"], "eu-west-1")

    def test_names_that_are_none(self):
        for name in ("Uppercase-name", "a", "192.168.0.1", "dots..dots", "under_score"):
            with self.subTest(name):
                client = self.client("s3")
                # boto3 checks names itself; the service is asked all the same.
                client.meta.events.unregister("before-parameter-build.s3", _boto3_name_check())
                self.refused("InvalidBucketName", client.create_bucket, 400, Bucket=name)

    def test_tls_only_policy_does_not_close_the_bucket(self):
        self.s3.create_bucket(Bucket=self.bucket)
        arn = f"arn:aws:s3:::{self.bucket}"
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.s3.put_bucket_policy(Bucket=self.bucket, Policy=policy)
        self.s3.put_object(Bucket=self.bucket, Key="a", Body=b"b")
        self.assertEqual(json.loads(self.s3.get_bucket_policy(Bucket=self.bucket)["Policy"]), json.loads(policy))

    def test_policies(self):
        self.s3.create_bucket(Bucket=self.bucket)
        self.refused("MalformedPolicy", self.s3.put_bucket_policy, Bucket=self.bucket, Policy="{")
        public = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{self.bucket}/*",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [public]})
        self.refused("AccessDenied", self.s3.put_bucket_policy, Bucket=self.bucket, Policy=document)

    def test_deletion_waits_for_all_versions(self):
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        for body in (b"1", b"2"):
            self.s3.put_object(Bucket=self.bucket, Key="a", Body=body)
        self.s3.delete_object(Bucket=self.bucket, Key="a")
        self.refused("BucketNotEmpty", self.s3.delete_bucket, 409, Bucket=self.bucket)
        listed = self.s3.list_object_versions(Bucket=self.bucket)
        versions = [*listed["Versions"], *listed["DeleteMarkers"]]
        objects = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
        self.assertEqual(len(objects), 3)
        self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": objects})
        self.s3.delete_bucket(Bucket=self.bucket)


def _boto3_name_check():
    from botocore.handlers import validate_bucket_name

    return validate_bucket_name


class ConditionalWrites(AwsTest):
    def setUp(self):
        super().setUp()
        self.bucket = f"state-{self.account}"
        self.s3.create_bucket(Bucket=self.bucket)

    def put(self, body: bytes, **conditions) -> str:
        return self.s3.put_object(Bucket=self.bucket, Key="lock", Body=body, **conditions)["ETag"]

    def test_conditions(self):
        self.refused("NoSuchKey", self.put, 404, body=b"0", IfMatch='"none"')
        first = self.put(b"1", IfNoneMatch="*")
        self.refused("PreconditionFailed", self.put, 412, body=b"2", IfNoneMatch="*")
        second = self.put(b"2", IfMatch=first)
        self.refused("PreconditionFailed", self.put, 412, body=b"3", IfMatch=first)
        self.refused("NotImplemented", self.put, 501, body=b"3", IfNoneMatch=second)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="lock")["Body"].read(), b"2")
        self.refused("PreconditionFailed", self.s3.delete_object, 412, Bucket=self.bucket, Key="lock", IfMatch=first)
        self.s3.delete_object(Bucket=self.bucket, Key="lock", IfMatch=second)
        self.put(b"4", IfNoneMatch="*")

    def test_one_winner(self):
        """Many at once: of each round exactly one gets the lock."""
        from botocore.exceptions import ClientError

        for number in range(5):
            winners = []
            start = threading.Barrier(8)

            def race(key=f"lock-{number}", winners=winners, start=start):
                start.wait()
                try:
                    self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"", IfNoneMatch="*")
                except ClientError:
                    return
                winners.append(key)

            racers = [threading.Thread(target=race) for _ in range(8)]
            for racer in racers:
                racer.start()
            for racer in racers:
                racer.join()
            self.assertEqual(len(winners), 1)
