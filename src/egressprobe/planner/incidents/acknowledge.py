"""A person knows of a target: no message is about it alone until then. It is probed, alarmed and remembered as before.

Written under a lock of its own, so that it need not wait for an evaluation, and two people's acknowledgements are both
kept.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from egressprobe.incidents.answer import OPEN_INCIDENTS_SCHEMA, OpenIncidents
from egressprobe.incidents.model import Acknowledgement, Incident
from egressprobe.incidents.states.memory import is_over
from egressprobe.model.errors import AwsError, InputError
from egressprobe.model.joined_report import RefusedTarget
from egressprobe.planner.incidents.edges import IncidentEdges
from egressprobe.planner.incidents.settings import IncidentSettings
from egressprobe.planner.incidents.store import IncidentStore, StateTooLargeError, is_current
from egressprobe.planner.incidents.turn import ACKNOWLEDGING, Turn, store_errors
from egressprobe.planner.inventory import Inventory, chosen
from egressprobe.planner.on_demand import known_inventory
from egressprobe.planner.settings import Settings

# What must not be forgotten longer is better excluded from the plan, which is visible.
LONGEST = timedelta(days=30)
_MAX_TARGETS, _MAX_BY, _MAX_NOTE = 500, 100, 500
# Another person's takes a second or two.
_TRIES, _PAUSE_SECONDS = 8, 2.0


class AcknowledgementRequest(NamedTuple):
    """until: None takes it back. targets: names and globs, none to change nothing."""

    targets: tuple[str, ...]
    until: datetime | None
    by: str = ""
    note: str = ""


def read_request(event: dict[str, Any], now: datetime) -> AcknowledgementRequest:
    """Raises InputError."""
    targets = event.get("targets", [])
    if not isinstance(targets, list) or not all(isinstance(name, str) and name for name in targets):
        raise InputError("event.targets", "must be a list of names")
    if len(targets) > _MAX_TARGETS:
        raise InputError("event.targets", f"has {len(targets)} names, more than {_MAX_TARGETS}")
    by, note = (_text(event, key, most) for key, most in (("by", _MAX_BY), ("note", _MAX_NOTE)))
    return AcknowledgementRequest(tuple(targets), _until(event.get("until", ""), now), by, note)


def _text(event: dict[str, Any], key: str, most: int) -> str:
    text = event.get(key, "")
    if not isinstance(text, str) or len(text) > most or not text.isprintable():
        raise InputError(f"event.{key}", f"must be printable text of at most {most} characters")
    return text


def _until(text: Any, now: datetime) -> datetime | None:
    if text == "":
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError(
            "event.until", "must be a time with its offset (RFC 3339), such as 2026-11-27T08:00:00Z, or empty"
        )
    if not now < moment <= now + LONGEST:
        raise InputError("event.until", f"must be in the future, and at most {LONGEST.days} days from now")
    return moment.astimezone(UTC)


def acknowledge(
    settings: Settings,
    incidents: IncidentSettings,
    configured: Inventory,
    scheduler: Any,
    request: AcknowledgementRequest,
    edges: IncidentEdges,
) -> OpenIncidents:
    """What is open and acknowledged after it. scheduler: a client. Raises InputError, and AwsError where AWS fails."""
    turn = Turn(scheduler, settings, incidents, edges.start)
    store = IncidentStore(scheduler, settings.group, turn, edges.start)
    try:
        remembered = store.incidents().incidents
        refused: tuple[RefusedTarget, ...] = ()
        if not request.targets or not incidents.on:
            current = store.acknowledgements(edges.clock())
        else:
            inventory = known_inventory(settings, configured, scheduler)
            current, refused = _changed(store, turn, inventory, remembered, request, edges)
    except store_errors() as error:
        raise AwsError(f"the acknowledgements cannot be read or written: {error}") from error
    except StateTooLargeError as error:
        raise InputError("event.targets", f"there is no room for these: {error}") from error
    return OpenIncidents(
        schema_version=OPEN_INCIDENTS_SCHEMA,
        cluster_name=settings.cluster_name,
        at=edges.clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
        incidents=remembered,
        acknowledgements=current,
        refused=refused,
        evaluated=False,
        notes=() if incidents.on else ("nothing was changed: the stack sends no messages of causes",),
    )


def _changed(
    store: IncidentStore,
    turn: Turn,
    inventory: Inventory,
    remembered: tuple[Incident, ...],
    request: AcknowledgementRequest,
    edges: IncidentEdges,
) -> tuple[tuple[Acknowledgement, ...], tuple[RefusedTarget, ...]]:
    """Raises `store_errors`, StateTooLargeError, and AwsError where others write all the time."""
    for _ in range(_TRIES):
        lock = turn.take(ACKNOWLEDGING)
        if lock.own:
            break
        edges.pause(_PAUSE_SECONDS)
    else:
        raise AwsError("another acknowledgement is being written; try again in a minute")
    try:
        before = store.acknowledgements(edges.clock())
        names, refused = _names(inventory, remembered, before, request.targets)
        kept = [known for known in before if known.target not in names]
        if request.until is not None:
            kept += [_acknowledged(name, request, remembered) for name in names]
        after = tuple(sorted((known for known in kept if is_current(known, edges.clock())), key=lambda a: a.target))
        if after != before:
            store.write_acknowledgements(after, edges.clock())
    finally:
        turn.leave(lock)
    return after, refused


def _names(
    inventory: Inventory,
    remembered: tuple[Incident, ...],
    before: tuple[Acknowledgement, ...],
    requests: tuple[str, ...],
) -> tuple[list[str], tuple[RefusedTarget, ...]]:
    """A target that has left the plan may be of an open incident, or of an acknowledgement to take back."""
    known = {name for incident in remembered for name in incident.failing if name} | {
        earlier.target for earlier in before
    }
    others = [name for name in requests if name in known]
    entries, refused = chosen(inventory, [name for name in requests if name not in known])
    return list(dict.fromkeys((*others, *(entry.target.name for entry in entries)))), tuple(refused)


def _acknowledged(name: str, request: AcknowledgementRequest, remembered: tuple[Incident, ...]) -> Acknowledgement:
    assert request.until is not None  # noqa: S101 (the caller has looked)
    causes = tuple(incident.key for incident in remembered if name in incident.failing and not is_over(incident))
    return Acknowledgement(name, request.until.strftime("%Y-%m-%dT%H:%M:%SZ"), request.by, request.note, causes)
