"""What the identity of an account may do: nothing is refused until a test sets policies.

With policies, every call is judged as IAM would judge it: `requests.py` says what a call does to which resources, and
`policy.py` decides. What the policies grant and no call needed can be asked for, so that a test finds both what is missing in a
policy and what is too much.
"""

import threading
from dataclasses import dataclass, field

from ..calls import Answer, Call
from . import requests
from .policy import ALLOWED, as_list, decide


@dataclass
class Permissions:
    """Of one account. `principal` is who asks, where it is not the operator's user; `client` is a part of the user agent of those
    that the policies are for, where they are not for everybody who uses the account."""

    policies: list[dict] = field(default_factory=list)
    enforced: bool = True
    principal: str | None = None
    client: str = ""
    used: set = field(default_factory=set)


_accounts: dict[str, Permissions] = {}
_lock = threading.Lock()


def put(account: str, document: dict | None) -> None:
    with _lock:
        if document:
            _accounts[account] = Permissions(**document)
        else:
            _accounts.pop(account, None)


def of(account: str) -> Permissions | None:
    return _accounts.get(account)


def forget(account: str) -> None:
    put(account, None)


def principal(account: str) -> str:
    permissions = of(account)
    return (permissions and permissions.principal) or f"arn:aws:iam::{account}:user/operator"


def refusal(call: Call) -> Answer | None:
    """The answer to a call that no policy allows; None to go on."""
    permissions = of(call.account)
    if permissions is None or not permissions.policies or not permissions.enforced:
        return None
    # The emulator's own calls name no client: seeds need no permission.
    if permissions.client not in call.environ.get("HTTP_USER_AGENT", ""):
        return None
    for request in requests.of(call):
        request.context.setdefault("aws:username", principal(call.account).rsplit("/", 1)[-1])
        decision = decide(permissions.policies, request)
        if decision.outcome != ALLOWED:
            return _denied(call, request)
        with _lock:
            permissions.used.update(decision.allowed_by)
    return None


def unused(account: str) -> list[str]:
    """Actions and resources of the policies that have allowed nothing yet, each with the others of its statement."""
    permissions = of(account)
    left = []
    for number, policy in enumerate(permissions.policies if permissions else []):
        for position, statement in enumerate(policy["Statement"]):
            used = [one for one in permissions.used if one[:2] == (number, position)]
            actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
            unused_actions = [one for at, one in enumerate(actions) if at not in {one[2] for one in used}]
            left += [f"{action} on {', '.join(resources)}" for action in unused_actions]
            if len(unused_actions) < len(actions):
                unused_resources = [one for at, one in enumerate(resources) if at not in {one[3] for one in used}]
                left += [f"{resource} for {', '.join(actions)}" for resource in unused_resources]
    return left


def denied(call: Call) -> Answer | None:
    """The answer to a call that nothing allows; None to one that needs no permission."""
    if requests.is_free(call):
        return None
    return _denied(call, (requests.of(call) or requests.of_anything(call))[0])


def _denied(call: Call, request) -> Answer:
    message = (
        f"User: {principal(call.account)} is not authorized to perform: {request.action} on resource: {request.resource} "
        f"because no identity-based policy allows the {request.action} action"
    )
    if call.service == "ec2":
        return call.error("UnauthorizedOperation", f"You are not authorized to perform this operation. {message}", 403)
    if call.environ.get("HTTP_X_AMZ_TARGET"):
        return call.error("AccessDeniedException", message, 400)
    return call.error("AccessDenied", message, 403)
