"""Which message of one incident is due, or why it is silent. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.incidents.alarms import AlarmKind
from egressprobe.incidents.model import TOPIC, Acknowledgement, Incident, NetworkChange, ObservedCause, Tier, Transition
from egressprobe.incidents.states.evidence import OUTSIDE, IncidentEvidence
from egressprobe.incidents.states.memory import is_over, short_key
from egressprobe.model.series import ALL_TARGETS

_MUTED = "muted: "
_BUS_AFTER_THE_END = timedelta(hours=1)


class DueMessage(NamedTuple):
    """A message to publish. incident: as it is stored; cause: as observed now, or None where it is not any more.

    changes: those to report. replaces: incidents that this one supersedes. people: as of IncidentMessage.
    removed: targets that have left the plan: that one of them passes is not known.
    """

    incident: Incident
    transition: Transition
    cause: ObservedCause | None = None
    changes: tuple[NetworkChange, ...] = ()
    replaces: tuple[Incident, ...] = ()
    people: bool = True
    notes: tuple[str, ...] = ()
    removed: frozenset[str] = frozenset()

    @property
    def id(self) -> str:
        """INCIDENT/TRANSITION: the same for a repeat."""
        return f"{self.incident.id}/{self.transition}"


class Surrounding(NamedTuple):
    """What is known beside the causes. at: now. changes: by the key of the cause."""

    evidence: IncidentEvidence
    at: str
    changes: Mapping[str, Sequence[NetworkChange]]
    acknowledgements: Sequence[Acknowledgement]


def decide(
    incident: Incident, cause: ObservedCause | None, by_id: Mapping[str, Incident], around: Surrounding
) -> tuple[Incident | None, DueMessage | None]:
    """The incident to store, None for one that ends without a message; and the message that is due."""
    incident = _given_up(incident, cause, around)
    if is_over(incident):
        return incident, None
    if incident.sending is Transition.RECOVERED and not incident.ended_at:
        return incident, None  # it may have been published; without evidence it is not repeated
    reported = Transition.BROKEN in incident.sent
    if incident.ended_at and not reported and not incident.sending:
        return None, None
    if cause is not None and not reported and not incident.sending and cause.tier is Tier.PAGE:
        incident = replace(incident, tier=Tier.PAGE)
    silent = _silent(incident, around)
    transition = incident.sending or _wanted(incident, cause, around, silent)
    if transition is None:
        return (incident if reported else replace(incident, silent=silent)), None
    return _message(incident, transition, cause, by_id, around)


def _given_up(incident: Incident, cause: ObservedCause | None, around: Surrounding) -> Incident:
    """Where people have a message that the event bus refuses, the next one does not wait for the bus.

    Nor does the incident stay open for the bus alone for longer than an hour.
    """
    if incident.sending is None or TOPIC not in incident.reached:
        return incident
    without = replace(incident, sent=(*incident.sent, incident.sending), sending=None, reached=())
    if is_over(without):
        ended = datetime.fromisoformat(incident.ended_at or around.at)
        return without if datetime.fromisoformat(around.at) - ended > _BUS_AFTER_THE_END else incident
    return without if _wanted(without, cause, around, _silent(without, around)) else incident


def _wanted(incident: Incident, cause: ObservedCause | None, around: Surrounding, silent: str) -> Transition | None:
    reported = Transition.BROKEN in incident.sent
    if silent.startswith(_MUTED):
        return None
    if reported and incident.ended_at:
        return Transition.RECOVERED
    if incident.superseded_by or incident.ended_at:
        return None
    if not reported:
        seen = cause is not None or _alarm_is_on(incident, around)
        return Transition.BROKEN if seen and not silent else None
    if incident.tier is Tier.NOTICE and cause is not None and cause.tier is Tier.PAGE:
        return Transition.ESCALATED
    if not silent and Transition.CHANGED not in incident.sent and _new_changes(incident, around):
        return Transition.CHANGED
    return None


def _message(
    incident: Incident,
    transition: Transition,
    cause: ObservedCause | None,
    by_id: Mapping[str, Incident],
    around: Surrounding,
) -> tuple[Incident, DueMessage]:
    if transition in (Transition.BROKEN, Transition.ESCALATED):
        changes = tuple(around.changes.get(incident.key, ()))
    else:
        changes = _new_changes(incident, around)
    stored = replace(
        incident,
        tier=Tier.PAGE if transition is Transition.ESCALATED else incident.tier,
        sending=transition,
        silent="",
        reported_changes=tuple(dict.fromkeys((*incident.reported_changes, *(change.id for change in changes)))),
    )
    replaces = tuple(other for other in by_id.values() if other.superseded_by == incident.id)
    successor = by_id.get(incident.superseded_by)
    people = successor is None or Transition.BROKEN not in successor.sent
    planned, measured = around.evidence.planned, around.evidence.verdicts
    gone = (
        () if planned is None else (n for n in incident.failing if n not in {OUTSIDE, *planned, *measured, ALL_TARGETS})
    )
    return stored, DueMessage(stored, transition, cause, changes, replaces, people, removed=frozenset(gone))


def _new_changes(incident: Incident, around: Surrounding) -> tuple[NetworkChange, ...]:
    """Related ones that no message had."""
    known = around.changes.get(incident.key, ())
    return tuple(change for change in known if change.related and change.id not in incident.reported_changes)


def _alarm_is_on(incident: Incident, around: Surrounding) -> bool:
    alarms = around.evidence.alarms
    names = incident.failing.keys() - {OUTSIDE}
    subnets = incident.failing.get(OUTSIDE, ())
    return (
        any(True for name in names for _ in alarms.for_target(name))
        or any(True for subnet in subnets for _ in alarms.for_subnet(subnet))
        or (not incident.failing and bool(alarms.without_names()))
    )


def _silent(incident: Incident, around: Surrounding) -> str:
    """Why no message may leave; empty if one may."""
    alarms = around.evidence.alarms
    kinds = [AlarmKind(kind) for kind in incident.alarms]
    if kinds and not any(alarms.of(kind).state for kind in kinds):  # not known now: as it was
        return incident.silent if incident.silent.startswith(_MUTED) else ""
    rules = alarms.muted(kinds)
    if rules:
        return f"{_MUTED}{rules}"
    until = _acknowledged(incident, around)
    return f"acknowledged until {until}" if until else ""


def _acknowledged(incident: Incident, around: Surrounding) -> str:
    """Until when, if every target of it is; empty otherwise."""
    now = datetime.fromisoformat(around.at)
    untils: dict[str, str] = {}
    for acknowledged in around.acknowledgements:
        covers = not acknowledged.causes or incident.key in map(short_key, acknowledged.causes)
        if covers and datetime.fromisoformat(acknowledged.until) > now:
            untils[acknowledged.target] = max(acknowledged.until, untils.get(acknowledged.target, ""))
    names = incident.failing.keys()
    if not names or incident.more or not names <= untils.keys():
        return ""
    return min(untils[name] for name in names)
