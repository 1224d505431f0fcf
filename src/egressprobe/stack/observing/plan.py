"""The targets of a deployment's plan, from its schedules."""

import json
from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from egressprobe.model.errors import InputError, short
from egressprobe.model.target import Target
from egressprobe.planner.scheduler_api import list_schedules
from egressprobe.stack.aws_answers import failures_as_lines
from egressprobe.targets.spec import read_target

_MOST_NAMED = 5


class PlannedTargets(NamedTuple):
    """targets: by name. unreadable: names of others, which another version may have written."""

    targets: list[Target]
    unreadable: list[str]


def planned_targets(session: Any, group: str) -> PlannedTargets:
    """group: of the schedules. Raises AwsError."""
    targets: dict[str, Target] = {}
    unreadable: dict[str, None] = {}
    with failures_as_lines():
        schedules = list_schedules(session.client("scheduler"), group)
    for _, schedule in sorted(schedules.items()):
        for raw in _raw_targets(schedule):
            # The bundle decides about the handshake; nothing here does.
            fields = {key: raw[key] for key in raw if not key.startswith("caBundle")}
            try:
                target, _ = read_target(fields, "", {})
                targets.setdefault(target.name, target)
            except InputError:
                unreadable[short(str(raw.get("name")))] = None
    return PlannedTargets([targets[name] for name in sorted(targets)], sorted(unreadable))


def _raw_targets(schedule: dict[str, Any]) -> list[dict[str, Any]]:
    with suppress(KeyError, TypeError, ValueError, RecursionError):
        raw = json.loads(schedule["Target"]["Input"])["plan"]["targets"]
        return [target for target in raw if isinstance(target, dict)]
    return []


def chosen_targets(targets: Sequence[Target], names: Sequence[str]) -> list[Target]:
    """Those that are named, exactly or by a glob in any case; all without names. Raises InputError for one of none."""
    if not names:
        return list(targets)
    picked: dict[str, Target] = {}
    for name in names:
        matching = [t for t in targets if t.name == name or fnmatchcase(t.name.lower(), name.lower())]
        if not matching:
            known = some([target.name for target in targets])
            raise InputError("TARGET", f'"{short(name)}" is not in the stack\'s plan; there are: {known}')
        picked |= {target.name: target for target in matching}
    return list(picked.values())


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return (", ".join(names[:_MOST_NAMED]) or "none") + (f" and {more} more" if more > 0 else "")
