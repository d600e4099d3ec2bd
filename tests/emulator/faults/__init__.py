"""What happens to calls between the HTTP server and moto, because a test asks for it: for each account on its own.

    rules             a list of faults for the calls it names: errors, lost answers, killed clients
    disturbance       how one call is disturbed: what is done, and when
    throttle          AWS's token buckets, with the sizes of published_rates

With nothing asked for, a call passes untouched.
"""

import threading
from collections import defaultdict

from .. import conditions
from ..calls import Call
from ..conditions import Conditions
from ..connection import Connection
from .disturbance import UNDISTURBED, Disturbance, Refused, Ruled, Unanswered
from .rules import Rules
from .throttle import Throttle

__all__ = ["Disturbance", "Faults", "Refused", "Unanswered"]


class Faults:
    def __init__(self):
        self._rules: dict[str, Rules] = {}
        self._throttles: dict[str, Throttle] = {}
        self._hanging: dict[str, set[Connection]] = defaultdict(set)
        self._lock = threading.Lock()

    def set_rules(self, account: str, documents: list[dict]) -> None:
        with self._lock:
            self._rules[account] = Rules(documents, conditions.of(account).seed)

    def rules(self, account: str) -> list[dict]:
        with self._lock:
            return self._rules[account].documents() if account in self._rules else []

    def set_conditions(self, account: str, document: dict) -> None:
        wanted = Conditions(**document)
        throttle = Throttle(**wanted.throttle) if wanted.throttle is not None else None
        with self._lock:
            conditions.put(account, wanted)
            if throttle:
                self._throttles[account] = throttle
            else:
                self._throttles.pop(account, None)

    def of_launch(self, account: str) -> str | None:
        """The message of a fault for LaunchInstance: no call of AWS, but what a group does to grow."""
        with self._lock:
            return self._rules[account].of_launch() if account in self._rules else None

    def disturbance(self, call: Call, connection: Connection) -> Disturbance:
        """A throttled call is none that the rules count."""
        account = call.account
        if account not in self._rules and account not in self._throttles:
            return UNDISTURBED
        with self._lock:
            throttled = self._throttles[account].refusal(call) if account in self._throttles else None
            if throttled:
                return Refused(throttled, "throttled")
            if account not in self._rules:
                return UNDISTURBED
            delay, rule = self._rules[account].applied_to(call)
            return Ruled(delay, rule, connection, self._hanging[account])

    def forget(self, account: str) -> None:
        with self._lock:
            self._rules.pop(account, None)
            self._throttles.pop(account, None)
            conditions.put(account, conditions.NONE)
            hanging = self._hanging.pop(account, set())
        for connection in list(hanging):
            connection.end()
