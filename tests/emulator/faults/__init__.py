"""What happens to calls between the HTTP server and moto, because a test asks for it: for each account on its own.

    rules         a list of faults for the calls it names: errors, lost answers, killed clients
    disturbance   how one call is disturbed: what is done, and when

With nothing asked for, a call passes untouched.
"""

import threading
from collections import defaultdict

from ..calls import Call
from ..connection import Connection
from .disturbance import UNDISTURBED, Disturbance, Unanswered
from .rules import Rules

__all__ = ["Disturbance", "Faults", "Unanswered"]


class Faults:
    def __init__(self):
        self._rules: dict[str, Rules] = {}
        self._seeds: dict[str, int] = {}
        self._hanging: dict[str, set[Connection]] = defaultdict(set)
        self._lock = threading.Lock()

    def set_rules(self, account: str, documents: list[dict]) -> None:
        with self._lock:
            self._rules[account] = Rules(documents, self._seeds.get(account, 0))

    def rules(self, account: str) -> list[dict]:
        with self._lock:
            return self._rules[account].documents() if account in self._rules else []

    def set_seed(self, account: str, seed: int) -> None:
        """For the rules that are set from now on."""
        with self._lock:
            self._seeds[account] = seed

    def of_launch(self, account: str) -> str | None:
        """The message of a fault for LaunchInstance: no call of AWS, but what a group does to grow."""
        with self._lock:
            return self._rules[account].of_launch() if account in self._rules else None

    def disturbance(self, call: Call, connection: Connection) -> Disturbance:
        if call.account not in self._rules:
            return UNDISTURBED
        with self._lock:
            delay, rule = self._rules[call.account].applied_to(call)
            return Disturbance(delay, rule, connection, self._hanging[call.account])

    def forget(self, account: str) -> None:
        with self._lock:
            self._rules.pop(account, None)
            self._seeds.pop(account, None)
            hanging = self._hanging.pop(account, set())
        for connection in list(hanging):
            connection.end()
