"""AWS's request throttling: token buckets for each account, region and API action."""

import re
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from ..calls import Answer, Call
from .published_rates import PER_INSTANCE, RATES, UNFILTERED, Rate, Rates

_NARROWED = re.compile(r"Filter\.|MaxResults$|(InstanceId|NetworkInterfaceId|GroupId|GroupName|SnapshotId|VolumeId)\.")


@dataclass
class Bucket:
    size: float
    refill: float
    tokens: float = field(init=False)
    looked_at: float = field(default_factory=time.monotonic)

    def __post_init__(self):
        self.tokens = self.size

    def holds(self, wanted: float) -> bool:
        now = time.monotonic()
        self.tokens = min(self.size, self.tokens + (now - self.looked_at) * self.refill)
        self.looked_at = now
        return self.tokens >= wanted

    def take(self, wanted: float) -> None:
        self.tokens -= wanted


def throttled(call: Call) -> Answer:
    """What the service says to a call that it has no time for."""
    if call.service == "s3":
        return call.error("SlowDown", "Please reduce your request rate.", 503)
    rates = RATES.get(call.service)
    if rates is None:
        return call.error("Throttling", "Rate exceeded", 400)
    return call.error(rates.code, rates.message, rates.status)


class Throttle:
    """The buckets of one account. They fill `speed` times as fast as AWS's, so that tests need not wait as long, and hold
    `size` times as much, so that a small cluster finds them empty."""

    def __init__(self, speed: float = 1, size: float = 1):
        if speed <= 0 or size <= 0:
            raise ValueError(f"speed and size must be positive, not {speed} and {size}")
        self.speed = speed
        self.size = size
        self._buckets: dict[tuple, Bucket] = {}

    def refusal(self, call: Call) -> Answer | None:
        """The answer to a call that one bucket has no token for. Such a call takes none from the others."""
        rates = RATES.get(call.service)
        if rates is None:
            return None
        taken = [(self._bucket(call, rates, name, rate), tokens) for name, rate, tokens in _demands(call, rates)]
        if all(bucket.holds(tokens) for bucket, tokens in taken):
            for bucket, tokens in taken:
                bucket.take(tokens)
            return None
        return throttled(call)

    def _bucket(self, call: Call, rates: Rates, name: str, rate: Rate) -> Bucket:
        key = (call.service, None if rates.is_global else call.region, name)
        if key not in self._buckets:
            size, refill = rate
            self._buckets[key] = Bucket(max(1, size * self.size), refill * self.speed)
        return self._buckets[key]


def _demands(call: Call, rates: Rates) -> list[tuple[str, Rate, float]]:
    """The buckets that a call takes from: name, rate, and how many tokens."""
    category, rate = ("write", rates.write) if call.changes else ("read", rates.read)
    demands = [(category, rate, 1)]
    if rates.each_action or call.action in rates.actions:
        demands = [(call.action, rates.actions.get(call.action, rate), 1)]
    if call.service == "ec2":
        members = dict(parse_qsl(call.body.decode("utf-8", "replace")))
        if call.action in UNFILTERED and not any(_NARROWED.match(name) for name in members):
            demands = [(f"{call.action} unfiltered", UNFILTERED[call.action], 1)]
        if call.action in PER_INSTANCE:
            demands.append((f"{call.action} instances", PER_INSTANCE[call.action], _instances(members)))
    if rates.account:
        demands.append(("account", rates.account, 1))
    return demands


def _instances(members: dict[str, str]) -> int:
    named = sum(name.startswith("InstanceId.") for name in members)
    return named or int(members.get("MaxCount", 1))
