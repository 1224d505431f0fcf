"""Owners of discovered targets: a disabled schedule in the group that remembers them between two discoveries.

They are not in the schedules of the probes, which need neither and would refuse a plan with a key that an older version
does not know: while a stack is updated or rolled back, either version's Planner writes what either Probe reads.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from egressprobe.model.ownership import Owners, TargetOwner

# Not a shard's name: those begin with s and the slot.
OWNERS = "owners"
# Characters of an Input, which has at most 256 KB, that owners may take.
_MAX_INPUT = 250_000


def parse_owners(schedule: Mapping[str, Any]) -> Owners:
    """From the schedule; what cannot be read is left out."""
    with suppress(KeyError, TypeError, ValueError, RecursionError, msgspec.ValidationError):
        owners: Owners = msgspec.convert(json.loads(schedule["Target"]["Input"])["owners"], dict[str, TargetOwner])
        return owners
    return {}


def owners_input(owners: Owners) -> tuple[str, tuple[str, ...]]:
    """The Input of the schedule, and the names of the targets whose owners do not fit it."""
    stored: dict[str, Any] = {}
    left: list[str] = []
    size = len(_as_input({}))
    for name, owner in sorted(owners.items()):
        entry = {name: msgspec.to_builtins(owner)}
        size += len(json.dumps(entry))
        if size <= _MAX_INPUT:
            stored |= entry
        else:
            left.append(name)
    return _as_input(stored), tuple(left)


def _as_input(stored: dict[str, Any]) -> str:
    """Every schedule of the group has a plan; this one's has no targets."""
    return json.dumps({"plan": {"targets": []}, "owners": stored})
