"""What the schedules store: the targets of the last discovery, and when every list was last read.

Discovery gates nothing. Objects that could not be read now stay as they were read last, and the plan's age is theirs.
The targets are in the schedules' Inputs, recognised by their `objects`; the time is in a schedule of its own that
never fires.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from egressprobe.discovery.kubernetes.resources import RESOURCES, SERVICES, SLICES
from egressprobe.discovery.target_names import free_name
from egressprobe.model.discovered import Discovered, TargetKeys
from egressprobe.model.ownership import owners_of, with_owners
from egressprobe.model.text import valid
from egressprobe.planner.lookup.note import NOTE, Note, note_input, parse_note
from egressprobe.planner.lookup.owners import OWNERS, owners_input, parse_owners
from egressprobe.planner.schedules import Wanted
from egressprobe.planner.settings import Settings

_KINDS = {resource.plural: resource.kind for resource in RESOURCES}
_ENDPOINTS = {SERVICES.plural, SLICES.plural}
_FACTS = ("kubeVersion", "ipFamily", "egressMode")
# A target that left the plan keeps a page on for so long: it may have been lost by accident; then its removal counts as
# a decision. At most so many are stored; their number matters, not their names.
_RETIRED_FOR, _MAX_RETIRED = timedelta(hours=6), 50


class _StoredPlan(msgspec.Struct):
    """What is read again of a schedule's plan."""

    targets: list[dict[str, Any]]
    bundles: dict[str, str] = {}
    retired: dict[str, str] = {}


class LastKnown(NamedTuple):
    """targets: discovered ones as they are in the schedules. facts: of the cluster. read_at: None for never.

    planned: names of all targets. retired: names of those that left the plan lately, and since when (ISO 8601).
    looked_up_at: when the plan's addresses were read (ISO 8601); empty where it has no such time.
    """

    targets: tuple[dict[str, Any], ...]
    bundles: dict[str, str]
    facts: dict[str, Any]
    read_at: datetime | None
    planned: frozenset[str] = frozenset()
    retired: dict[str, str] = {}
    note: Note = Note(None)
    looked_up_at: str = ""


def last_known(schedules: Mapping[str, dict[str, Any]]) -> LastKnown:
    """From what `present` returned; a schedule that cannot be read is skipped."""
    targets: dict[str, dict[str, Any]] = {}
    bundles: dict[str, str] = {}
    facts: dict[str, Any] = {}
    planned: set[str] = set()
    retired: dict[str, str] = {}
    looked_up_at = ""
    for name, schedule in sorted(schedules.items()):
        with suppress(KeyError, TypeError, ValueError, RecursionError):
            if name not in (NOTE, OWNERS):
                content = valid(json.loads(schedule["Target"]["Input"])["plan"])
                plan = msgspec.convert(content, _StoredPlan)
                targets |= {raw["name"]: raw for raw in plan.targets if _is_discovered(raw)}
                planned |= {raw["name"] for raw in plan.targets if isinstance(raw.get("name"), str)}
                bundles |= plan.bundles
                retired |= plan.retired
                looked_up_at = looked_up_at or str(content.get("lookedUpAt") or "")
                facts = facts or {key: content[key] for key in _FACTS if isinstance(content.get(key), str)}
    stored = parse_note(schedules.get(NOTE, {}))
    discovered = with_owners(targets.values(), parse_owners(schedules.get(OWNERS, {})))
    return LastKnown(discovered, bundles, facts, stored.read_at, frozenset(planned), retired, stored, looked_up_at)


def _is_discovered(raw: dict[str, Any]) -> bool:
    try:
        msgspec.convert(raw, TargetKeys)
    except msgspec.ValidationError:
        return False
    return True


def retired_targets(last: LastKnown, current: Collection[str], now: datetime) -> dict[str, str]:
    """Names of targets that left the plan within the last hours, and since when; the latest ones."""
    since = dict(last.retired) | dict.fromkeys(last.planned - last.retired.keys(), now.isoformat(timespec="seconds"))
    recent = {name: at for name, at in since.items() if name not in current and _is_recent(at, now)}
    return dict(sorted(sorted(recent.items(), key=lambda entry: entry[1])[-_MAX_RETIRED:]))


def _is_recent(since: str, now: datetime) -> bool:
    with suppress(ValueError, TypeError):
        return now - datetime.fromisoformat(since) < _RETIRED_FOR
    return False


def note(settings: Settings, content: Note) -> Wanted:
    """The schedule that stores it; it is disabled, so it never calls its function, some probe's."""
    return Wanted(NOTE, settings.probes[0].function, settings.role, note_input(content), fires=False)


def owners_note(settings: Settings, targets: Iterable[dict[str, Any]]) -> tuple[list[Wanted], tuple[str, ...]]:
    """The schedule that stores the owners of discovered targets, none where none has one; the names that do not fit."""
    owners = owners_of(targets)
    text, left = owners_input(owners)
    return [Wanted(OWNERS, settings.probes[0].function, settings.role, text, fires=False)] if owners else [], left


class Merged(NamedTuple):
    """unconfirmed: names of targets that this discovery could not confirm."""

    targets: tuple[dict[str, Any], ...]
    bundles: dict[str, str]
    unconfirmed: tuple[str, ...]


def merged(discovered: Discovered, last: LastKnown, unread: Iterable[str], configured: Collection[str]) -> Merged:
    """The targets discovered now, and of the last known ones all that may still exist.

    unread: lists by their plural, and kinds of objects that are read elsewhere. configured: names in the targets file.
    """
    unread_lists = set(unread)
    unread_kinds = {_KINDS.get(plural, plural) for plural in unread_lists}
    taken = set(configured)
    targets: dict[str, dict[str, Any]] = {}
    for raw in discovered.targets:
        name = free_name(str(raw["name"]), min(raw["objects"]), taken)
        taken.add(name)
        targets[name] = raw | {"name": name}
    unconfirmed = []
    for old in last.targets:
        callers_unread = {key.partition("/")[0] for key in old["objects"]} & unread_kinds
        endpoints_unread = "service" in old and unread_lists & _ENDPOINTS
        if old["name"] in configured or not (callers_unread or endpoints_unread):
            continue
        unconfirmed.append(str(old["name"]))
        new = targets.get(old["name"])
        # The callers are known from before, the endpoints from now.
        targets[old["name"]] = _with_endpoints(old, new) if new and callers_unread else new or old
    used = {raw["caBundleRef"] for raw in targets.values() if "caBundleRef" in raw}
    bundles = {name: pem for name, pem in (last.bundles | discovered.bundles).items() if name in used}
    return Merged(tuple(targets.values()), bundles, tuple(unconfirmed))


def _with_endpoints(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    fields = ("addresses", "refusal")
    return {key: value for key, value in old.items() if key not in fields} | {
        key: new[key] for key in fields if key in new
    }
