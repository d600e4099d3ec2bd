"""Makes the slow first calls before any test does.

moto loads botocore's description of a service, and its own tables of instance types, when they are first needed: the
first EC2 call takes seconds, and tests have deadlines.
"""

import http.client
from concurrent.futures import ThreadPoolExecutor

from . import accounts

_ACCOUNT = "000000000000"
_REGION = "us-east-1"

_FORM_CALLS = [
    ("ec2", "2016-11-15", "DescribeVpcs"),
    ("ec2", "2016-11-15", "DescribeImages"),
    ("ec2", "2016-11-15", "DescribeInstanceTypes&InstanceType.1=t3.large"),
    ("ec2", "2016-11-15", "DescribeLaunchTemplates"),
    ("autoscaling", "2011-01-01", "DescribeAutoScalingGroups"),
    ("elasticloadbalancing", "2015-12-01", "DescribeLoadBalancers"),
    ("iam", "2010-05-08", "ListRoles"),
    ("sts", "2011-06-15", "GetCallerIdentity"),
]


def warm(port: int) -> None:
    """Signed calls over HTTP, several at a time, in an account that no test uses and that is forgotten at the end."""
    calls = [("POST", "/", service, f"Version={version}&Action={action}") for service, version, action in _FORM_CALLS]
    calls.append(("GET", "/2013-04-01/hostedzone", "route53", ""))
    calls.append(("GET", "/", "s3", ""))
    calls.append(("POST", "/", "ssm", '{"Names": ["/warm-up"]}'))
    with ThreadPoolExecutor(len(calls)) as senders:
        for sent in [senders.submit(_send, port, *call) for call in calls]:
            sent.result()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", f"/_emulator/reset?account={_ACCOUNT}")
    connection.getresponse().read()
    connection.close()


def _send(port: int, method: str, path: str, service: str, body: str) -> None:
    key = accounts.access_key_of(_ACCOUNT)
    headers = {
        "Authorization": (
            f"AWS4-HMAC-SHA256 Credential={key}/20260101/{_REGION}/{service}/aws4_request, "
            "SignedHeaders=host, Signature=0"
        )
    }
    if service == "ssm":
        headers["X-Amz-Target"] = "AmazonSSM.GetParameters"
        headers["Content-Type"] = "application/x-amz-json-1.1"
    elif body:
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, body=body or None, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"warm-up: {service} answered {answer.status}")
