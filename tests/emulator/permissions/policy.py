"""IAM's decision: what a set of policies says of one request.

Denied unless a statement allows it, and whatever allows it when one denies it. moto's own evaluator knows neither conditions
nor most resources.
"""

import re
from dataclasses import dataclass, field
from functools import cache

ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY = "allowed", "explicitDeny", "implicitDeny"


@dataclass(frozen=True)
class Request:
    """One thing that a call does to one resource, with the context that its conditions are judged by."""

    action: str
    resource: str = "*"
    context: dict = field(default_factory=dict)


@dataclass
class Decision:
    outcome: str
    # (policy, statement, action, resource): what allowed it, by position.
    allowed_by: list[tuple[int, int, int, int]] = field(default_factory=list)
    # Condition keys that a statement asks for and the request does not have.
    missing: set[str] = field(default_factory=set)


def decide(policies: list[dict], request: Request) -> Decision:
    decision = Decision(IMPLICIT_DENY)
    denied = False
    for number, policy in enumerate(policies):
        for position, statement in enumerate(as_list(policy["Statement"])):
            action = _first(as_list(statement["Action"]), lambda pattern: _is_action(pattern, request.action))
            resource = _first(as_list(statement["Resource"]), lambda pattern: _is_resource(pattern, request))
            if action is None or resource is None or not _holds(statement.get("Condition", {}), request, decision.missing):
                continue
            if statement["Effect"] == "Deny":
                denied = True
            else:
                decision.allowed_by.append((number, position, action, resource))
    if denied:
        return Decision(EXPLICIT_DENY, missing=decision.missing)
    if decision.allowed_by:
        return Decision(ALLOWED, decision.allowed_by)
    return decision


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def _first(patterns: list[str], fits) -> int | None:
    return next((number for number, pattern in enumerate(patterns) if fits(pattern)), None)


@cache
def _expression(pattern: str) -> re.Pattern:
    return re.compile("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern), re.DOTALL)


def _like(pattern: str, text: str) -> bool:
    return _expression(pattern).fullmatch(text) is not None


def _is_action(pattern: str, action: str) -> bool:
    return _like(pattern.lower(), action.lower())


def _is_resource(pattern: str, request: Request) -> bool:
    return _like(_filled(pattern, request.context), request.resource)


def _filled(text: str, context: dict) -> str:
    """Policy variables; one that the request does not have matches nothing."""
    return re.sub(r"\$\{([^}]*)\}", lambda match: str(context.get(match.group(1), "\0")), text)


_OPERATORS = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringNotEquals": lambda value, wanted: value != wanted,
    "StringLike": lambda value, wanted: _like(wanted, value),
    "ArnEquals": lambda value, wanted: _like(wanted, value),
    "ArnLike": lambda value, wanted: _like(wanted, value),
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
}


def _holds(conditions: dict, request: Request, missing: set[str]) -> bool:
    held = True
    for operator, keys in conditions.items():
        for key, wanted in keys.items():
            held = _condition_holds(operator, key, as_list(wanted), request.context, missing) and held
    return held


def _condition_holds(operator: str, key: str, wanted: list[str], context: dict, missing: set[str]) -> bool:
    if operator == "Null":
        return (key not in context) == (str(wanted[0]).lower() == "true")
    qualifier, _, name = operator.rpartition(":")
    optional = name.endswith("IfExists")
    compare = _OPERATORS[name.removesuffix("IfExists")]
    if key not in context:
        if not optional and qualifier != "ForAllValues":
            missing.add(key)
        return optional or qualifier == "ForAllValues"
    matches = [any(compare(value, _filled(one, context)) for one in wanted) for value in as_list(context[key])]
    return all(matches) if qualifier == "ForAllValues" else any(matches)
