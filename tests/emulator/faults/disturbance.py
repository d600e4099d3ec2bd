"""How one call is disturbed."""

import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import replace

from .. import identity, permissions
from ..calls import Answer, Call
from ..connection import Connection
from .rules import Rule
from .throttle import throttled


class Unanswered(Exception):
    """The client of this call gets no answer, and its connection ends."""


class Disturbance:
    """None at all."""

    # What the log of calls says was done.
    name: str | None = None

    def wait(self) -> None:
        """The time that passes before anything happens."""

    def at(self, where: str, call: Call, answer: Answer | None = None) -> Answer | None:
        """What is due before the call, after it, or once it is answered: an answer in place of AWS's own, or None."""


class Delayed(Disturbance):
    def __init__(self, delay: float):
        self._delay = delay

    def wait(self) -> None:
        if self._delay:
            time.sleep(self._delay)


class Refused(Delayed):
    """The call gets this answer, and has no effect."""

    def __init__(self, answer: Answer, name: str | None, delay: float = 0):
        super().__init__(delay)
        self._answer = answer
        self.name = name

    def at(self, where: str, call: Call, answer: Answer | None = None) -> Answer | None:
        return self._answer if where == "before" else None


class Ruled(Delayed):
    """What the rules of an account ask for. `hanging` holds the account's connections that hang; calls that are held
    go on when `released` is set."""

    def __init__(
        self,
        delay: float,
        rule: Rule | None,
        connection: Connection,
        hanging: set[Connection],
        released: threading.Event,
    ):
        super().__init__(delay)
        self._rule = rule
        self._connection = connection
        self._hanging = hanging
        self._released = released
        self.name = f"{rule.do} {rule.where}" if rule else None

    def at(self, where: str, call: Call, answer: Answer | None = None) -> Answer | None:
        rule = self._rule
        if rule is None or rule.where != where:
            return None
        match rule.do:
            case "error":
                return call.error(rule.code, rule.message, rule.status)
            case "throttle":
                return throttled(call)
            case "deny":
                return permissions.denied(call)
            case "expire":
                return identity.expired(call)
            case "truncate":
                return replace(answer, breaks_off=True)
            case "kill":
                with suppress(ProcessLookupError):  # it may have ended by itself
                    os.kill(rule.pid, signal.SIGKILL)
                if where == "answered":
                    return None
            case "reset":
                self._connection.reset()
            case "hold":
                self._released.wait()
                return None
            case "hang":
                self._hanging.add(self._connection)
                self._connection.wait_until_gone()
                self._hanging.discard(self._connection)
        raise Unanswered


UNDISTURBED = Disturbance()
