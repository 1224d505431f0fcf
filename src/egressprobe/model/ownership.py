"""Who owns a target and how much it matters to them: from the targets file or from annotations. Pure.

Inside, both are keys of a target, as in a targets file. Between two functions they travel beside the targets, by name:
a Probe or a Planner of before they existed refuses a target with a key that it does not know.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from egressprobe.model.struct import CompactStruct
from egressprobe.model.target import TargetSeverity

MAX_OWNER = 200  # characters
# Annotations of webhook configurations, CRDs and APIServices. A key is PREFIX/NAME, the prefix a DNS subdomain, which
# may be one label, the name at most 63 characters:
# https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/#syntax-and-character-set
OWNER_ANNOTATION, SEVERITY_ANNOTATION = "egressprobe/owner", "egressprobe/severity"
_KEYS = ("owner", "severity")
_SEVEREST_FIRST = tuple(TargetSeverity)


class TargetOwner(CompactStruct, frozen=True):
    """owner: one line, empty where it is not known. severity: None where it is not set."""

    owner: str = ""
    severity: TargetSeverity | None = None


type Owners = dict[str, TargetOwner]
"""By the name of the target."""


def owner_name(text: str) -> str:
    """The owner as written, without blanks at its ends. Raises ValueError for more than a short line."""
    name = text.strip(" ")
    if len(name) > MAX_OWNER or not (name.isprintable() or not name):
        raise ValueError(f"needs one line of printable characters, at most {MAX_OWNER}")
    return name


def severity_name(text: str) -> TargetSeverity:
    """The severity as written. Raises ValueError for anything else."""
    try:
        return TargetSeverity(text)
    except ValueError:
        raise ValueError(f"is not one of {', '.join(TargetSeverity)}") from None


def joined_owners(owners: Iterable[TargetOwner]) -> TargetOwner:
    """Of several objects of one target: every owner, at most MAX_OWNER characters, and the most severe severity."""
    known = list(owners)
    names = list(dict.fromkeys(each.owner for each in known if each.owner))
    severities = {each.severity for each in known}
    severest = next((severity for severity in _SEVEREST_FIRST if severity in severities), None)
    for kept in range(len(names), 0, -1):
        text = "; ".join((*names[:kept], *([f"and {len(names) - kept} more"] if kept < len(names) else [])))
        if len(text) <= MAX_OWNER:
            return TargetOwner(text, severest)
    return TargetOwner(names[0] if names else "", severest)


def with_owners(targets: Iterable[dict[str, Any]], owners: Mapping[str, TargetOwner]) -> tuple[dict[str, Any], ...]:
    """The targets with both as their keys, where they are known."""
    unset = TargetOwner()
    return tuple(with_owner(raw, owners.get(str(raw.get("name")), unset)) for raw in targets)


def with_owner(raw: dict[str, Any], owner: TargetOwner) -> dict[str, Any]:
    """The target with what is known as its keys."""
    keys: dict[str, Any] = msgspec.to_builtins(owner)
    return raw | keys


def without_owner(raw: dict[str, Any]) -> dict[str, Any]:
    """The target as one that does not know either key reads it."""
    return {key: value for key, value in raw.items() if key not in _KEYS}


def owners_of(targets: Iterable[dict[str, Any]]) -> Owners:
    """What `with_owners` adds again; values that are not valid are left out."""
    owners: Owners = {}
    for raw in targets:
        if any(key in raw for key in _KEYS):
            try:
                owners[str(raw["name"])] = msgspec.convert({key: raw[key] for key in _KEYS if key in raw}, TargetOwner)
            except msgspec.ValidationError:
                continue
    return owners
