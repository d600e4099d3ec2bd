"""Who is asking.

Corrects moto/sts/responses.py.
"""

from moto.core.responses import ActionResult
from moto.sts.responses import TokenResponse

from .. import permissions
from .patching import corrects


@corrects(TokenResponse, "get_caller_identity")
def get_caller_identity(original, self):
    """A user of the account, or whom a test says; moto writes an ARN that no service of AWS would."""
    return ActionResult(
        {
            "UserId": "AIDAEMULATOROPERATOR0",
            "Account": self.current_account,
            "Arn": permissions.principal(self.current_account),
        }
    )
