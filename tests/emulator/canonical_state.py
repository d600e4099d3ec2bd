"""The documents of a cluster's state (ARCHITECTURE.md, "The state"), as far as two runs can have the same."""

import base64
import hashlib
import json
import re

_HEADER = "# kclust.dev/state "
_REVISION = re.compile(r"^(.*/history/\d+)-[^/]*\.yaml$")


def name_contents(names, contents: dict[str, bytes]) -> None:
    """What the documents make up by chance, and digests by which others name them."""
    for key, content in contents.items():
        if key.endswith("/facts.json"):
            names.add(_json(content).get("facts", {}).get("clusterUid"), "UID")
    for content in contents.values():
        names.add(hashlib.sha256(content).hexdigest(), names.digest(content))


def documents(names, contents: dict[str, bytes]) -> dict:
    """Every object by its key, as what matters of it."""
    found = {}
    for key, content in contents.items():
        found.setdefault(_key(key), []).append(_document(names, key, content, contents))
    for key, content in contents.items():
        # The history is what `kclust get history` shows: the spec in force belongs to it, whether or not it is copied there yet.
        if key.endswith("/cluster.yaml") and (revision := _revision(content)):
            cluster = key.removesuffix("cluster.yaml")
            found.setdefault(f"{cluster}history/{revision['sequence']:06}", found[key])
    return {key: said[0] if len(said) == 1 else said for key, said in found.items()}


def _key(key: str) -> str:
    revision = _REVISION.match(key)
    return revision.group(1) if revision else key


def _document(names, key: str, content: bytes, contents: dict[str, bytes]):
    cluster, _, path = key.partition("/")
    if path == "cluster.yaml" or path.startswith("history/"):
        revision = _revision(content)
        if revision:
            return {**revision, "spec": names.digest(content.split(b"\n", 1)[1])}
    if path == "facts.json":
        return _json(content)
    if path == "ledger.json":
        ledger = _json(content)
        return {
            "operation": ledger.get("operation"),
            "finished": ledger.get("finishedAt") is not None,
            "resources": ledger.get("resources"),
        }
    if path == "lock":
        return {"operation": _json(content).get("operation")}
    if path.startswith("pki/"):
        return _of_keys(path.removeprefix("pki/"), content, contents.get(f"{cluster}/pki/bundle.json", b""))
    return names.digest(content)


def _of_keys(name: str, content: bytes, bundle: bytes):
    """Keys are new in each cluster: what can be compared is which there are, and whether all are of one set."""
    files = _json(bundle).get("files", {})
    if name == "bundle.json":
        return sorted(files)
    if name == "complete":
        return content.decode("latin-1").strip() == hashlib.sha256(bundle).hexdigest()
    return name in files and base64.b64decode(files[name]) == content


def _revision(content: bytes) -> dict | None:
    text = content.decode("utf-8", "replace")
    if not text.startswith(_HEADER):
        return None
    revision = _json(text.split("\n", 1)[0].removeprefix(_HEADER).encode())
    revision.pop("at", None)
    return revision or None


def _json(content: bytes) -> dict:
    try:
        document = json.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
