"""Every AWS call of every account, in the order of arrival, for tests that count calls or look at their times."""

import threading
import time
from collections import defaultdict

from .calls import Call


class CallLog:
    def __init__(self):
        self._entries = defaultdict(list)
        self._lock = threading.Lock()

    def begin(self, call: Call) -> dict:
        with self._lock:
            entries = self._entries[call.account]
            entry = {
                "n": len(entries) + 1,
                "service": call.service,
                "action": call.action,
                "region": call.region,
                "change": call.changes,
                "fault": None,
                "start": time.monotonic(),
                "end": None,
                "status": None,
                "code": None,
                "message": None,
                "request_id": call.request_id,
            }
            entries.append(entry)
        return entry

    def end(self, entry: dict, status: int | None, code: str | None, message: str | None) -> None:
        # The time of the end is written last: an entry with an end is complete.
        entry.update(status=status, code=code, message=message)
        entry["end"] = time.monotonic()

    def entries(self, account: str) -> list[dict]:
        with self._lock:
            return [dict(entry) for entry in self._entries[account]]

    def clear(self, account: str) -> None:
        with self._lock:
            self._entries[account] = []
