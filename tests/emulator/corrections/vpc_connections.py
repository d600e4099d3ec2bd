"""Peering connections and virtual private gateways: they keep a VPC from deletion, and are found by the VPC.

Corrects moto/ec2/models/vpc_peering_connections.py, vpn_gateway.py and moto/ec2/responses/vpc_peering_connections.py.
"""

from moto.ec2.models import EC2Backend

from .listings import Listing
from .patching import after


def attached_vpcs(gateway) -> list[str]:
    """moto keeps the attachments that were."""
    return [vpc_id for vpc_id, attachment in gateway.attachments.items() if attachment.state == "attached"]


_LIVE = ("initiating-request", "pending-acceptance", "provisioning", "active")

for _listing in (
    Listing(
        "describe_vpc_peering_connections",
        "VpcPeeringConnections",
        {
            "requester-vpc-info.vpc-id": lambda peering: peering.vpc.id,
            "accepter-vpc-info.vpc-id": lambda peering: peering.peer_vpc.id,
            "status-code": lambda peering: peering.status["Code"],
        },
    ),
    Listing(
        "describe_vpn_gateways",
        "VpnGateways",
        {
            "vpn-gateway-id": lambda gateway: gateway.id,
            "attachment.vpc-id": attached_vpcs,
            "state": lambda gateway: gateway.state,
        },
        paged=False,
    ),
):
    _listing.install()


def connects(backend, vpc_id: str) -> bool:
    """Whether anything leads from the VPC to somewhere else."""
    return any(
        vpc_id in (peering.vpc.id, peering.peer_vpc.id) and peering.status["Code"] in _LIVE
        for peering in backend.vpc_pcxs.values()
    ) or any(vpc_id in attached_vpcs(gateway) for gateway in backend.vpn_gateways.values())


@after(EC2Backend, "delete_vpc_peering_connection")
def forget_peering(self, vpc_pcx_id):
    """AWS shows a deleted connection for two hours more; the world shall not hold it."""
    self.tags.pop(vpc_pcx_id, None)
