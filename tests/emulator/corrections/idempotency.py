"""ClientToken: the same request again gives the first one's result.

AWS keeps a token for a day or more, also when the resource has been deleted meanwhile: the answer then names something
that is gone. The same token with other arguments is refused. moto ignores tokens and makes a second object.

Corrects moto/ec2/responses/*.py.
"""

import copy
import threading

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses import EC2Response

from .patching import corrects

_METHODS = (
    "create_egress_only_internet_gateway",
    "create_launch_template",
    "create_launch_template_version",
    "create_nat_gateway",
    "create_network_interface",
    "create_route_table",
    "create_volume",
    "create_vpc_endpoint",
    "modify_launch_template",
    "run_instances",
)

_results: dict[str, dict] = {}
_lock = threading.Lock()


def forget(account: str) -> None:
    with _lock:
        _results.pop(account, None)


def results(account: str) -> dict:
    """What the account's tokens are answered with."""
    with _lock:
        return dict(_results.get(account, {}))


def set_results(account: str, results: dict) -> None:
    with _lock:
        _results[account] = results


def _idempotent(method: str) -> None:
    @corrects(EC2Response, method)
    def once(original, self):
        token = self._get_param("ClientToken")
        if not token:
            return original(self)
        key = (self.region, method, token)
        arguments = copy.deepcopy(dict(self.params))
        with _lock:
            results = _results.setdefault(self.current_account, {})
        if key in results:
            first_arguments, result = results[key]
            if first_arguments != arguments:
                raise EC2ClientError(
                    "IdempotentParameterMismatch",
                    "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
                )
            return result
        result = original(self)
        results[key] = arguments, result
        return result


for _method in _METHODS:
    _idempotent(_method)
