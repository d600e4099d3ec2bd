"""Buckets: one namespace for all accounts, one region each, and the defaults that AWS gives new ones.

Conditional writes need no correction but a lock, which accounts.AccountLocks brings.

Corrects moto/s3/models.py and moto/s3/responses.py.
"""

import copy
import json
import re
from urllib.parse import unquote

import xmltodict
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket, PublicAccessBlock, S3Backend, s3_backends
from moto.s3.responses import S3Response

from ..calls import Answer, Call
from .patching import corrects

_BUCKET_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!xn--)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

# Answered wherever the bucket is: this is how clients find out where that is.
_ANYWHERE = {"CreateBucket", "GetBucketLocation", "ListBuckets"}


def _bucket_named_by(call: Call) -> str:
    return unquote(call.environ["PATH_INFO"]).lstrip("/").split("/", 1)[0]


def refusal(call: Call) -> Answer | None:
    """What the service says before it looks at the request's subject: not yours, not here, not a name."""
    name = _bucket_named_by(call)
    if not name:
        return None
    if call.action == "CreateBucket" and not _is_bucket_name(name):
        return call.error("InvalidBucketName", "The specified bucket is not valid.", 400)
    _, owner = s3_backends.bucket_accounts.get(name, (None, None))
    if owner is None:
        return None
    if owner != call.account:
        return _not_yours(call)
    region = s3_backends[owner]["aws"].buckets[name].region_name
    if region != call.region and call.action not in _ANYWHERE:
        return _elsewhere(call, name, region)
    if call.environ.get("HTTP_IF_NONE_MATCH", "*") != "*" and call.action in ("PutObject", "CompleteMultipartUpload"):
        return call.error("NotImplemented", "A header you provided implies functionality that is not implemented", 501)
    return None


def _is_bucket_name(name: str) -> bool:
    return bool(_BUCKET_NAME.fullmatch(name)) and ".." not in name


def _not_yours(call: Call) -> Answer:
    if call.action == "CreateBucket":
        return call.error(
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again.",
            409,
        )
    return call.error("AccessDenied", "Access Denied", 403)


def _elsewhere(call: Call, name: str, region: str) -> Answer:
    answer = call.error(
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all "
        "future requests to this endpoint.",
        301,
    )
    answer.headers.append(("x-amz-bucket-region", region))
    endpoint = f"<Endpoint>{name}.s3.{region}.amazonaws.com</Endpoint><Bucket>{name}</Bucket>"
    answer.body = answer.body.replace(b"<RequestId>", endpoint.encode() + b"<RequestId>", 1)
    return answer


@corrects(S3Backend, "create_bucket")
def create_bucket(original, self, *args, **kwargs):
    """A new bucket blocks public access, encrypts with SSE-S3 and enforces its owner; moto's has none of it."""
    bucket = original(self, *args, **kwargs)
    bucket.public_access_block = PublicAccessBlock("true", "true", "true", "true")
    bucket.encryption = {
        "Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}
    }
    bucket.ownership_rule = "BucketOwnerEnforced"
    return bucket


@corrects(S3Response, "_bucket_response_put")
def create_tagged_bucket(original, self, request, bucket_name, querystring):
    """A bucket can be made with tags, which moto leaves out."""
    answer = original(self, request, bucket_name, querystring)
    if not querystring and self.body:
        configuration = xmltodict.parse(self.body, force_list=("Tag",)).get("CreateBucketConfiguration") or {}
        tags = (configuration.get("Tags") or {}).get("Tag", [])
        if tags:
            self.backend.put_bucket_tagging(bucket_name, {tag["Key"]: tag.get("Value") or "" for tag in tags})
    return answer


@corrects(S3Backend, "delete_bucket_encryption")
def delete_bucket_encryption(original, self, bucket_name):
    """Encryption cannot be switched off: the bucket goes back to SSE-S3."""
    self.get_bucket(bucket_name).encryption = {
        "Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}
    }


@corrects(FakeBucket, "get_permission")
def permission_without_conditions(original, self, action, resource):
    """Statements with a condition do not count here.

    The emulator speaks plain HTTP, and moto finds a conditional Deny fulfilled whatever it says: a policy that asks for
    TLS would close the bucket to everyone.
    """
    if self.policy is None:
        return original(self, action, resource)
    policy = json.loads(self.policy)
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    unconditional = [statement for statement in statements if not statement.get("Condition")]
    judged = copy.copy(self)
    judged.policy = json.dumps({**policy, "Statement": unconditional}).encode()
    return original(judged, action, resource)


def _is_public(statement: dict) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        principal = principal.get("AWS")
    everyone = principal == "*" or (isinstance(principal, list) and "*" in principal)
    return statement.get("Effect") == "Allow" and everyone and not statement.get("Condition")


@corrects(S3Backend, "put_bucket_policy")
def put_bucket_policy(original, self, bucket_name, policy):
    """A policy must be one, and must not be public while the bucket blocks public policies."""
    try:
        document = json.loads(policy)
        statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    except (ValueError, KeyError, TypeError):
        raise S3ClientError("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'") from None
    block = self.get_bucket(bucket_name).public_access_block
    if block and block.block_public_policy and any(_is_public(statement) for statement in statements):
        raise S3ClientError("AccessDenied", "public policies are blocked by the BlockPublicPolicy setting")
    return original(self, bucket_name, policy)
