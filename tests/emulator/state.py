"""The whole of an account: forgotten, or put aside and brought back. moto keeps one backend per service, account and region."""

import io
import pickle

from moto.core.base_backend import BackendDict, BaseBackend, backend_lock
from moto.s3.models import s3_backends
from moto.s3.utils import _VersionedKeyStore

from . import later, permissions
from .corrections import idempotency

# What kclust changes. The other services' backends stay as they are, and what refers to them goes on doing so.
_SERVICES = ("autoscaling", "ec2", "elb", "elbv2", "iam", "route53", "s3")

# By account and name.
_snapshots: dict[str, dict[str, "Snapshot"]] = {}


def forget(account: str) -> None:
    with backend_lock:
        for backends in BackendDict._instances:
            backends.pop(account, None)
    _forget_bucket_names(account)
    idempotency.forget(account)
    later.forget(account)
    permissions.forget(account)
    _snapshots.pop(account, None)


def _forget_bucket_names(account: str) -> None:
    for name, (_, owner) in list(s3_backends.bucket_accounts.items()):
        if owner == account:
            del s3_backends.bucket_accounts[name]


class Snapshot:
    """A copy that shares nothing with what goes on changing."""

    def __init__(self, account: str):
        self._account = account
        self._shared = []
        buffer = io.BytesIO()
        with backend_lock:
            regions = {b.service_name: dict(dict.get(b, account) or {}) for b in _changing()}
            buckets = {name: of for name, of in s3_backends.bucket_accounts.items() if of[1] == account}
            _Pickler(buffer, self._shared).dump((regions, buckets, idempotency.results(account)))
        self._pickled = buffer.getvalue()

    def restore(self) -> None:
        later.forget(self._account)
        regions, buckets, results = _Unpickler(io.BytesIO(self._pickled), self._shared).load()
        with backend_lock:
            for backends in _changing():
                of_account = backends[self._account]
                of_account.clear()
                dict.update(of_account, regions.get(backends.service_name, {}))
            _forget_bucket_names(self._account)
            s3_backends.bucket_accounts.update(buckets)
        # What was due belongs to the things that are gone.
        later.forget(self._account)
        idempotency.set_results(self._account, results)


def save(account: str, name: str) -> None:
    """Puts the account aside under a name; an earlier one of that name is replaced."""
    _snapshots.setdefault(account, {})[name] = Snapshot(account)


def restore(account: str, name: str) -> None:
    """Brings the account back to what it was, ids and answers to repeated requests included."""
    _snapshots[account][name].restore()


def _changing() -> list[BackendDict]:
    return [backends for backends in BackendDict._instances if backends.service_name in _SERVICES]


def _service(backend: BaseBackend) -> str:
    return type(backend).__module__.split(".")[1]


def _key_store(versions: dict) -> _VersionedKeyStore:
    store = _VersionedKeyStore()
    for name, keys in versions.items():
        dict.__setitem__(store, name, keys)
    return store


class _Pickler(pickle.Pickler):
    """Takes along what the account's things refer to, but for what is not the account's own."""

    def __init__(self, file, shared: list):
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._shared = shared

    def persistent_id(self, thing):
        if isinstance(thing, BackendDict) or (isinstance(thing, BaseBackend) and _service(thing) not in _SERVICES):
            self._shared.append(thing)
            return len(self._shared) - 1
        return None

    def reducer_override(self, thing):
        # As a dict it would tell of the newest version of each key only.
        if isinstance(thing, _VersionedKeyStore):
            return _key_store, ({name: dict.__getitem__(thing, name) for name in dict.keys(thing)},)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file, shared: list):
        super().__init__(file)
        self._shared = shared

    def persistent_load(self, number: int):
        return self._shared[number]
