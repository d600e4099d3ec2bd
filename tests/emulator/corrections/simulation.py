"""SimulatePrincipalPolicy.

Adds it to moto/iam/responses.py, which does not know the action.
"""

from moto.core.responses import ActionResult
from moto.iam.exceptions import NotFoundException, ValidationError
from moto.iam.responses import IamResponse

from .. import permissions
from ..permissions.policy import ALLOWED, Decision, Request, decide
from .iam import _page
from .patching import adds


@adds(IamResponse, "simulate_principal_policy")
def simulate_principal_policy(self):
    """For users and roles; one result for each action on the given resources, in pages."""
    source = self._get_param("PolicySourceArn")
    _check_source(self, source)
    context = {
        entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in self._get_param("ContextEntries") or []
    }
    resources = self._get_param("ResourceArns") or ["*"]
    of_account = permissions.of(self.current_account)
    results = [
        _result(action, [(resource, _decision(of_account, Request(action, resource, context))) for resource in resources])
        for action in self._get_param("ActionNames")
    ]
    shown, marker = _page(self, results)
    return ActionResult({"EvaluationResults": shown, "IsTruncated": bool(marker), "Marker": marker})


def _check_source(response, source: str) -> None:
    kind = source.split(":", 5)[-1].split("/", 1)[0]
    if kind not in ("user", "role", "group"):
        raise ValidationError(f"Invalid Entity Arn: {source} does not clearly define entity type and name.")
    known = [permissions.principal(response.current_account), *(role.arn for role in response.backend.roles.values())]
    if source not in known:
        raise NotFoundException(f"The {kind} with name {source.rsplit('/', 1)[-1]} cannot be found.")


def _decision(of_account, request: Request) -> Decision:
    if of_account is None or not of_account.policies:
        return Decision(ALLOWED)
    return decide(of_account.policies, request)


def _result(action: str, decisions: list[tuple[str, Decision]]) -> dict:
    """The decision for all resources together is the worst one."""
    order = ("explicitDeny", "implicitDeny", ALLOWED)
    resource, worst = min(decisions, key=lambda item: order.index(item[1].outcome))
    return {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": worst.outcome,
        "MatchedStatements": [],
        "MissingContextValues": sorted(worst.missing) if worst.outcome != ALLOWED else [],
    }
