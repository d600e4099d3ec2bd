"""Faults a test asks for: AccessDenied, throttling, 5xx, latency, for one account and the calls it names."""

import threading
import time
from dataclasses import dataclass

from .calls import Answer, Call


@dataclass
class Rule:
    """One line of the list that `PUT /_emulator/faults` takes. A rule without a code only delays the call."""

    service: str = "*"
    action: str = "*"
    status: int = 400
    code: str | None = None
    message: str = "injected fault"
    times: int | None = None
    skip: int = 0
    where: str = "before"
    latency_ms: float = 0
    seen: int = 0
    applied: int = 0

    def __post_init__(self):
        if self.where not in ("before", "after"):
            raise ValueError(f"where must be before or after, not {self.where!r}")

    def names(self, call: Call) -> bool:
        return self.service in ("*", call.service) and self.action in ("*", call.action)

    def take(self) -> bool:
        """Counts a call that this rule names; says whether it is the rule's to disturb."""
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.applied >= self.times):
            return False
        self.applied += 1
        return True


class Faults:
    def __init__(self):
        self._rules: dict[str, list[Rule]] = {}
        self._lock = threading.Lock()

    def set(self, account: str, rules: list[dict]) -> None:
        parsed = [Rule(**rule) for rule in rules]
        with self._lock:
            self._rules[account] = parsed

    def get(self, account: str) -> list[dict]:
        with self._lock:
            return [vars(rule) for rule in self._rules.get(account, [])]

    def of_launch(self, account: str) -> str | None:
        """The message of a fault for LaunchInstance: no call of AWS, but what a group does to grow."""
        with self._lock:
            for rule in self._rules.get(account, []):
                if (rule.service, rule.action) == LAUNCH and rule.take():
                    return rule.message
        return None

    def applied_to(self, call: Call) -> "Disturbance":
        """The delay and the error of this call: of each kind the first rule that names it and has hits left."""
        delay = 0.0
        failing = None
        with self._lock:
            for rule in self._rules.get(call.account, []):
                if not rule.names(call) or (rule.code and failing) or not rule.take():
                    continue
                delay = max(delay, rule.latency_ms / 1000)
                if rule.code:
                    failing = rule
        return Disturbance(delay, failing)


LAUNCH = ("autoscaling", "LaunchInstance")


@dataclass
class Disturbance:
    delay: float
    rule: Rule | None

    def wait(self) -> None:
        if self.delay:
            time.sleep(self.delay)

    def answer(self, call: Call, where: str) -> Answer | None:
        """The error to give before the call takes effect, or after it has: then the effect stays and is not told."""
        if self.rule is None or self.rule.where != where:
            return None
        return call.error(self.rule.code, self.rule.message, self.rule.status)
