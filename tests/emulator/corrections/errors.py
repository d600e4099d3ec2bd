"""Requests that AWS refuses before it looks at what they ask for.

Corrects moto/core/responses.py.
"""

from moto.core.responses import ActionResult
from moto.ec2.exceptions import DryRunClientError
from moto.ec2.responses import EC2Response

from .patching import corrects


@corrects(EC2Response, "call_action")
def dry_run_changes_nothing(original, self):
    """AWS answers DryRunOperation, with HTTP status 412, and does nothing; moto carries out most dry runs."""
    if self.params.get("DryRun") is True:
        _, headers, body = self.serialized(ActionResult(DryRunClientError()))
        return 412, headers, body
    return original(self)
