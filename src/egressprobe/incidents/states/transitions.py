"""Which messages are due: what is observed now against what is remembered. Pure.

Rules:
- A cause is opened when an alarm is on for it. One message for each incident and transition, never a second.
- A message is due until it is `committed`. Store what `step` returns before publishing: an incident has its id and its
  `sending` then, so a repeat after a crash is the same message.
- One message of an incident at a time: call `step` again after `committed` until nothing is due.
- Recovered is what has evidence (evidence.py). What is unknown keeps an incident open.
- What a look could not explain, or not reproduce, opens nothing for targets of an open incident: their cause is known.
- A cause that replaces another has a message that says so. The other one is superseded: people are not notified of its
  end, machines are, when its targets have recovered.
- Muted: no message, until the mute ends. Acknowledged: no message of a cause that breaks acknowledged targets only.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from egressprobe.incidents.alarms import AlarmKind
from egressprobe.incidents.causes.unseen import PATH_BROKEN
from egressprobe.incidents.model import Acknowledgement, Incident, NetworkChange, ObservedCause, Tier, Transition
from egressprobe.incidents.states.decisions import DueMessage, Surrounding, decide
from egressprobe.incidents.states.evidence import OUTSIDE, IncidentEvidence, still_open
from egressprobe.incidents.states.memory import MAX_INCIDENTS, bounded, is_over, opened, refreshed, short_key


class IncidentStep(NamedTuple):
    """incidents: to be stored before anything is published. due: to be published. notes: what is not reported, why."""

    incidents: tuple[Incident, ...]
    due: tuple[DueMessage, ...] = ()
    notes: tuple[str, ...] = ()


def step(
    incidents: Sequence[Incident],
    observed: Sequence[ObservedCause],
    evidence: IncidentEvidence,
    now: str,
    *,
    changes: Mapping[str, Sequence[NetworkChange]] | None = None,
    acknowledgements: Sequence[Acknowledgement] = (),
    scope: str = "",
) -> IncidentStep:
    """observed: of grouping.observed. now: RFC 3339, UTC. changes: by the cause's key. scope: as of `opened`.

    The same input gives the same output. A message stays due, with the same id, until `committed`.
    """
    around = Surrounding(evidence, now, changes or {}, acknowledgements)
    known = [incident for incident in incidents if not _forgotten(incident, evidence)]
    matched, notes = _matched(known, observed, now, scope)
    current = [_judged(incident, cause, matched, around) for incident, cause in matched]
    by_id = {incident.id: incident for incident in current}
    stored: list[Incident] = []
    due: list[DueMessage] = []
    for incident, (_, cause) in zip(current, matched, strict=True):
        decided, message = decide(incident, cause, by_id, around)
        if decided is not None:
            stored.append(decided)
        if message is not None:
            due.append(message._replace(notes=notes))
    within = bounded(stored)
    kept = {incident.id for incident in within.incidents}
    return IncidentStep(within.incidents, tuple(m for m in due if m.incident.id in kept), (*notes, *within.notes))


def committed(incidents: Sequence[Incident], published: Collection[str]) -> tuple[Incident, ...]:
    """The incidents, to be stored after these messages (their ids) were published."""
    return tuple(
        replace(incident, sent=(*incident.sent, incident.sending), sending=None, reached=())
        if incident.sending and f"{incident.id}/{incident.sending}" in published
        else incident
        for incident in incidents
    )


type _Matched = Sequence[tuple[Incident, ObservedCause | None]]


def _forgotten(incident: Incident, evidence: IncidentEvidence) -> bool:
    """One that is over is remembered while `path broken`, which ends later, is still on for it."""
    ended = evidence.alarms.of(AlarmKind.PATH_BROKEN).state == "OK"
    return is_over(incident) and (ended or incident.tier is not Tier.PAGE)


def _matched(
    known: Sequence[Incident], observed: Sequence[ObservedCause], now: str, scope: str
) -> tuple[_Matched, tuple[str, ...]]:
    """Each incident with its cause as observed now, new ones included; and what was not opened."""
    open_now = {incident.key: incident for incident in known if not is_over(incident)}
    causes: dict[str, ObservedCause] = {}
    new: list[Incident] = []
    unopened: list[str] = []
    for cause in observed:
        same = open_now.get(short_key(cause.key))
        if same is not None and same.sending is not Transition.RECOVERED:
            if not (same.superseded_by and _is_vague(cause)):
                causes[same.id] = cause
            continue
        fresh = _uncovered(cause, known) if _is_vague(cause) else cause
        if fresh is None or not cause.alarms:
            continue
        incident = opened(fresh, now, [other.id for other in known], scope)
        if len(open_now) + len(new) >= MAX_INCIDENTS:
            unopened.append(cause.key)
            continue
        new.append(incident)
        causes[incident.id] = fresh
    notes = (
        (f"{len(unopened)} more causes are not reported on their own: {', '.join(unopened[:5])}",) if unopened else ()
    )
    return [(incident, causes.get(incident.id)) for incident in (*known, *new)], notes


def _is_vague(cause: ObservedCause) -> bool:
    return not (cause.reproduced and cause.explained)


def _uncovered(cause: ObservedCause, known: Sequence[Incident]) -> ObservedCause | None:
    """A vague cause without the targets of open incidents that are as severe; None if nothing is left."""
    covering = [i for i in known if not (cause.tier is Tier.PAGE and i.tier is not Tier.PAGE)]
    if cause.code == PATH_BROKEN:  # also after the last recovery: the alarm ends later
        return None if covering else cause
    active = [i for i in covering if not is_over(i) and i.sending is not Transition.RECOVERED]
    if not cause.targets:
        places = {subnet for incident in active for subnet in incident.failing.get(OUTSIDE, ())}
        return None if set(cause.where) <= places else cause
    names = {name for incident in active for name in incident.failing}
    left = tuple(target for target in cause.targets if target.name not in names)
    if not left or len(left) == len(cause.targets):
        return cause if left else None
    return replace(cause, targets=left)


def _judged(incident: Incident, cause: ObservedCause | None, matched: _Matched, around: Surrounding) -> Incident:
    """With what is observed now: refreshed, superseded, ended, or as it was."""
    if is_over(incident):
        return incident
    if cause is not None:
        return refreshed(incident, cause)
    moved = dict(_moved(incident, matched))
    staying = incident.failing.keys() - moved.keys()
    why_open = still_open(incident, around.evidence, staying) if staying or not moved else ""
    if why_open:
        return replace(incident, ended_at="")
    if moved:
        return replace(incident, ended_at="", superseded_by=next(iter(moved.values())))
    return replace(incident, ended_at=incident.ended_at or around.at)


def _moved(incident: Incident, matched: _Matched) -> Iterator[tuple[str, str]]:
    """Targets that fail now, from where they failed, by another cause that is as severe -> its incident."""
    for other, cause in matched:
        if cause is None or _is_vague(cause) or other.id == incident.id:
            continue
        if incident.tier is Tier.PAGE and cause.tier is not Tier.PAGE:
            continue
        for target in cause.targets:
            places = incident.failing.get(target.name)
            if places is not None and (not places or set(places) & set(target.subnets)):
                yield target.name, other.id
