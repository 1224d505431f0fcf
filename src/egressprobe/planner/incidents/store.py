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
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from egressprobe.incidents.model import Acknowledgement, Incident
from egressprobe.planner.incidents.background import Background
from egressprobe.planner.incidents.edges import Start
from egressprobe.planner.incidents.turn import Turn
from egressprobe.planner.scheduler_api import INCIDENT, attempted, read_schedule, write_schedule
from egressprobe.planner.shards import MAX_INPUT

INCIDENTS, ACKNOWLEDGED = f"{INCIDENT}s", f"{INCIDENT}-acknowledged"
_VERSION = 1
_SECONDS = 20.0
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
