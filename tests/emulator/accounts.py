"""Which account a request belongs to, told from its access key id alone.

Signatures are not verified. Every test uses an account of its own, so that many tests share one emulator:

    AKIA<12 digits>TEST    that account
    AKIAEXPIRED000000000   credentials that have expired
    AKIAINVALID000000000   credentials AWS does not know
    anything else          account 123456789012
"""

import re
import threading
from collections import defaultdict

DEFAULT_ACCOUNT = "123456789012"
EXPIRED_KEY = "AKIAEXPIRED000000000"
INVALID_KEY = "AKIAINVALID000000000"

_TEST_KEY = re.compile(r"AKIA(\d{12})TEST")


def account_of(access_key: str) -> str:
    match = _TEST_KEY.fullmatch(access_key)
    return match.group(1) if match else DEFAULT_ACCOUNT


def access_key_of(account: str) -> str:
    return f"AKIA{account}TEST"


class AccountLocks:
    """One lock per account, and one for S3, whose bucket names all accounts share.

    moto checks and then acts without a lock: of two concurrent conditional writes to one S3 key both can win, and of
    two CreateAutoScalingGroup calls with one name both can succeed. AWS decides such races; so does this lock.
    """

    def __init__(self):
        self._locks = defaultdict(threading.RLock)
        self._guard = threading.Lock()

    def lock(self, account: str, service: str) -> threading.RLock:
        with self._guard:
            return self._locks["s3" if service == "s3" else account]
