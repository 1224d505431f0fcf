"""What is remembered of a cause, and how much: an incident as it is opened, refreshed, and kept within bounds. Pure."""

import itertools
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from egressprobe.incidents.alarms import OF_SUBNETS
from egressprobe.incidents.causes.wording import affected_words
from egressprobe.incidents.model import Incident, ObservedCause, Tier, Transition
from egressprobe.incidents.states.evidence import OUTSIDE
from egressprobe.model.target import Impact
from egressprobe.model.text import valid_text, with_ellipsis

# The state is the input of one schedule: at most 256 KB in UTF-8, of which other parts need some.
# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Target.html
MAX_STATE_BYTES = 200_000
# Further causes are counted, not opened: what is dropped while its alarm is on would be opened, and reported, again.
MAX_INCIDENTS = 200
_FEWEST_TARGETS = 8  # that stay of an incident when room is short
_MAX_TEXT = 200
_MAX_CHANGES = 40
_HASH = 8


class Bounded(NamedTuple):
    """incidents: within the limits. notes: what is not remembered of them."""

    incidents: tuple[Incident, ...]
    notes: tuple[str, ...] = ()


def short_key(key: str) -> str:
    """At most 200 characters, the same for the same key: the end of a long one is its hash."""
    key = valid_text(key)
    if len(key) <= _MAX_TEXT:
        return key
    return f"{key[: _MAX_TEXT - _HASH - 1]}~{sha256(key.encode()).hexdigest()[:_HASH]}"


def opened(cause: ObservedCause, now: str, taken: Collection[str] = (), scope: str = "") -> Incident:
    """Its id depends on the key and on when the alarm turned on: a run that has lost its memory makes the same one.

    taken: ids of incidents that are remembered, of which one may be about the same cause and alarm: then it is
    numbered. scope: of the stack. Two clusters that call one server may lose it in the same second, and have one pager:
    with the same id the recovery of the one would close the other's.
    """
    key = short_key(cause.key)
    first = f"{_moment(cause.alarm_since or now)}-{sha256(f'{scope}|{key}'.encode()).hexdigest()[:_HASH]}"
    ids = itertools.chain([first], (f"{first}-{number}" for number in itertools.count(2)))
    incident = Incident(
        id=next(candidate for candidate in ids if candidate not in taken),
        key=key,
        code=cause.code,
        tier=cause.tier,
        what="",
        opened_at=now,
        since=cause.since,
    )
    return refreshed(incident, cause)


def _moment(at: str) -> str:
    """A time of CloudWatch's, in any zone; one that cannot be read is taken as it is."""
    try:
        return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except ValueError:
        return "".join(c for c in at if c.isalnum())[:_HASH]


def refreshed(incident: Incident, cause: ObservedCause) -> Incident:
    """With what this look adds: it never loses a place that failed. The tier is raised by `transitions` alone."""
    failing = dict(incident.failing)
    for target in cause.targets:
        failing[target.name] = tuple(dict.fromkeys((*failing.get(target.name, ()), *target.subnets)))
    if any(str(kind) in cause.alarms for kind in OF_SUBNETS):
        failing[OUTSIDE] = tuple(dict.fromkeys((*failing.get(OUTSIDE, ()), *cause.where)))
    sinces = [since for since in (incident.since, cause.since) if since]
    seen = replace(
        incident,
        since=min(sinces, default=""),
        failing=failing,
        alarms=tuple(dict.fromkeys((*incident.alarms, *cause.alarms))),
        superseded_by="",
        ended_at="",
    )
    if incident.what and not cause.reproduced:  # what an alarm reports is less than a probe saw before
        return seen
    worst = next((impact for impact in Impact if any(t.impact is impact for t in cause.targets)), Impact.BLOCKS)
    return replace(
        seen,
        what=_short(cause.what),
        impact=worst,
        severity=_severity(cause, incident.severity),
        owner=_owners(cause),
        affected=_short(affected_words(cause.targets)),
    )


def _short(text: str) -> str:
    return with_ellipsis(valid_text(text), _MAX_TEXT)


_SEVERITIES = ("critical", "error", "warning", "info")


def _severity(cause: ObservedCause, before: str) -> str:
    """The highest of the targets', each its own, else that of the tier; it never falls."""
    of_tier = "critical" if cause.tier is Tier.PAGE else "warning"
    known = {target.severity or of_tier for target in cause.targets} | {before}
    return next((severity for severity in _SEVERITIES if severity in known), of_tier)


def _owners(cause: ObservedCause) -> str:
    owners = dict.fromkeys(target.owner for target in cause.targets if target.owner)
    return _short(", ".join(owners))


def is_over(incident: Incident) -> bool:
    """Whether its recovery was reported: it is remembered only for `path broken`, which ends later."""
    return Transition.RECOVERED in incident.sent


def bounded(incidents: Sequence[Incident]) -> Bounded:
    """Within MAX_STATE_BYTES: those that are over first, then targets of the largest, then the oldest superseded."""
    kept = [_trimmed(incident) for incident in incidents]
    notes: list[str] = []
    while _size(kept) > MAX_STATE_BYTES:
        over = next((incident for incident in kept if is_over(incident)), None)
        largest = max(kept, key=lambda incident: len(incident.failing))
        if over is not None:
            kept.remove(over)
        elif len(largest.failing) > _FEWEST_TARGETS:
            kept[kept.index(largest)] = _halved(largest)
        else:
            dropped = next((incident for incident in kept if incident.superseded_by), kept[-1])
            kept.remove(dropped)
            notes.append(f"there is no room to remember {dropped.key}: its end will not be reported")
    return Bounded(tuple(kept), tuple(notes))


def _trimmed(incident: Incident) -> Incident:
    return replace(incident, reported_changes=incident.reported_changes[-_MAX_CHANGES:])


def _halved(incident: Incident) -> Incident:
    keep = max(len(incident.failing) // 2, _FEWEST_TARGETS)
    failing = dict(sorted(incident.failing.items())[:keep])
    return replace(incident, failing=failing, more=max(incident.more, len(incident.failing) - keep))


def _size(incidents: Sequence[Incident]) -> int:
    return len(msgspec.json.encode(list(incidents)))
