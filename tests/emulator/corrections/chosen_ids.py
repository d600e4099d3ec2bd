"""Ids that a seed chooses instead of leaving them to chance: AWS never lets its callers do that, but specs name ids.

Corrects moto/ec2/models/vpcs.py and subnets.py.
"""

import contextlib
import threading

from moto.ec2.models import subnets, vpcs

_chosen = threading.local()


@contextlib.contextmanager
def next_id(chosen: str):
    """The next VPC or subnet that this thread makes gets this id."""
    _chosen.id = chosen
    try:
        yield
    finally:
        _chosen.id = None


def _choosable(module, name: str) -> None:
    random_id = getattr(module, name)

    def chosen_or_random() -> str:
        chosen, _chosen.id = getattr(_chosen, "id", None), None
        return chosen or random_id()

    setattr(module, name, chosen_or_random)


_choosable(vpcs, "random_vpc_id")
_choosable(subnets, "random_subnet_id")
