"""Names of targets: metric dimensions, so they stay while what they name stays. Pure.

A target is named after what is dialled, not after who calls it: adding or removing a webhook renames nothing. Where
two would have one name the first by its leading object keeps it, and the others get a suffix that is a hash of theirs.
"""

import hashlib
import re
from collections.abc import Collection

from egressprobe.model.target import Kind

LONGEST = 160  # characters
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9._:/@~\[\]-]")
_MARK_LENGTH = 8


def target_name(kind: Kind, host: str, port: int = 443, path: str = "") -> str:
    """`svc.ns.svc`, `host:8443`, `oidc/host/path`: letters, digits and ._:/@~[]- only, at most LONGEST characters."""
    shown = f"[{host}]" if ":" in host else host.lower()
    if port != 443:
        shown += f":{port}"
    if kind is Kind.OIDC:
        shown = f"oidc/{shown}{path.rstrip('/')}"
    return bounded(shown)


def bounded(name: str) -> str:
    """`name` in the alphabet and length of names; a name that had to be changed gets a hash."""
    clean = _NOT_ALLOWED.sub("-", name)
    return clean if clean == name and len(name) <= LONGEST else marked(clean, name)


def marked(name: str, by: str) -> str:
    """`name` with a suffix that is a hash of `by`."""
    mark = hashlib.sha256(by.encode()).hexdigest()[:_MARK_LENGTH]
    return f"{name[: LONGEST - _MARK_LENGTH - 1]}~{mark}"


def free_name(name: str, by: str, taken: Collection[str]) -> str:
    """`name`, or where it is taken `name` with a hash of `by`."""
    while name in taken:
        name, by = marked(name, by), f"{by}~"
    return name
