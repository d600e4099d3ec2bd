"""Waiting for conditions, with a limit, and saying what was expected when they do not come true."""

import time


class Failure(Exception):
    """What a scenario expects is not so."""


class Skipped(Exception):
    """Here the scenario cannot be run."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def until(what, condition, seconds, pause=1.0):
    """Asks until the condition is true, and returns its value. What it raises counts as "not yet", but is told in the end."""
    deadline = time.monotonic() + seconds
    while True:
        trouble = None
        try:
            value = condition()
            if value:
                return value
        except Exception as error:  # noqa: BLE001 - the machines that are asked are being started, killed and cut off
            trouble = error
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds} s: {what}" + (f" ({trouble})" if trouble else ""))
        time.sleep(pause)


class Clock:
    """Seconds since it was made."""

    def __init__(self):
        self.start = time.monotonic()

    def __str__(self):
        return f"{self.seconds():.0f} s"

    def seconds(self):
        return time.monotonic() - self.start
