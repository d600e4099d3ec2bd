"""Who is asking.

Corrects moto/sts/responses.py.
"""

from moto.core.responses import ActionResult
from moto.sts.responses import TokenResponse

from .patching import corrects


@corrects(TokenResponse, "get_caller_identity")
def get_caller_identity(original, self):
    """A user of the account; moto writes an ARN that no service of AWS would."""
    return ActionResult(
        {
            "UserId": "AIDAEMULATOROPERATOR0",
            "Account": self.current_account,
            "Arn": f"arn:{self.partition}:iam::{self.current_account}:user/operator",
        }
    )
