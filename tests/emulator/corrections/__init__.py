"""Where moto 5.2.5 is kinder than AWS, or different from it, and what is put in its place.

One module per subject. Importing a module applies its corrections: each replaces one function of moto, names the AWS
behaviour it restores, and names moto's file. moto's version is asserted, so that an upgrade is a deliberate task:
every correction must be read again beside the new source.

    wire, errors        what an answer looks like: request ids, errors, dry runs, requests nobody implements
    idempotency         ClientToken
    limits              names, sizes, tags, CIDRs: what AWS refuses before it looks at anything else
    listings            filters and pages of every EC2 Describe
    ec2_tags, ec2_network, addresses, security_groups, ec2_compute, images, launch_templates, launching
    autoscaling, elbv2, route53, iam, s3, ssm, sts
"""

import os
import re

MOTO_VERSION = "5.2.5"

# moto reads these when it is imported. Its own 1,300 images slow every new account down and hold no Ubuntu of this
# decade: images.py brings what is needed. IAM's managed policies are needed by AttachRolePolicy.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

REQUEST_ID_ELEMENT = re.compile(rb"(<(?:requestId|RequestId|RequestID)>)[^<]*(</(?:requestId|RequestId|RequestID)>)")


def apply() -> None:
    """Puts every correction in place; a second call changes nothing."""
    import moto

    if moto.__version__ != MOTO_VERSION:
        raise RuntimeError(
            f"the emulator corrects moto {MOTO_VERSION}, but {moto.__version__} is installed: run tests/emulator/setup.sh"
        )
    from . import (  # noqa: F401  (imported for their effect)
        addresses,
        autoscaling,
        ec2_compute,
        ec2_network,
        ec2_tags,
        elbv2,
        errors,
        iam,
        idempotency,
        images,
        launch_templates,
        limits,
        listings,
        route53,
        s3,
        security_groups,
        ssm,
        sts,
    )
