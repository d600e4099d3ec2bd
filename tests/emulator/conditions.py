"""What an account's calls meet besides its faults, as `PUT /_emulator/conditions` sets it: AWS is slow and limited.

Known by account number, so that corrections of moto's models can ask. With nothing set, nothing is slow.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Conditions:
    seed: int = 0
    # The token buckets of AWS, filling `speed` times as fast.
    throttle: dict | None = None

    def __post_init__(self):
        unknown = set(self.throttle or {}) - {"speed"}
        if unknown:
            raise ValueError(f"throttle takes speed only, not {', '.join(sorted(unknown))}")


NONE = Conditions()

_conditions: dict[str, Conditions] = {}


def of(account: str) -> Conditions:
    return _conditions.get(account, NONE)


def put(account: str, conditions: Conditions) -> None:
    if conditions == NONE:
        _conditions.pop(account, None)
    else:
        _conditions[account] = conditions
