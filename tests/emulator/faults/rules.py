"""The list that `PUT /_emulator/faults` takes: which calls are disturbed, and how."""

import random
from collections import Counter
from dataclasses import asdict, dataclass

from ..calls import Call

ACTIONS = ("error", "throttle", "deny", "expire", "reset", "truncate", "hang", "hold", "kill")
LAUNCH = ("autoscaling", "LaunchInstance")


@dataclass
class Rule:
    """One line of the list. A rule that neither says what to `do` nor has a code only delays the call."""

    service: str = "*"
    action: str = "*"
    change: bool = False
    do: str | None = None
    where: str | None = None
    status: int = 400
    code: str | None = None
    message: str = "injected fault"
    times: int | None = None
    skip: int = 0
    per: str | None = None
    probability: float = 1
    latency_ms: float | list[float] = 0
    pid: int | None = None

    def __post_init__(self):
        self.do = self.do or ("error" if self.code else None)
        if self.do not in (None, *ACTIONS):
            raise ValueError(f"do must be one of {', '.join(ACTIONS)}, not {self.do!r}")
        self.where = self.where or ("after" if self.do == "truncate" else "before")
        if self.where not in ("before", "after", "answered"):
            raise ValueError(f"where must be before, after or answered, not {self.where!r}")
        if self.where == "answered" and self.do != "kill":
            raise ValueError("only a kill can come once the call is answered")
        if self.do == "hold" and self.where != "before":
            raise ValueError("only a call that has not been carried out can be held")
        if self.do == "truncate" and self.where != "after":
            raise ValueError("only an answer can break off, after the call")
        if self.do == "error" and not self.code:
            raise ValueError("an error needs a code")
        if self.do == "kill" and not (isinstance(self.pid, int) and self.pid > 1):
            raise ValueError("a kill needs the pid of the client")
        if self.per not in (None, "request"):
            raise ValueError(f"per must be request, not {self.per!r}")

    def names(self, call: Call) -> bool:
        return (
            self.service in ("*", call.service)
            and self.action in ("*", call.action)
            and (call.changes or not self.change)
        )

    def delay(self, chance: random.Random) -> float:
        if isinstance(self.latency_ms, list):
            return chance.uniform(*self.latency_ms) / 1000
        return self.latency_ms / 1000


class Rules:
    """The list of one account, with what has been counted of each rule.

    Chance depends on the seed, the rule, the action and how often that action came before: not on how the calls of
    concurrent clients, or of different actions of one client, interleave. One seed has one outcome.
    """

    def __init__(self, documents: list[dict], seed: int):
        self._rules = [Rule(**document) for document in documents]
        self._seed = seed
        self._seen = Counter()
        self._applied = Counter()
        self._calls = Counter()

    def documents(self) -> list[dict]:
        return [
            {**asdict(rule), "seen": _total(self._seen, number), "applied": _total(self._applied, number)}
            for number, rule in enumerate(self._rules)
        ]

    def of_launch(self) -> str | None:
        for number, rule in enumerate(self._rules):
            if (rule.service, rule.action) == LAUNCH and self._takes(number, None, self._chance(number, LAUNCH[1])):
                return rule.message
        return None

    def applied_to(self, call: Call) -> tuple[float, Rule | None]:
        """The delay of this call and what is done to it: of each kind the first rule that names it and has hits left."""
        delay, disturbing = 0.0, None
        name = f"{call.service}.{call.action}"
        self._calls[name] += 1
        for number, rule in enumerate(self._rules):
            if not rule.names(call) or (rule.do and disturbing):
                continue
            chance = self._chance(number, f"{name}.{self._calls[name]}")
            if not self._takes(number, call.request() if rule.per else None, chance):
                continue
            delay = max(delay, rule.delay(chance))
            if rule.do:
                disturbing = rule
        return delay, disturbing

    def _chance(self, number: int, occasion: str) -> random.Random | None:
        rule = self._rules[number]
        if rule.probability >= 1 and not isinstance(rule.latency_ms, list):
            return None
        return random.Random(f"{self._seed}.{number}.{occasion}")

    def _takes(self, number: int, request, chance: random.Random | None) -> bool:
        """Counts a call that this rule names; says whether it is the rule's to disturb."""
        rule, counted = self._rules[number], (number, request)
        self._seen[counted] += 1
        if self._seen[counted] <= rule.skip or (rule.times is not None and self._applied[counted] >= rule.times):
            return False
        if chance and chance.random() >= rule.probability:
            return False
        self._applied[counted] += 1
        return True


def _total(counter: Counter, number: int) -> int:
    return sum(count for (of_rule, _), count in counter.items() if of_rule == number)
