"""Things that were in an account before kclust came, or that come while it works: made through the API, like everything
else in it.
"""

from ..inside import Client
from .controllers import controllers
from .crowd import many_foreign
from .decoys import decoys
from .existing_vpc import EXISTING_REGION, existing_vpc
from .in_the_way import in_the_way, out_of_the_way
from .parts import TRUST_EC2, hosted_zone


def plant(emulator, account: str, document: dict) -> dict:
    """What `POST /_emulator/seed` asks for; the answer names what was made."""
    seeds = {
        "controllers": controllers,
        "decoys": decoys,
        "existing-vpc": existing_vpc,
        "in-the-way": in_the_way,
        "many-foreign": many_foreign,
        "out-of-the-way": out_of_the_way,
        "role": role,
        "zone": zone,
    }
    if document["what"] not in seeds:
        raise ValueError(f"what must be one of {', '.join(seeds)}, not {document['what']!r}")
    region = EXISTING_REGION if document["what"] == "existing-vpc" else document.get("region", "us-east-1")
    return seeds[document["what"]](Client(emulator, account, region), document)


def zone(aws: Client, document: dict) -> dict:
    """A hosted zone; a private one needs the network it is for."""
    network = {"VPCRegion": aws.region, "VPCId": document["vpc"]} if document.get("private") else None
    return {"zone": hosted_zone(aws, document["name"], network)}


def role(aws: Client, document: dict) -> dict:
    """A role that somebody may work with."""
    aws.iam.create_role(RoleName=document["name"], Path=document["path"], AssumeRolePolicyDocument=TRUST_EC2)
    return {"role": document["name"]}
