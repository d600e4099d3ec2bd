"""How one call is disturbed."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field

from ..calls import Answer, Call
from ..connection import Connection
from .rules import Rule


class Unanswered(Exception):
    """The client of this call gets no answer, and its connection ends."""


@dataclass
class Disturbance:
    delay: float = 0
    rule: Rule | None = None
    connection: Connection | None = None
    # The connections of this account that hang, to be ended when the account is forgotten.
    hanging: set[Connection] = field(default_factory=set)

    @property
    def name(self) -> str | None:
        """As the call log tells it."""
        return f"{self.rule.do} {self.rule.where}" if self.rule else None

    def wait(self) -> None:
        if self.delay:
            time.sleep(self.delay)

    def at(self, where: str, call: Call) -> Answer | None:
        """What is due at this point of the call: an answer in place of AWS's own, or none at all."""
        if self.rule is None or self.rule.where != where:
            return None
        match self.rule.do:
            case "error":
                return call.error(self.rule.code, self.rule.message, self.rule.status)
            case "kill":
                self._kill()
                if where == "answered":
                    return None
            case "reset":
                self.connection.reset()
            case "hang":
                self.hanging.add(self.connection)
                self.connection.wait_until_gone()
                self.hanging.discard(self.connection)
        raise Unanswered

    def _kill(self) -> None:
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.kill(self.rule.pid, signal.SIGKILL)


UNDISTURBED = Disturbance()
