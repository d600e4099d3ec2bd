"""What an account's calls meet besides its faults, as `PUT /_emulator/conditions` sets it: AWS is slow and limited.

Known by account number, so that corrections of moto's models can ask. With nothing set, nothing is slow.
"""

from dataclasses import dataclass, field

from . import quotas


@dataclass(frozen=True)
class Conditions:
    seed: int = 0
    # The token buckets of AWS, filling `speed` times as fast and holding `size` times as much.
    throttle: dict | None = None
    # How long a new thing may be missing, and how old a listing may be.
    invisible_seconds: float = 0
    stale_seconds: float = 0
    # NAT gateways, load balancers, instances, groups, interface endpoints: how long they are on their way.
    pending_seconds: float = 0
    # How long the interface of something that is gone stays, and with it its subnet and its groups.
    lingering_seconds: float = 0
    # How long EC2 does not know a new instance profile, or one with a new role.
    profile_seconds: float = 0
    # How much of everything there may be; "default" is what AWS gives a new account.
    quotas: dict[str, int] | str = field(default_factory=dict)

    def __post_init__(self):
        unknown = set(self.throttle or {}) - {"speed", "size"}
        if unknown:
            raise ValueError(f"throttle takes speed and size only, not {', '.join(sorted(unknown))}")
        object.__setattr__(self, "quotas", quotas.checked(self.quotas))

    def quota(self, name: str) -> int:
        return self.quotas.get(name, quotas.RAISED)


NONE = Conditions()

_conditions: dict[str, Conditions] = {}


def of(account: str) -> Conditions:
    return _conditions.get(account, NONE)


def put(account: str, conditions: Conditions) -> None:
    if conditions == NONE:
        _conditions.pop(account, None)
    else:
        _conditions[account] = conditions
