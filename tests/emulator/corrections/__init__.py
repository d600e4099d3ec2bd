"""Where moto 5.2.5 is kinder than AWS, or different from it, and what is put in its place.

One module per subject. Importing this package applies them all: each replaces one function of moto, names the AWS
behaviour it restores, and names moto's file. moto's version is asserted, so that an upgrade is a deliberate task:
every correction must be read again beside the new source.

    footprint           less memory and time, the same answers
    listings            filters and pages of every EC2 Describe
    ec2_tags, addresses, chosen_ids, ec2_network, security_groups, images, launching, ec2_compute, launch_templates
    vpc_connections     what leads from a VPC to others
    autoscaling, capacity, elb, elbv2, route53, iam, s3, ssm, sts, simulation, quotas
    quota_checks        how much of everything an account may have, where a test sets it
    limits              names, sizes, tags: what AWS refuses before it looks at anything else
    idempotency         ClientToken
    errors              dry runs
"""

import importlib
import os
import re

import moto

MOTO_VERSION = "5.2.5"

# moto's own 1,300 images make every new account slow and hold no Ubuntu of this decade: images.py brings a few.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

# Order matters where two modules correct one function: the later one is asked first. Limits are checked before anything
# happens, and a repeated token is noticed before that.
_MODULES = (
    "footprint",
    "listings",
    "ec2_tags",
    "addresses",
    "chosen_ids",
    "vpc_connections",
    "ec2_network",
    "security_groups",
    "images",
    "launching",
    "ec2_compute",
    "launch_templates",
    "autoscaling",
    "elb",
    "elbv2",
    "route53",
    "iam",
    "s3",
    "ssm",
    "sts",
    "simulation",
    "quotas",
    "quota_checks",
    "limits",
    "idempotency",
    "errors",
)

REQUEST_ID_ELEMENT = re.compile(rb"(<(?:requestId|RequestId|RequestID)>)[^<]*(</(?:requestId|RequestId|RequestID)>)")


def refusal(call):
    """The answer to a call that its service refuses before looking further; None to go on."""
    from .. import permissions
    from . import s3

    return permissions.refusal(call) or (s3.refusal(call) if call.service == "s3" else None)


if moto.__version__ != MOTO_VERSION:
    raise RuntimeError(
        f"the emulator corrects moto {MOTO_VERSION}, but {moto.__version__} is installed: run tests/emulator/setup.sh"
    )
for _name in _MODULES:
    importlib.import_module(f"{__name__}.{_name}")
