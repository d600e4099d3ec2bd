"""Public parameters: where Canonical tells its current images.

Corrects moto/ssm/models.py.
"""

from moto.ssm.models import Parameter, ParameterDict

from .images import ARCHITECTURES, UBUNTU_RELEASES, current_ubuntu
from .patching import after

_PREFIX = "/aws/service/canonical/ubuntu/server"


def ubuntu_parameters(region: str) -> dict[str, str]:
    """Parameter name -> image id."""
    return {
        f"{_PREFIX}/{version}/stable/current/{architecture}/hvm/ebs-gp3/ami-id": current_ubuntu(
            region, version, architecture
        )
        for version in UBUNTU_RELEASES
        for architecture in ARCHITECTURES
    }


@after(ParameterDict, "_check_loading_status")
def load_ubuntu_parameters(self, key):
    """Like moto's own public parameters: there from the first time that someone asks for one of them."""
    if not str(key or "").startswith(_PREFIX) or getattr(self, "ubuntu_loaded", False):
        return
    self.ubuntu_loaded = True
    for name, image in ubuntu_parameters(self.region_name).items():
        self[name].append(
            Parameter(
                account_id=self.account_id,
                name=name,
                value=image,
                parameter_type="String",
                description=None,
                allowed_pattern=None,
                keyid=None,
                last_modified_date=1791964800,
                version=1,
                data_type="aws:ec2:image",
            )
        )
