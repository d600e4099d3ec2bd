"""Forgetting an account: moto keeps one backend per service, account and region."""

from moto.core.base_backend import BackendDict, backend_lock
from moto.s3.models import s3_backends

from . import permissions
from .corrections import idempotency, quotas


def forget(account: str) -> None:
    with backend_lock:
        for backends in BackendDict._instances:
            backends.pop(account, None)
        for name, (_, owner) in list(s3_backends.bucket_accounts.items()):
            if owner == account:
                del s3_backends.bucket_accounts[name]
    idempotency.forget(account)
    permissions.forget(account)
    quotas.forget(account)
