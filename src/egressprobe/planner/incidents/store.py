"""What is remembered between two evaluations: one disabled schedule of the group stores the open incidents, another one
the acknowledgements. They never fire; the group is the Planner's only store.

Nothing is left out to make it fit: a target that is forgotten could recover unseen. A large state is compressed; one
that is still larger than an Input is not written, and the message is sent all the same.

A state that is lost (an older Planner deletes schedules that it does not know, a person edits it) costs the memory
alone: an open cause is reported once more, with the same ids (incidents/transitions.py derives them from the cause and
from when its alarm turned on), and a recovery of before is not reported.
"""

import base64
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from egressprobe.incidents.model import Acknowledgement, Incident, Transition
from egressprobe.incidents.states.memory import is_over
from egressprobe.planner.incidents.background import Background
from egressprobe.planner.incidents.edges import Start
from egressprobe.planner.incidents.turn import OddAnswerError, Turn
from egressprobe.planner.scheduler_api import INCIDENT, attempted, read_schedule, write_schedule
from egressprobe.planner.shards import MAX_INPUT

INCIDENTS, ACKNOWLEDGED = f"{INCIDENT}s", f"{INCIDENT}-acknowledged"
_VERSION = 1
_SECONDS = 20.0
# An environment that was not used for so long knows nothing of what happened meanwhile.
_KEPT = timedelta(minutes=30)
# Characters; above it the list is compressed, below it a person can read it with GetSchedule.
_READABLE = 100_000
# Unpacked characters that are read: the names of 500 incidents' targets.
_MAX_UNPACKED = 50_000_000


class StateTooLargeError(Exception):
    """It does not fit an Input, also when it is compressed."""


class Remembered(NamedTuple):
    """lost: how many entries could not be read. at: when it was written (RFC 3339), empty for never."""

    incidents: tuple[Incident, ...] = ()
    at: str = ""
    lost: int = 0


class ExecutionMemory:
    """What this execution environment has read or decided last: used while EventBridge Scheduler cannot be read.

    It may be older than what is stored: of it only what could not be stored is written later.
    """

    def __init__(self) -> None:
        self._incidents: tuple[Incident, ...] = ()
        self._stored, self._at = True, datetime.min.replace(tzinfo=UTC)

    def keep(self, incidents: tuple[Incident, ...], now: datetime, *, stored: bool) -> None:
        self._incidents, self._stored, self._at = incidents, stored, now

    def incidents(self, now: datetime) -> tuple[Incident, ...]:
        """Those known last; none where that is too long ago."""
        return self._incidents if now - self._at < _KEPT else ()

    def with_unstored(self, stored: tuple[Incident, ...], now: datetime) -> tuple[Incident, ...]:
        """What is stored, and what was reported and could not be stored: else its end would not be reported.

        One whose cause has another incident meanwhile is superseded by it.
        """
        if self._stored:
            return stored
        ids = {incident.id for incident in stored}
        open_now = {incident.key: incident.id for incident in stored if not is_over(incident)}
        unstored = (
            replace(incident, superseded_by=open_now.get(incident.key, incident.superseded_by))
            for incident in self.incidents(now)
            if incident.id not in ids and Transition.BROKEN in incident.sent
        )
        return (*unstored, *stored)  # of two with one key the last one is matched with its cause


class IncidentStore:
    """The two schedules of one group. Methods raise `store_errors`."""

    def __init__(self, client: Any, group: str, turn: Turn, start: Start = Background) -> None:
        self._client, self._group, self._turn, self._start = client, group, turn, start

    def incidents(self) -> Remembered:
        """Those that are open; none where nothing was written yet, or what is there cannot be understood."""
        items, lost, at = self._read(INCIDENTS, Incident)
        return Remembered(tuple(items), at, lost)

    def write_incidents(self, incidents: tuple[Incident, ...], now: datetime) -> None:
        """Raises StateTooLargeError too."""
        self._write(INCIDENTS, incidents, now)

    def acknowledgements(self, now: datetime) -> tuple[Acknowledgement, ...]:
        """Those that have not expired."""
        items, _, _ = self._read(ACKNOWLEDGED, Acknowledgement)
        return tuple(item for item in items if is_current(item, now))

    def write_acknowledgements(self, acknowledgements: tuple[Acknowledgement, ...], now: datetime) -> None:
        """Raises StateTooLargeError too."""
        self._write(ACKNOWLEDGED, acknowledgements, now)

    def _read[T](self, name: str, kind: type[T]) -> tuple[list[T], int, str]:
        schedule = self._attempted(lambda: read_schedule(self._client, self._group, name))
        if schedule is not None and "Target" not in schedule:  # not what is stored: it must not be overwritten
            raise OddAnswerError("GetSchedule's answer has no Target")
        content = _content(schedule or {})
        raw = content.get("items")
        items: list[T] = []
        lost = 0 if isinstance(raw, list) else int(schedule is not None)
        for entry in raw if isinstance(raw, list) else ():
            try:
                items.append(msgspec.convert(entry, kind))
            except (msgspec.ValidationError, RecursionError):
                lost += 1
        return items, lost, str(content.get("at") or "")

    def _write(self, name: str, items: tuple[Any, ...], now: datetime) -> None:
        properties = self._turn.stored(as_input(items, now))
        self._attempted(lambda: write_schedule(self._client, self._group, name, properties, new=False))

    def _attempted[T](self, call: Callable[[], T]) -> T:
        return self._start(lambda: attempted(call)).result(_SECONDS)


def is_current(acknowledgement: Acknowledgement, now: datetime) -> bool:
    """Whether it has not expired; one without a valid time has."""
    with suppress(ValueError, TypeError):
        return datetime.fromisoformat(acknowledgement.until) > now
    return False


def as_input(items: tuple[Any, ...], now: datetime) -> str:
    """The Input that stores them. Raises StateTooLargeError."""
    # Every schedule of the group has a plan; this one's has no targets.
    content: dict[str, Any] = {"version": _VERSION, "at": now.isoformat(timespec="seconds"), "plan": {"targets": []}}
    listed = msgspec.to_builtins(items)
    text = json.dumps(content | {"items": listed})
    if len(text) > _READABLE:
        packed = base64.b64encode(zlib.compress(json.dumps(listed).encode(), 9)).decode()
        text = json.dumps(content | {"packed": packed})
    if len(text) > MAX_INPUT:
        raise StateTooLargeError(f"{len(items)} entries need {len(text)} of {MAX_INPUT} characters")
    return text


def _content(schedule: dict[str, Any]) -> dict[str, Any]:
    """The stored object with its list unpacked; empty where it cannot be read."""
    unreadable = (KeyError, TypeError, ValueError, RecursionError, zlib.error)
    with suppress(*unreadable):
        content = json.loads(schedule["Target"]["Input"])
        if isinstance(content, dict) and "packed" in content:
            unpacked = zlib.decompressobj().decompress(base64.b64decode(content["packed"]), _MAX_UNPACKED)
            content["items"] = json.loads(unpacked)
        return content if isinstance(content, dict) else {}
    return {}
