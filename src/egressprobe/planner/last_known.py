"""What the schedules remember: the targets that discovery found last, and when it last told everything.

Discovery gates nothing. What it could not read anew stays as it was found last, and the plan is as old as that. The
targets are in the schedules' Inputs, known by their `objects`; the time is in a schedule of its own that never fires.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from egressprobe.discovery.kubernetes.resources import RESOURCES, SERVICES, SLICES
from egressprobe.discovery.target_names import free_name
from egressprobe.model.discovered import Discovered
from egressprobe.planner.schedules import Wanted

# No name of a shard's schedule: those begin with s and the slot.
NOTE = "discovered"
_KINDS = {one.plural: one.kind for one in RESOURCES}
_ENDPOINTS = {SERVICES.plural, SLICES.plural}
_FACTS = ("kubeVersion", "ipFamily")


class Memory(NamedTuple):
    """targets: what discovery found, as it stands in the schedules. facts: of the cluster. read_at: None: never."""

    targets: tuple[dict[str, Any], ...]
    bundles: dict[str, str]
    facts: dict[str, Any]
    read_at: datetime | None


def remembered(there: Mapping[str, dict[str, Any]]) -> Memory:
    """Out of what `present` found; a schedule that cannot be read is forgotten."""
    targets: dict[str, dict[str, Any]] = {}
    bundles: dict[str, str] = {}
    facts: dict[str, Any] = {}
    for name, one in sorted(there.items()):
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            if name != NOTE:
                plan = json.loads(one["Target"]["Input"])["plan"]
                targets |= {raw["name"]: raw for raw in plan["targets"] if raw.get("objects")}
                bundles |= plan.get("bundles", {})
                facts = facts or {key: plan[key] for key in _FACTS if key in plan}
    return Memory(tuple(targets.values()), bundles, facts, _read_at(there.get(NOTE)))


def _read_at(note: dict[str, Any] | None) -> datetime | None:
    with suppress(KeyError, TypeError, ValueError):
        return datetime.fromisoformat(json.loads(note["Target"]["Input"])["readAt"]) if note else None
    return None


def read_note(client: Any, group: str) -> datetime | None:
    """When discovery last told everything; None where it never did. Raises botocore's ClientError."""
    try:
        return _read_at(client.get_schedule(GroupName=group, Name=NOTE))
    except client.exceptions.ResourceNotFoundException:
        return None


def note(function: str, role: str, read_at: datetime) -> Wanted:
    """The schedule that keeps the time; it is disabled, so `function` is never called by it."""
    said = json.dumps({"readAt": read_at.isoformat(timespec="seconds")})
    return Wanted(NOTE, function, role, said, fires=False)


class Merged(NamedTuple):
    """kept: names of targets that discovery could not confirm."""

    targets: tuple[dict[str, Any], ...]
    bundles: dict[str, str]
    kept: tuple[str, ...]


def merged(found: Discovered, last: Memory, unread: Iterable[str], written: Collection[str]) -> Merged:
    """What was found now, and of what was found last all that may still be true.

    unread: lists by their plural, and kinds of objects that are read elsewhere. written: names that people gave.
    """
    silent = set(unread)
    kinds = {_KINDS.get(one, one) for one in silent}
    taken = set(written)
    targets: dict[str, dict[str, Any]] = {}
    for raw in found.targets:
        name = free_name(str(raw["name"]), min(raw["objects"]), taken)
        taken.add(name)
        targets[name] = raw | {"name": name}
    kept = []
    for old in last.targets:
        known = {one.partition("/")[0] for one in old["objects"]} & kinds
        if old["name"] in written or not (known or ("service" in old and silent & _ENDPOINTS)):
            continue
        kept.append(str(old["name"]))
        fresh = targets.get(old["name"])
        # Who calls is known better from before; where to, from now.
        targets[old["name"]] = _with_endpoints(old, fresh) if fresh and known else fresh or old
    used = {raw["caBundleRef"] for raw in targets.values() if "caBundleRef" in raw}
    bundles = {name: pem for name, pem in (last.bundles | found.bundles).items() if name in used}
    return Merged(tuple(targets.values()), bundles, tuple(kept))


def _with_endpoints(old: dict[str, Any], fresh: dict[str, Any]) -> dict[str, Any]:
    where = ("addresses", "refusal")
    return {key: value for key, value in old.items() if key not in where} | {
        key: fresh[key] for key in where if key in fresh
    }
