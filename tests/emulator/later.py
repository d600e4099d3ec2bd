"""What AWS does some time after it has answered: a gateway becomes available, an interface goes away.

Nothing runs in the background: whatever is due happens before the account's next call, under the account's lock.
"""

import threading
import time
from collections.abc import Callable

_due: dict[str, list[tuple[float, Callable[[], None]]]] = {}
_lock = threading.Lock()


def do(account: str, seconds: float, act: Callable[[], None]) -> None:
    """Acts after so many seconds; with 0 at once."""
    if seconds <= 0:
        act()
        return
    with _lock:
        _due.setdefault(account, []).append((time.monotonic() + seconds, act))


def settle(account: str, everything: bool = False) -> None:
    """Does what is due; or everything, however long it had to wait. One act may lead to another."""
    while account in _due:
        now = float("inf") if everything else time.monotonic()
        with _lock:
            waiting = sorted(_due.get(account, []), key=lambda entry: entry[0])
            acts = [act for due, act in waiting if due <= now]
            _due[account] = [(due, act) for due, act in waiting if due > now]
            if not _due[account]:
                del _due[account]
        if not acts:
            return
        for act in acts:
            act()


def forget(account: str) -> None:
    with _lock:
        _due.pop(account, None)
