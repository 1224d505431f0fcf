"""A due message made into what is published: the event's detail, with the text and the integrations in it. Pure."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from egressprobe.incidents.messages.action import advised
from egressprobe.incidents.messages.bounds import with_bounds
from egressprobe.incidents.messages.headline import headline, subject
from egressprobe.incidents.messages.integrations import integrations_of
from egressprobe.incidents.messages.place import MessagePlace, links_of
from egressprobe.incidents.messages.safe import line, seconds_between
from egressprobe.incidents.messages.text import text_of
from egressprobe.incidents.model import (
    INCIDENT_SCHEMA,
    AffectedTarget,
    Incident,
    IncidentMessage,
    Link,
    ObservedCause,
    Transition,
)
from egressprobe.incidents.states.decisions import DueMessage
from egressprobe.incidents.states.evidence import OUTSIDE

logger = logging.getLogger("egressprobe")


def compose(due: DueMessage, place: MessagePlace, now: str, notes: Sequence[str] = ()) -> IncidentMessage:
    """The message, at most 200 KB as JSON. now: RFC 3339. notes: sentences of whoever publishes it.

    A repeat has the same id and dedup key, and what is known now.
    """
    incident = due.incident
    cause = due.cause or remembered(incident)
    if due.cause is not None:
        cause = replace(cause, tier=incident.tier, since=incident.since or cause.since)
    ended = incident.ended_at or now
    started = incident.since or incident.opened_at
    no_links: tuple[Link, ...] = ()
    links = _attempted(lambda: links_of(cause, place, now), no_links)
    fix = advised(cause, place)
    first = headline(due, cause, fix, place.cluster_name, now)
    remarks = tuple(dict.fromkeys((*due.notes, *notes)))
    message = IncidentMessage(
        schema_version=INCIDENT_SCHEMA,
        id=due.id,
        dedup_key=incident.dedup_key,
        incident_id=incident.id,
        transition=due.transition,
        tier=incident.tier,
        severity=incident.severity,
        cluster_name=place.cluster_name,
        region=place.region,
        account=place.account,
        stack=place.stack,
        at=now,
        since=started,
        duration_seconds=seconds_between(started, ended) if due.transition is Transition.RECOVERED else None,
        code=incident.code,
        subject=subject(due, cause, place.cluster_name),
        headline=first,
        text=_attempted(lambda: text_of(due, cause, first, fix, links, remarks, now), first),
        cause=cause,
        owner=incident.owner,
        changes=due.changes,
        replaces=tuple(old.dedup_key for old in due.replaces),
        links=links,
        notes=tuple(line(note) for note in remarks),
        people=due.people,
    )
    bounded = with_bounds(message)
    without: dict[str, Any] = {}
    return replace(bounded, integrations=_attempted(lambda: integrations_of(bounded, fix), without))


def _attempted[T](make: Callable[[], T], without: T) -> T:
    """A part that fails for a reason that is not known here costs that part, never the message."""
    try:
        return make()
    except Exception:
        logger.exception("a part of a message could not be made")
        return without


def remembered(incident: Incident) -> ObservedCause:
    """The cause of an incident that is not observed now: what is left of it."""
    targets = tuple(
        AffectedTarget(name, incident.impact, incident.code, subnets, owner=incident.owner, severity=incident.severity)
        for name, subnets in incident.failing.items()
        if name != OUTSIDE
    )
    return ObservedCause(
        key=incident.key,
        code=incident.code,
        tier=incident.tier,
        what=incident.what,
        targets=targets,
        where=tuple(dict.fromkeys(subnet for subnets in incident.failing.values() for subnet in subnets)),
        since=incident.since,
        reproduced=False,
        alarms=incident.alarms,
        unknown=() if incident.ended_at else ("nothing of it could be probed again now",),
    )
