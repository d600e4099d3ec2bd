"""The control API under /_emulator/: what tests ask of the emulator itself. README.md is its reference."""

import contextlib
import json
from datetime import timedelta
from urllib.parse import parse_qs

from moto.s3.models import s3_backends

from . import accounts, canonical, later, permissions, seeds, state, world
from .calls import Answer
from .corrections import listings

CONTROL_PREFIX = "/_emulator/"


class Control:
    def __init__(self, emulator):
        self.emulator = emulator
        self.routes = {
            ("GET", "health"): self.health,
            ("GET", "calls"): self.calls,
            ("DELETE", "calls"): self.clear_calls,
            ("GET", "defects"): self.defects,
            ("GET", "faults"): self.faults,
            ("PUT", "faults"): self.set_faults,
            ("PUT", "conditions"): self.set_conditions,
            ("PUT", "page-size"): self.set_page_size,
            ("GET", "permissions"): self.permissions,
            ("PUT", "permissions"): self.set_permissions,
            ("PUT", "quotas"): self.set_quotas,
            ("GET", "world"): self.world,
            ("GET", "canonical-world"): self.canonical_world,
            ("POST", "snapshot"): self.snapshot,
            ("POST", "restore"): self.restore,
            ("POST", "seed"): self.seed,
            ("POST", "age"): self.age,
            ("POST", "reset"): self.reset,
        }

    def answer(self, environ: dict, body: bytes) -> Answer:
        name = environ["PATH_INFO"].removeprefix(CONTROL_PREFIX).strip("/")
        route = self.routes.get((environ["REQUEST_METHOD"], name))
        if route is None:
            return _json(404, {"error": f"no {environ['REQUEST_METHOD']} {name} in the control API"})
        query = parse_qs(environ.get("QUERY_STRING", ""))
        account = query.get("account", [accounts.DEFAULT_ACCOUNT])[0]
        try:
            return _json(200, route(account, json.loads(body) if body else None))
        except (KeyError, TypeError, ValueError) as error:
            return _json(400, {"error": f"{type(error).__name__}: {error}"})

    @contextlib.contextmanager
    def whole(self, account):
        """Nothing of the account changes meanwhile."""
        with self.emulator.locks.lock(account, "ec2"), self.emulator.locks.lock(account, "s3"):
            later.settle(account)
            yield

    def health(self, account, document):
        return {"ok": True}

    def calls(self, account, document):
        return self.emulator.log.entries(account)

    def clear_calls(self, account, document):
        self.emulator.log.clear(account)
        return {"ok": True}

    def defects(self, account, document):
        """Calls that the emulator could not answer as AWS would: not implemented, or broken."""
        return [entry for entry in self.emulator.log.entries(account) if entry["status"] == 501]

    def faults(self, account, document):
        return self.emulator.faults.rules(account)

    def set_faults(self, account, document):
        self.emulator.faults.set_rules(account, document or [])
        return {"ok": True}

    def set_conditions(self, account, document):
        """What takes its time under the old conditions is done at once when there are none any more."""
        self.emulator.faults.set_conditions(account, document or {})
        if not document:
            with self.emulator.locks.lock(account, "ec2"):
                later.settle(account, everything=True)
        return {"ok": True}

    def set_page_size(self, account, document):
        if document:
            listings.largest_pages[account] = int(document)
        else:
            listings.largest_pages.pop(account, None)
        return {"ok": True}

    def permissions(self, account, document):
        return {"unused": permissions.unused(account)}

    def set_permissions(self, account, document):
        permissions.put(account, document)
        return {"ok": True}

    def set_quotas(self, account, document):
        """Of all conditions only these."""
        self.emulator.faults.set_quotas(account, document or {})
        return {"ok": True}

    def world(self, account, document):
        with self.whole(account):
            return world.dump(account)

    def canonical_world(self, account, document):
        """What is on its way somewhere counts as arrived."""
        with self.whole(account):
            later.settle(account, everything=True)
            return canonical.dump(account)

    def snapshot(self, account, document):
        with self.whole(account):
            later.settle(account, everything=True)
            state.save(account, document["name"])
        return {"ok": True}

    def restore(self, account, document):
        with self.whole(account):
            state.restore(account, document["name"])
        return {"ok": True}

    def seed(self, account, document):
        with self.emulator.locks.lock(account, "ec2"):
            return seeds.plant(self.emulator, account, document)

    def age(self, account, document):
        """Makes an object of a bucket older than it is."""
        with self.emulator.locks.lock(account, "s3"):
            bucket = s3_backends[account]["aws"].buckets[document["bucket"]]
            bucket.keys[document["key"]].last_modified -= timedelta(seconds=document["seconds"])
        return {"ok": True}

    def reset(self, account, document):
        with self.whole(account):
            state.forget(account)
        self.emulator.log.clear(account)
        self.emulator.faults.forget(account)
        self.set_page_size(account, None)
        return {"ok": True}


def _json(status: int, document) -> Answer:
    body = json.dumps(document, indent=1, default=str).encode() + b"\n"
    return Answer(status, [("Content-Type", "application/json")], body)
