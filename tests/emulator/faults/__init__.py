"""What happens to calls between the HTTP server and moto, because a test asks for it: for each account on its own.

    rules             a list of faults for the calls it names: errors, lost answers, killed clients
    disturbance       how one call is disturbed: what is done, and when
    throttle          AWS's token buckets, with the sizes of published_rates
    visibility        new things that are not there yet
    staleness         listings that are behind

With nothing asked for, a call passes untouched. What takes time in AWS, and how much of it there may be, is the
business of corrections: see conditions.
"""

import threading
from dataclasses import replace

from .. import conditions
from ..calls import Answer, Call
from ..conditions import Conditions
from ..connection import Connection
from .disturbance import UNDISTURBED, Disturbance, Refused, Ruled, Unanswered
from .rules import Rules
from .staleness import Staleness
from .throttle import Throttle
from .visibility import Visibility

__all__ = ["Disturbance", "Faults", "Refused", "Unanswered"]


class _Account:
    def __init__(self):
        self.rules: Rules | None = None
        self.hanging: set[Connection] = set()
        # Set when calls that are held may go on.
        self.released = threading.Event()
        self.set_conditions(conditions.NONE)

    def set_conditions(self, wanted: Conditions) -> None:
        self.throttle = Throttle(**wanted.throttle) if wanted.throttle is not None else None
        self.visibility = Visibility(wanted.invisible_seconds, wanted.seed) if wanted.invisible_seconds else None
        self.staleness = Staleness(wanted.stale_seconds, wanted.seed) if wanted.stale_seconds else None


class Faults:
    def __init__(self):
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()

    def set_rules(self, account: str, documents: list[dict]) -> None:
        rules = Rules(documents, conditions.of(account).seed)
        with self._lock:
            known = self._accounts.setdefault(account, _Account())
            known.rules = rules
            known.released.set()
            known.released = threading.Event()

    def rules(self, account: str) -> list[dict]:
        with self._lock:
            known = self._accounts.get(account)
            return known.rules.documents() if known and known.rules else []

    def set_conditions(self, account: str, document: dict) -> None:
        wanted = Conditions(**document)
        with self._lock:
            self._accounts.setdefault(account, _Account()).set_conditions(wanted)
            conditions.put(account, wanted)

    def set_quotas(self, account: str, quotas: dict[str, int] | str) -> None:
        with self._lock:
            conditions.put(account, replace(conditions.of(account), quotas=quotas))

    def of_launch(self, account: str) -> str | None:
        """The message of a fault for LaunchInstance: no call of AWS, but what a group does to grow."""
        with self._lock:
            known = self._accounts.get(account)
            return known.rules.of_launch() if known and known.rules else None

    def hidden(self, account: str) -> set[str]:
        """The ids, ARNs and names that listings leave out."""
        with self._lock:
            known = self._accounts.get(account)
            return known.visibility.hidden() if known and known.visibility else set()

    def disturbance(self, call: Call, connection: Connection) -> Disturbance:
        if call.account not in self._accounts:
            return UNDISTURBED
        with self._lock:
            return self._disturbance(call, connection)

    def _disturbance(self, call: Call, connection: Connection) -> Disturbance:
        """A throttled call is none that the rules count; and what the rules do comes before consistency matters."""
        known = self._accounts.get(call.account)
        if known is None:
            return UNDISTURBED
        throttled = known.throttle and known.throttle.refusal(call)
        if throttled:
            return Refused(throttled, "throttled")
        delay, rule = known.rules.applied_to(call) if known.rules else (0, None)
        if rule is None:
            invisible = known.visibility and known.visibility.refusal(call)
            if invisible:
                return Refused(invisible, "invisible", delay)
            stale = known.staleness and known.staleness.old_answer(call)
            if stale:
                return Refused(stale, "stale", delay)
        return Ruled(delay, rule, connection, known.hanging, known.released)

    def learn(self, call: Call, answer: Answer) -> None:
        """What a call has done and seen, for those that come after it."""
        if call.account not in self._accounts:
            return
        with self._lock:
            known = self._accounts.get(call.account)
            for learner in (known.visibility, known.staleness) if known else ():
                if learner:
                    learner.learn(call, answer)

    def forget(self, account: str) -> None:
        with self._lock:
            known = self._accounts.pop(account, None)
            conditions.put(account, conditions.NONE)
        if known:
            known.released.set()
            for connection in list(known.hanging):
                connection.end()
